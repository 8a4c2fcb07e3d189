"""The dashboard's cards: words first, charts second."""

from functools import partial
from html import escape

import streamlit as st

from vibecheck.analytics import charts, markup, time_charts, words
from vibecheck.analytics.accuracy import ENOUGH
from vibecheck.analytics.csv_tables import tables
from vibecheck.analytics.shares import share
from vibecheck.emotions import BY_NAME
from vibecheck.records.csv_safety import to_csv
from vibecheck.records.stats.steps import STEPS
from vibecheck.records.stats.summaries import MOST_IN_MIX
from vibecheck.ui.dashboard.report_download import report_of
from vibecheck.ui.dashboard.statistics import Statistics
from vibecheck.ui.shared import app, comparisons, theme

FINE_TUNE = "pages/3_Fine-tune.py"
SLICES = 8
PAIRS = 6
NO_AUDITS = "No audit has been answered in this period."


def too_few(known: Statistics) -> None:
    """The only card while there are too few answers: their number, why they matter, how to get more."""
    answers, share = known.status.audits, app.settings().audit_share
    with theme.card("too-few", f"{answers} of {ENOUGH} answers"):
        if answers:
            st.progress(answers / ENOUGH)
        theme.plain(
            "Accuracy is measured by audits: vibe checks, drawn at random, that ask “Was this right?”. "
            f"With fewer than {ENOUGH} answers, every figure here would be little more than chance."
        )
        theme.plain(
            f"Vibe checks so far: {known.overview.predictions:,}; {share:.0%} of all become audits. To get "
            "there sooner, invite more people and answer when you are asked"
            f"{', or raise VIBECHECK_AUDIT_SHARE' * (share < 1)}."
        )


def headline(known: Statistics) -> None:
    """Three questions, three answers."""
    answers = words.answers(known.overview)
    for number, (column, answer) in enumerate(zip(st.columns(3, gap="small"), answers, strict=True)):
        with column, st.container(key=f"card-answer-{number}", height="stretch"):
            st.html(markup.answer_card(answer))


def trend(known: Statistics) -> None:
    """Accuracy over time."""
    found = known.overview
    with st.container(key="card-trend", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            theme.section("Accuracy over time", "numbers below: audits answered")
            steps = {step: step.title() for step in STEPS}
            theme.choice("Step", steps, "step", default="week", width="content")
        live = [(model.first_used_at.date(), model.version) for model in known.status.versions]
        agreed = known.status.agreement.ceiling
        theme.chart(time_charts.accuracy_line(found.line, live, found.step, agreed))
        if bias := words.on_bias(found.accuracy):
            theme.quiet(bias)
        theme.quiet(words.on_agreement(known.status.agreement))


def matrix(known: Statistics) -> tuple[str, str] | None:
    """The confusion matrix; returns the selected cell: what people said, and what was shown."""
    with theme.card("matrix", "Confusion matrix", "% of row · select a cell to see its pictures"):
        if not known.overview.confusion.total:
            theme.quiet(NO_AUDITS)
            return None
        event = theme.chart(
            charts.confusion_matrix(known.overview.confusion),
            on_select="rerun",
            selection_mode=charts.PICK,
            key="matrix",
        )
        picked = event.selection.get(charts.PICK) or []
        if not picked or "label" not in picked[0]:
            return None
        names = {emotion.title: name for name, emotion in BY_NAME.items()}
        return names[picked[0]["label"]], names[picked[0]["mood"]]


def pairs(known: Statistics) -> None:
    """The most confused pairs as bars."""
    with theme.card("pairs", "Most confused pairs", "share of all mistakes · line: 95% interval"):
        if known.overview.confusion.pairs:
            theme.chart(charts.pair_bars(known.overview.confusion))
        else:
            theme.quiet("No answered audit says that the mood was wrong.")


def error_slices(known: Statistics) -> None:
    """Accuracy by slice, the lowest first."""
    found = known.overview.slices
    with theme.card("slices", "Error slices", "worst first · strip: 95% interval · *: significant"):
        st.html(markup.slice_rows(found[:SLICES]))
        if len(found) > SLICES:
            with st.expander(f"{len(found) - SLICES} more"):
                st.html(markup.slice_rows(found[SLICES:]))


def retrain(known: Statistics) -> None:
    """Whether to train the next model."""
    advice = known.status.retrain
    with theme.card("retrain", "Retrain?", known.status.champion):
        st.html(f'<div class="vcd-verdict">{"Yes." if advice.recommended else "Not yet."}</div>')
        st.html(markup.checklist(advice))
        if st.button("Open Fine-tune", type="primary" if advice.recommended else "secondary", key="retrain"):
            st.switch_page(FINE_TUNE)


def calibration(known: Statistics) -> None:
    """The reliability diagram, the confidence of right and wrong answers, and the learned calibration."""
    found = known.overview.calibration
    with theme.card("calibration", "Calibration", "on the dashed line, confidence equals accuracy"):
        if found.error is None:
            theme.quiet(NO_AUDITS)
            return
        if differs := words.on_confidence(found, known.overview.accuracy.audited):
            theme.plain(differs)
        theme.quiet(words.on_learned(known.status.calibrations, known.status.own_audits))
        theme.quiet(
            f"Expected calibration error {found.error * 100:.1f} points ({found.low * 100:.1f} to "
            f"{found.high * 100:.1f}), from {found.n:,} audits."
        )
        theme.chart(charts.reliability(found))
        theme.chart(charts.confidence_histogram(found))


def drift(known: Statistics) -> None:
    """Whether the input has changed."""
    found = known.overview.drift
    with theme.card("drift", "Drift", "now against the period before"):
        limit = f"At most {MOST_IN_MIX} vibe checks count per visitor and day."
        st.html(f'<div class="vcd-detail">{escape(words.on_drift(found))} {limit}</div>')
        if not found.shifts:
            return
        distances = {shift.title: f"{shift.title} · {shift.distance:.2f}" for shift in found.shifts}
        chosen = st.selectbox(
            "Signal and its Jensen–Shannon distance (notable from 0.10)", list(distances),
            format_func=distances.get, key="signal",
        )  # fmt: skip
        theme.chart(charts.drift_bars(next(shift for shift in found.shifts if shift.title == chosen)))


def models(known: Statistics) -> None:
    """The models, one per row; any two of them on the same faces; and what a trainer can do about it."""
    with theme.card("models", "Models", "accuracy and calibration by audits, over all time"):
        comparisons.guard_warning(known.guard)
        st.html(markup.versions_table(known.status))
        pairs = [words.on_pair(each) for each in known.status.pairs]
        if pairs:
            theme.section("On the same faces", "difference in accuracy · each bound 95%, at any time")
        for sentence in pairs[:PAIRS]:
            theme.plain(sentence)
        if pairs[PAIRS:]:
            with st.expander(f"{len(pairs) - PAIRS} more"):
                for sentence in pairs[PAIRS:]:
                    theme.plain(sentence)
        for trial in known.trials:
            if trial.verdict.proved:
                theme.plain(trial.verdict.reason)
            comparisons.promote_button(trial, f"promote-{trial.version}", f"Promote {trial.version}")
        comparisons.shadow_line()


def use(known: Statistics) -> None:
    """How much it is used, and how often people skip a playlist."""
    found = known.overview
    volume, music = st.columns([1.6, 1], gap="small")
    with volume, st.container(key="card-volume", height="stretch"):
        response = found.accuracy.response
        answered = f" · {response.k:,} of {response.n:,} audits answered" if response.n else ""
        step = time_charts.volume_step(found.days)
        theme.section("Volume", f"vibe checks per {step} · {found.predictions:,} in all{answered}")
        if found.days:
            theme.chart(time_charts.volume(found.days))
        else:
            theme.quiet("There are none in this period.")
        if known.keep.asked:
            theme.quiet(words.on_keeping(share(known.keep.agreed, known.keep.asked)))
    with music, theme.card("music", "Playlists skipped", "“Another one”, by mood shown"):
        st.html(markup.again_rows(found.plays))


def downloads(known: Statistics, examples: list) -> None:
    """Every table as CSV, and the whole as one page."""
    with st.container(horizontal=True, key="downloads"):
        with st.popover("Tables as CSV", icon=":material/download:"):
            for name, rows in tables(known.overview, known.status, examples).items():
                st.download_button(
                    name.replace("_", " ").capitalize(), partial(to_csv, rows), f"vibecheck-{name}.csv",
                    "text/csv", key=f"csv-{name}", on_click="ignore", disabled=not rows, width="stretch",
                )  # fmt: skip
        st.download_button(
            "Report as HTML", partial(report_of, known.overview), "vibecheck-report.html", "text/html",
            icon=":material/description:", key="report", on_click="ignore",
        )  # fmt: skip
