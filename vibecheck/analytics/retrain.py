"""Whether it is time to train a new model: a checklist, with a reason for each answer."""

from dataclasses import dataclass
from datetime import date

from vibecheck.analytics.drift import Drift
from vibecheck.analytics.shares import Share

# Below a hundred new labels, fine-tuning moved accuracy by less than its own noise.
NEEDED_LABELS = 100
COOLDOWN_DAYS = 7


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the list. `passed` is None where it only asks for attention."""

    passed: bool | None
    reason: str


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether to retrain, and why."""

    recommended: bool
    checks: tuple[Check, ...]

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        if self.recommended:
            return "Yes: there is a reason, and enough to learn from."
        return f"Not yet: {_lower(next(check.reason for check in self.checks if check.passed is False))}"


def advice(
    *,
    audited: Share,
    promise: float | None,
    drift: Drift,
    new_labels: int,
    suspects: int,
    live_since: date | None,
    today: date,
) -> Advice:
    """Whether to retrain the champion, which is live since `live_since` and promised `promise`.

    `audited` are its audits; `new_labels` were given since it is live, `suspects` of them look wrong.
    There must be enough clean labels, a reason (too many mistakes, or drift), and a pause since the
    last time. Labels that look wrong are not counted, and do not stand in the way.
    """
    clean = max(0, new_labels - suspects)
    checks = (
        _labels(clean),
        _reason(audited, promise, drift),
        _pause(live_since, today),
        _suspects(suspects),
    )
    return Advice(all(check.passed is not False for check in checks), checks)


def _labels(clean: int) -> Check:
    if clean >= NEEDED_LABELS:
        return Check(True, f"{clean:,} clean new labels (needs {NEEDED_LABELS}).")
    return Check(False, f"Only {clean} of the {NEEDED_LABELS} clean new labels that it needs.")


def _reason(audited: Share, promise: float | None, drift: Drift) -> Check:
    moved = ", ".join(shift.title.lower() for shift in drift.drifting)
    if promise is not None and audited.n and audited.high < promise:
        return Check(True, f"Accuracy's upper bound {audited.high:.0%} is under the promised {promise:.0%}.")
    if moved:
        return Check(True, f"What comes in has drifted: {moved}.")
    if promise is None:
        return Check(False, "No accuracy was promised for this model, and nothing drifts.")
    if not audited.n:
        return Check(False, "Nobody has been asked about this model yet, and nothing drifts.")
    return Check(
        False, f"Accuracy may be the promised {promise:.0%} (up to {audited.high:.0%}), and nothing drifts."
    )


def _pause(live_since: date | None, today: date) -> Check:
    if live_since is None:
        return Check(True, "No model has gone live here yet.")
    days = (today - live_since).days
    spoken = f"{days} day{'s' * (days != 1)} since this model went live (needs {COOLDOWN_DAYS})."
    return Check(days >= COOLDOWN_DAYS, spoken)


def _suspects(suspects: int) -> Check:
    if not suspects:
        return Check(True, "No label looks wrong.")
    looks = "label looks" if suspects == 1 else "labels look"
    return Check(None, f"{suspects:,} {looks} wrong: review them first.")


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
