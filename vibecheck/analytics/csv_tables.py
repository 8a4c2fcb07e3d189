"""The tables of the dashboard, as rows and as CSV."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from vibecheck.analytics.agreement import Agreement
from vibecheck.analytics.overview import ModelStatus, Overview
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import Example

Rows = list[dict[str, Any]]


def tables(overview: Overview, status: ModelStatus, examples: Sequence[Example] = ()) -> dict[str, Rows]:
    """All tables by name."""
    confusion = overview.confusion
    return {
        "accuracy": [
            {
                "from": point.start,
                **point.audited.named("accuracy"),
                "audits": point.audited.n,
                "right": point.audited.k,
                "visitors": point.audited.visitors,
                "predictions": point.predictions,
                "estimate": point.estimate,
                "random_queue": point.drawn.value if point.drawn else None,
                "random_queue_labels": point.drawn.n if point.drawn else None,
            }
            for point in overview.line
        ],
        "confusion": [
            {"label": label, **dict(zip(NAMES, row, strict=True))}
            for label, row in zip(NAMES, confusion.counts, strict=True)
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                "mistakes": pair.of_mistakes.k,
                "of": pair.of_mistakes.n,
                "low": pair.of_mistakes.low,
                "high": pair.of_mistakes.high,
            }
            for pair in confusion.pairs
        ],
        "slices": [
            {
                "what": each.what,
                "slice": each.name,
                **each.accuracy.named("accuracy"),
                "audits": each.accuracy.n,
                "p_value_holm": each.p_value,
                "significant": each.stands_out,
            }
            for each in overview.slices
        ],
        "calibration": [
            {"confidence": step.confidence, **step.accuracy.named("accuracy"), "audits": step.accuracy.n}
            for step in overview.calibration.steps
        ],
        "calibrations": [
            {
                "model": each.version,
                "from": each.from_when,
                "audits": each.n,
                "temperature": each.temperature,
                **{f"bias_{name}": bias for name, bias in zip(NAMES, each.bias, strict=True)},
                "later_audits": each.later,
                "loss_before": each.loss_before,
                "loss_after": each.loss_after,
                "error_before": each.error_before,
                "error_after": each.error_after,
            }
            for each in status.calibrations
        ],
        "drift": [
            {"signal": shift.title, "bin": name, "now": now, "before": before, "distance": shift.distance,
             "p_value_holm": shift.p_value, "drifts": shift.drifts}
            for shift in overview.drift.shifts
            for name, now, before in zip(shift.names, shift.now, shift.before, strict=True)
        ],
        "models": [
            {
                "model": each.version,
                "origin": each.origin,
                "first_day": each.first_used_at.date(),
                "last_day": each.last_day,
                "predictions": each.n,
                **each.accuracy.named("accuracy"),
                "audits": each.accuracy.n,
                "calibration_error": each.calibration.error,
                "latency_ms": each.latency_ms,
            }
            for each in status.versions
        ],
        "labeller_agreement": [agreement_row(status.agreement)] if status.agreement.labellers.n else [],
        "days": [
            {"day": day.day, "predictions": day.n, "audits": day.audits, "plays": day.plays}
            for day in overview.days
        ],
        "music": [
            {"mood": each.mood, "predictions": each.predictions, "plays": each.plays, "again": each.agains}
            for each in overview.plays
        ],
        "examples": _examples(examples),
        "labels_that_look_wrong": _examples(status.labels.suspects),
    }  # fmt: skip


def agreement_row(found: Agreement) -> dict[str, Any]:
    """How often labellers agree, and the model with them; unknown values are None."""
    kappa = found.kappa
    return {
        "faces": found.labellers.n,
        **found.labellers.named("labellers", "ci_low", "ci_high"),
        "kappa": kappa.value if kappa else None,
        "kappa_low": kappa.low if kappa else None,
        "kappa_high": kappa.high if kappa else None,
        **found.model.named("model", "model_low", "model_high"),
        "of_champion": found.of_champion,
    }


def _examples(examples: Sequence[Example]) -> Rows:
    columns = {"model_version": "model", "kind": "label_source"}  # the others are named as their fields
    return [{columns.get(name, name): value for name, value in asdict(each).items()} for each in examples]
