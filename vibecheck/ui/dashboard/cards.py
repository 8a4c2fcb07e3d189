"""The dashboard's cards: words first, charts second."""

import streamlit as st

from vibecheck.analytics import charts, markup, time_charts, words
from vibecheck.analytics.chart_style import Chart
from vibecheck.analytics.tables import tables
from vibecheck.emotions import BY_NAME
from vibecheck.ui.dashboard.statistics import STEPS, Statistics
from vibecheck.ui.shared import theme

FINE_TUNE = "pages/3_Fine-tune.py"
SLICES = 8


def headline(shown: Statistics) -> None:
    """Three questions, three answers."""
    st.html(theme.CARDS)
    found = shown.overview
    answers = (
        words.on_accuracy(found.accuracy, found.period),
        words.on_confusion(found.confusion),
        words.on_calibration(found.calibration),
    )
    for column, answer in zip(st.columns(3, gap="small"), answers, strict=True):
        with column, st.container(key=f"card-answer-{answers.index(answer)}", height="stretch"):
            st.html(markup.answer_card(answer))


def trend(shown: Statistics) -> None:
    """Accuracy step by step."""
    found = shown.overview
    with st.container(key="card-trend", height="stretch"):
        with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
            note = "band: 95% · dashed: estimate without labels · below: audits"
            blue = " · blue: labellers' random queue" * any(point.drawn for point in found.line)
            _title("Accuracy over time", note + blue)
            st.segmented_control(
                "Step", list(STEPS), format_func=STEPS.get, default="week", required=True, key="step",
                label_visibility="collapsed", width="content",
            )  # fmt: skip
        if found.line:
            live = [(version.first_day, version.name) for version in shown.standing.versions]
            _draw(time_charts.accuracy_line(found.line, live, found.step))
        else:
            theme.quiet("The line begins with the first vibe check.")
        if bias := words.on_bias(found.accuracy):
            theme.quiet(bias)


def matrix(shown: Statistics) -> tuple[str, str] | None:
    """The confusion matrix; returns the cell that was pressed: what people said, and what was shown."""
    with st.container(key="card-matrix", height="stretch"):
        _title("Where it goes", "row: what people said · % of row · press a cell for its pictures")
        if not shown.overview.confusion.total:
            theme.quiet("It takes answers from people who were asked.")
            return None
        chart = charts.confusion_matrix(shown.overview.confusion)
        event = st.altair_chart(
            chart,
            alt=chart.description,
            theme=None, on_select="rerun", selection_mode=charts.PICK, key="matrix",
        )  # fmt: skip
        picked = event.selection.get(charts.PICK) or []
        if not picked or "label" not in picked[0]:
            return None
        names = {emotion.title: name for name, emotion in BY_NAME.items()}
        return names[picked[0]["label"]], names[picked[0]["mood"]]


def pairs(shown: Statistics) -> None:
    """The most confused pairs as bars."""
    with st.container(key="card-pairs", height="stretch"):
        _title("Taken for each other", "share of all mistakes · line: 95%")
        if shown.overview.confusion.pairs:
            _draw(charts.pair_bars(shown.overview.confusion))
        else:
            theme.quiet("No mistakes were reported by people who were asked.")


def fails(shown: Statistics) -> None:
    """Accuracy by slice, worst first."""
    with st.container(key="card-fails", height="stretch"):
        _title("Where it fails", "worst first · strip: 95% · *: more than noise")
        st.html(markup.slice_rows(shown.overview.slices, SLICES))
        rest = len(shown.overview.slices) - SLICES
        if rest > 0:
            with st.expander(f"{rest} more"):
                st.html(markup.slice_rows(shown.overview.slices[SLICES:], rest))


def retrain(shown: Statistics) -> None:
    """Whether it is time to train the next model."""
    advice, standing = shown.standing.retrain, shown.standing
    with st.container(key="card-retrain", height="stretch"):
        _title("Time to retrain?", f"for {standing.champion.version}")
        st.html(f'<div class="vcd-verdict">{"Yes." if advice.recommended else "Not yet."}</div>')
        st.html(markup.checklist(advice))
        if st.button(
            "Fine-tune with these labels",
            type="primary" if advice.recommended else "secondary",
            key="retrain",
        ):
            since = next(
                (v.first_day for v in standing.versions if v.name == standing.champion.version), None
            )
            st.session_state.fine_tune = {"labels_since": since}
            st.switch_page(FINE_TUNE)


def confidence(shown: Statistics) -> None:
    """The reliability diagram, and how sure it was when right and when wrong."""
    found = shown.overview.calibration
    with st.container(key="card-confidence", height="stretch"):
        _title("Can its confidence be trusted?", "on the dashed line it is as good as it says")
        if found.error is None:
            theme.quiet("It takes answers from people who were asked.")
            return
        theme.quiet(
            f"Expected calibration error {found.error * 100:.1f} points ({found.low * 100:.1f} to "
            f"{found.high * 100:.1f}), from {found.n:,} audits."
        )
        _draw(charts.reliability(found))
        _draw(charts.confidence_histogram(found))


def drift(shown: Statistics) -> None:
    """Whether what comes in has changed."""
    found = shown.overview.drift
    with st.container(key="card-drift", height="stretch"):
        _title("Is something drifting?", "now against the time before")
        st.html(f'<div class="vcd-detail">{markup.escape(words.on_drift(found))}</div>')
        if not found.enough:
            return
        distances = {shift.title: f"{shift.title} · {shift.distance:.2f}" for shift in found.shifts}
        chosen = st.selectbox(
            "Signal, with its Jensen–Shannon distance (0.10 is notable)", list(distances),
            format_func=distances.get, key="signal",
        )  # fmt: skip
        _draw(charts.drift_bars(next(shift for shift in found.shifts if shift.title == chosen)))


def models(shown: Statistics) -> None:
    """The models side by side."""
    with st.container(key="card-models"):
        _title("Models side by side", "accuracy and calibration by audits, over all time")
        if not shown.standing.versions:
            theme.quiet("No model has made a prediction here yet.")
            return
        st.html(markup.versions_table(shown.standing))


def use(shown: Statistics) -> None:
    """How much it is used, and what people do with the music."""
    found = shown.overview
    volume, music = st.columns([1.6, 1], gap="small")
    with volume, st.container(key="card-volume", height="stretch"):
        response = found.accuracy.response
        answered = f" · {response.k:,} of {response.n:,} audits answered" if response.n else ""
        _title(
            f"Vibe checks a {time_charts.volume_step(found.days)}", f"{found.predictions:,} in all{answered}"
        )
        if found.days:
            _draw(time_charts.volume(found.days))
        else:
            theme.quiet("There are none in this time.")
    with music, st.container(key="card-music", height="stretch"):
        _title("Another one, please", "playlists asked for again, by mood shown")
        st.html(markup.again_rows(found.plays))


def downloads(shown: Statistics, examples: list) -> None:
    """Every table as CSV, and the whole as one page."""
    from vibecheck.ui.dashboard.report_download import report_of

    with st.container(horizontal=True, key="downloads"):
        with st.popover("Tables as CSV", icon=":material/download:"):
            for name, rows in tables(shown.overview, shown.standing, examples).items():
                st.download_button(
                    name.replace("_", " ").capitalize(), _csv_of(rows), f"vibecheck-{name}.csv", "text/csv",
                    key=f"csv-{name}", on_click="ignore", disabled=not rows, width="stretch",
                )  # fmt: skip
        st.download_button(
            "Report as HTML", report_of(shown.overview), "vibecheck-report.html", "text/html",
            icon=":material/description:", key="report", on_click="ignore",
        )  # fmt: skip


def _csv_of(rows: list[dict]):
    from vibecheck.analytics.tables import to_csv

    return lambda: to_csv(rows)


def _title(title: str, note: str) -> None:
    st.html(
        f'<h2 class="vcd-title">{markup.escape(title)} <span>{markup.escape(note)}</span></h2>',
        width="content",
    )


def _draw(chart: Chart) -> None:
    st.altair_chart(chart, theme=None, width="stretch", alt=chart.description)
