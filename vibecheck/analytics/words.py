"""The figures in sentences: the same on the page, in the report and on the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from vibecheck.analytics.accuracy import ENOUGH, Accuracy
from vibecheck.analytics.agreement import ENOUGH_PAIRS, Agreement
from vibecheck.analytics.calibration import Calibration
from vibecheck.analytics.calibration_fit import FEWEST
from vibecheck.analytics.confusion import Confusion
from vibecheck.analytics.drift import ENOUGH as ENOUGH_FOR_DRIFT
from vibecheck.analytics.drift import MOODS, Drift
from vibecheck.analytics.model_comparison import PairedComparison
from vibecheck.analytics.overview import Overview
from vibecheck.analytics.shares import Share
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.text.plurals import counted
from vibecheck.vision.temperature_scaling import NO_BIAS

WHEN = {"week": "this week", "4 weeks": "in 4 weeks", "12 weeks": "in 12 weeks", "all": "over all time"}
BEFORE = {"week": "last week", "4 weeks": "the 4 weeks before", "12 weeks": "the 12 weeks before"}

# A calibration error below this is called small.
SMALL_ERROR = 0.03
# Confidence is said to be calibrated where the error is less than this, by its interval.
LARGEST_ERROR = 0.1
# With a lower response rate, what the unanswered audits could change is said.
MOST_ANSWERED = 0.8
# A bin of confidence with fewer answers than this is not mentioned.
ENOUGH_IN_BIN = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer to a question: the figure, its interval, a line of detail, and the moods in the figure."""

    question: str
    figure: str
    interval: str
    detail: str
    moods: tuple[str, ...] = ()


def interval(share: Share) -> str:
    """A share's interval in per cent, such as 66–81%."""
    return f"{share.low * 100:.0f}–{share.high * 100:.0f}%"


def answers(overview: Overview) -> tuple[Answer, ...]:
    """The three headlines."""
    return (
        on_accuracy(overview.accuracy, overview.period),
        on_confusion(overview.confusion),
        on_calibration(overview.calibration),
    )


def on_accuracy(found: Accuracy, period: str) -> Answer:
    """The headline: how often it was right."""
    question = f"Accuracy with users {WHEN[period]}"
    audited = found.audited
    audits = counted(audited.n, "audit")
    if audited.visitors:
        audits += f" of {counted(audited.visitors, 'visitor')}"
    if found.response.n:
        audits += f" · {found.response.value:.0%} answered"
    if found.missing:
        so_far = "No audit has been answered yet."
        if audited.n:
            so_far = f"{audited.k} of {audited.n} right so far."
        later = f"Accuracy is shown once there are {ENOUGH} answers."
        more = counted(found.missing, "more answer")
        return Answer(question, more, "", f"{so_far} {later}")
    return Answer(question, f"{audited.value:.0%}", interval(audited), f"{audits}{_change(found, period)}")


def on_bias(found: Accuracy) -> str:
    """What the headline's interval leaves out: who did not answer, volunteered and labellers' labels."""
    parts, answered = [], found.response.value or 0.0
    if not found.missing and 0 < answered < MOST_ANSWERED:
        least = answered * (found.audited.value or 0.0)
        parts.append(
            f"{answered:.0%} of audits were answered. The interval assumes that the others are alike; "
            f"whatever they are, accuracy is between {least:.0%} and {least + 1 - answered:.0%}."
        )
    if found.volunteered.n:
        parts.append(
            f"Volunteered: {found.volunteered.value:.0%} right of {found.volunteered.n:,}. Biased: people "
            "who see a mistake correct it, people who see none move on."
        )
    if found.labelled.n:
        parts.append(f"Labellers: {found.labelled.value:.0%} right of {found.labelled.n:,}.")
    if found.drawn.n:
        parts.append(
            f"Of these, {found.drawn.n:,} are from the random queue, labelled without seeing the model's "
            f"answer: {found.drawn.value:.0%} right ({interval(found.drawn)})."
        )
    return " ".join(parts)


def on_agreement(found: Agreement) -> str:
    """How often labellers agree, the benchmark for accuracy."""
    people = found.labellers
    if found.missing:
        return (
            f"Labeller agreement is not known yet: {people.n} of {ENOUGH_PAIRS} faces were labelled by two "
            "people. One in ten faces of the random queue is shown to a second labeller."
        )
    beyond = ""
    if found.kappa:
        beyond = f" (κ {found.kappa.value:.2f}, {found.kappa.low:.2f} to {found.kappa.high:.2f})"
    model = "the model agrees" if found.of_champion else "the models so far agree"
    return (
        f"Labellers agree on {people.value:.0%}{beyond}; {model} with them on {found.model.value:.0%} "
        f"({interval(found.model)}), by {people.n:,} faces that two people labelled."
    )


def on_keeping(agreed: Share) -> str:
    """How often visitors agreed to keep the face crop of a mood that they corrected."""
    return (
        f"“Keep this face crop?”, asked after a correction: {agreed.value:.0%} said yes ({interval(agreed)}; "
        f"{agreed.k:,} of {agreed.n:,}, over all time)."
    )


def on_confusion(found: Confusion) -> Answer:
    """Which two moods are most often confused."""
    question = "Most often confused"
    if not found.total:
        return Answer(question, "Not known yet", "", "It is computed from answered audits.")
    if not found.pairs:
        return Answer(question, "None", "", f"No mistake in {counted(found.total, 'answer')}.")
    top = found.pairs[0]
    share = top.of_mistakes
    mistakes = f"{share.k:,} of {counted(share.n, 'mistake')}"
    return Answer(
        question, f"{top.first.title()} and {top.second}", "", f"{mistakes} ({interval(share)})",
        (top.first, top.second),
    )  # fmt: skip


def on_calibration(found: Calibration) -> Answer:
    """Whether its confidence is calibrated."""
    question = "Can its confidence be trusted?"
    if found.error is None or found.n < ENOUGH:
        return Answer(question, "Not known yet", "", f"{found.n} of {ENOUGH} answers needed.")
    low, high = (found.low or 0.0) * 100, (found.high or 0.0) * 100
    figure, detail = "No error proved", "The differences are within noise"
    if low > 0:
        figure, detail = f"Off by {counted(round(found.error * 100), 'point')}", _direction(found)
    if high < LARGEST_ERROR * 100 and (low == 0 or found.error < SMALL_ERROR):
        figure = f"Yes, within {counted(max(1, round(high)), 'point')}"
    return Answer(question, figure, f"{low:.0f}–{high:.0f}", detail)


def on_confidence(found: Calibration, audited: Share) -> str:
    """The model's confidence and how often it is right, if the two clearly differ; else empty."""
    if found.bias is None or audited.value is None or audited.n < ENOUGH:
        return ""
    says = audited.value + found.bias
    if audited.low <= says <= audited.high or abs(found.bias) < SMALL_ERROR:
        return ""
    return f"It says {says:.0%} and is right in {audited.value:.0%} ({interval(audited)})."


def on_learned(learned: Sequence[LearnedCalibration], audits: int) -> str:
    """Whether the model in use is calibrated on its own audits; `audits` is their number."""
    if not learned:
        if audits < FEWEST:
            return f"Calibration on audits starts when this model has {FEWEST} of them: {audits} so far."
        return "Calibrated as shipped: nothing learned from its audits predicted later ones clearly better."
    now = learned[0]
    since = written(now.from_when)
    if now.shipped:
        return f"Calibrated as shipped again since {since}: that predicted the latest audits better."
    bias = "" if now.bias == NO_BIAS else " and a bias for each mood"
    return (
        f"Calibrated since {since} on {now.n:,} audits: temperature {now.temperature:.2g}{bias}. On audits "
        f"after those it was fitted to, its error was {now.error_before * 100:.1f} points before and "
        f"{now.error_after * 100:.1f} after."
    )


def on_drift(found: Drift) -> str:
    """Whether the input drifts, and in which signals."""
    if not found.shifts:
        return (
            f"Not known yet: needs {ENOUGH_FOR_DRIFT} vibe checks now and {ENOUGH_FOR_DRIFT} before "
            f"(there are {found.now:,} and {found.before:,})."
        )
    replaced = ""
    if all(shift.title != MOODS for shift in found.shifts):
        replaced = " Moods and confidence are not compared: the model changed in that time."
    if not found.drifting:
        return f"No drift: the differences are within noise or too small to matter.{replaced}"
    parts = [
        f"{shift.title.lower()} ({shift.names[shift.grown]}: {shift.before[shift.grown]:.0%} → "
        f"{shift.now[shift.grown]:.0%})"
        for shift in found.drifting
    ]
    return f"Drift in {', '.join(parts)}.{replaced}"


def on_pair(found: PairedComparison) -> str:
    """How two models compare on the same faces; `second` is the one that is ahead."""
    seen = found.seen
    ahead = round(100 * (seen.challenger - seen.champion) / seen.n)
    bounds = f"{_points(seen.low)} to {_points(seen.high)}"
    labels = f"on {counted(seen.n, 'label')}"
    if not ahead:
        return f"{found.first} and {found.second} are equally accurate so far ({bounds} points), {labels}."
    points = counted(ahead, "point")
    so_far, perhaps = ("", "") if seen.low > 0 else (" so far", ", so perhaps not")
    return f"{found.second} is {points} ahead of {found.first}{so_far} ({bounds}{perhaps}), {labels}."


def written(day: date) -> str:
    """A day, as 3 Mar 2026."""
    return f"{day.day} {day:%b %Y}"


def written_time(moment: datetime) -> str:
    """A moment in UTC, as 3 Mar 2026, 12:30 UTC."""
    return f"{written(moment)}, {moment:%H:%M} UTC"


def _points(difference: float) -> str:
    return f"{round(100 * difference)}".replace("-", "−")


def _change(found: Accuracy, period: str) -> str:
    if found.change is None or period not in BEFORE:
        return ""
    points = round(found.change.points * 100)
    size = f"{points:+d} pt{'s' * (abs(points) != 1)}".replace("-", "−")
    noise = "significant" if found.change.significant else "within noise"
    return f" · {size} on {BEFORE[period]}, {noise}"


def _direction(found: Calibration) -> str:
    enough = [step for step in found.steps if step.accuracy.n >= ENOUGH_IN_BIN]
    over = [step for step in enough if step.confidence > step.accuracy.high]
    bias = found.bias or 0.0
    if over and bias > 0:
        return f"Overconfident where it says {over[-1].confidence:.0%}"
    if bias < -SMALL_ERROR:
        return "Underconfident: it is right more often than it says"
    if bias > SMALL_ERROR:
        return "Overconfident"
    return "On average, right as often as it says"
