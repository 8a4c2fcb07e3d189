"""Whether to train a new model: a checklist with a reason for each answer."""

from dataclasses import dataclass
from datetime import date

from vibecheck.analytics.drift import Drift
from vibecheck.analytics.shares import Share
from vibecheck.text.plurals import counted

# With fewer new labels, fine-tuning changed accuracy by less than its own noise.
NEEDED_LABELS = 100
COOLDOWN_DAYS = 7


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. `passed` is None for a line that is only for information."""

    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to retrain, and why or why not."""

    recommended: bool
    checks: tuple[Check, ...]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        if self.recommended:
            return "Yes: there is a reason, and there are enough labels."
        reason = next(check.reason for check in self.checks if check.passed is False)
        return f"Not yet: {reason[0].lower()}{reason[1:]}"


def advice(
    *,
    audited: Share,
    promise: float | None,
    drift: Drift,
    labels: int,
    suspects: int,
    live_since: date | None,
    today: date,
) -> Advice:
    """Whether to retrain the champion, live since `live_since`; `promise` is its held-out accuracy.

    `audited` is its audited accuracy; `labels` counts usable ones that it has not been trained on, `suspects`
    those that look wrong, which do not prevent retraining. There must be enough labels, a reason (accuracy
    too low, or drift), and a pause since the last change.
    """
    reason, pause = _reason(audited, promise, drift), _pause(live_since, today)
    checks = (_labels(labels), reason, pause, _suspects(suspects))
    return Advice(all(check.passed is not False for check in checks), checks)


def _labels(labels: int) -> Check:
    if labels >= NEEDED_LABELS:
        return Check(True, f"{labels:,} usable new labels (needs {NEEDED_LABELS}).")
    return Check(False, f"Only {labels} usable new labels of the {NEEDED_LABELS} needed.")


def _reason(audited: Share, promise: float | None, drift: Drift) -> Check:
    moved = ", ".join(shift.title.lower() for shift in drift.drifting)
    if promise is not None and audited.n and audited.high < promise:
        return Check(True, f"Accuracy is at most {audited.high:.0%}, below {promise:.0%} on held-out data.")
    if moved:
        return Check(True, f"Input drift: {moved}.")
    if promise is None:
        return Check(False, "No held-out accuracy is known for this model, and there is no drift.")
    if not audited.n:
        return Check(False, "No audits of this model have been answered yet, and there is no drift.")
    return Check(
        False,
        f"Accuracy ({audited.high:.0%} at most) is consistent with the {promise:.0%} on held-out data, and "
        "there is no drift.",
    )


def _pause(live_since: date | None, today: date) -> Check:
    if live_since is None:
        return Check(True, "No model has gone live yet.")
    days = (today - live_since).days
    text = f"{counted(days, 'day')} since this model went live (needs {COOLDOWN_DAYS})."
    return Check(days >= COOLDOWN_DAYS, text)


def _suspects(suspects: int) -> Check:
    if not suspects:
        return Check(True, "No label looks wrong.")
    looks = "label looks" if suspects == 1 else "labels look"
    return Check(None, f"{suspects:,} {looks} wrong: review them first.")
