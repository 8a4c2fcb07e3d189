"""The dashboard as one self-contained HTML file, and its headline figures as JSON."""

from pathlib import Path
from typing import Any

import vl_convert

from vibecheck.analytics import charts, markup, time_charts, words
from vibecheck.analytics.chart_style import Spec
from vibecheck.analytics.csv_tables import agreement_row
from vibecheck.analytics.markup import section
from vibecheck.analytics.overview import ModelStatus, Overview

STYLE = Path(__file__).with_name("report.css").read_text(encoding="utf-8")


def figures(overview: Overview, status: ModelStatus) -> dict[str, Any]:
    """The headline figures as plain JSON; unknown values are null."""
    audited, drift = overview.accuracy.audited, overview.drift
    top = overview.confusion.pairs[0] if overview.confusion.pairs else None
    return {
        "period": overview.period,
        "predictions": overview.predictions,
        **audited.named("accuracy", "ci_low", "ci_high"),
        "audits": audited.n,
        "visitors": audited.visitors or 0,
        "response_rate": overview.accuracy.response.value,
        "top_confusion": None
        if top is None
        else {
            "moods": [top.first, top.second],
            "mistakes": top.of_mistakes.k,
            "of": top.of_mistakes.n,
            "ci_low": top.of_mistakes.low,
            "ci_high": top.of_mistakes.high,
        },
        "ece": overview.calibration.error,
        "drift": {
            "verdict": bool(drift.drifting) if drift.shifts else None,
            "signals": {shift.title: round(shift.distance, 4) for shift in drift.shifts},
        },
        "agreement": agreement_row(status.agreement),
        "retrain": {
            "recommended": status.retrain.recommended,
            "reasons": [check.reason for check in status.retrain.checks],
        },
    }


def sentences(overview: Overview, status: ModelStatus) -> list[str]:
    """The headline as sentences, one per line."""
    lines = [
        f"{answer.question}{'' if answer.question.endswith('?') else ':'} "
        f"{' '.join(filter(None, (answer.figure, answer.interval)))}. {answer.detail}"
        for answer in words.answers(overview)
    ]
    agree, drifts = words.on_agreement(status.agreement), words.on_drift(overview.drift)
    return [*lines, agree, f"Drift: {drifts}", f"Retrain? {status.retrain.sentence}"]


def page(overview: Overview, status: ModelStatus) -> str:
    """The report: text, and charts as inline SVG, without scripts or external resources."""
    scope = overview.scope
    only = "".join(f" · {each}" for each in (scope.model_version, scope.source) if each)
    live = [(model.first_used_at.date(), model.version) for model in status.versions]
    agreement, found = status.agreement, overview.calibration
    trend = time_charts.accuracy_line(overview.line, live, overview.step, agreement.ceiling)
    bias, agree = words.on_bias(overview.accuracy), words.on_agreement(agreement)
    note = f"Below the lines: audits answered. {bias} {agree}"
    parts = [
        *map(markup.answer_card, words.answers(overview)),
        section("Accuracy over time", note, _svg(trend) if overview.line else ""),
    ]
    if overview.confusion.total:
        matrix = _svg(charts.confusion_matrix(overview.confusion))
        parts.append(section("Confusion matrix", "Rows: what people said; per cent of the row.", matrix))
    if overview.confusion.pairs:
        parts.append(section("Most confused pairs", "", _svg(charts.pair_bars(overview.confusion))))
    slices = markup.slice_rows(overview.slices)
    parts.append(section("Error slices", "Worst first; *: statistically significant.", slices))
    if found.n:
        note = (
            f"{words.on_confidence(found, overview.accuracy.audited)} "
            f"Expected calibration error {found.error:.3f} ({found.low:.3f} to {found.high:.3f}). "
            f"{words.on_learned(status.calibrations, status.own_audits)}"
        ).strip()
        histogram = _svg(charts.confidence_histogram(found))
        parts.append(section("Calibration", note, _svg(charts.reliability(found))))
        parts.append(section("Confidence of right and wrong answers", "", histogram))
    moved = overview.drift.drifting or overview.drift.shifts
    drifted = _svg(charts.drift_bars(moved[0])) if moved else ""
    verdict = "Yes." if status.retrain.recommended else "Not yet."
    pairs = " ".join(map(words.on_pair, status.pairs))
    parts += [
        section("Drift", words.on_drift(overview.drift), drifted),
        section("Retrain?", verdict, markup.checklist(status.retrain)),
        section("Models", pairs, markup.versions_table(status)),
    ]
    if overview.days:
        step = time_charts.volume_step(overview.days)
        note = f"Vibe checks per {step}, {overview.predictions:,} in all."
        parts.append(section("Volume", note, _svg(time_charts.volume(overview.days))))
    skipped = markup.again_rows(overview.plays)
    parts.append(section("Playlists skipped", "Share of playlists, by mood shown.", skipped))
    about = (
        f"VibeCheck, {words.WHEN[overview.period]}, as of {scope.until}{only}. Measured "
        "by audits, vibe checks drawn at random to ask “Was this right?”. Days in UTC."
    )
    return markup.document("How good is it, really?", about, parts, STYLE)


def _svg(chart: Spec) -> str:
    """The chart as inline SVG, without scripts, so that it can be printed and mailed."""
    return vl_convert.vegalite_to_svg(chart | {"width": 800, "padding": 14}, show_warnings=False)
