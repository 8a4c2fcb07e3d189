"""How often the model was right, by what people answered who were asked at random."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from vibecheck.analytics.shares import Difference, Share, change, share
from vibecheck.records.stats.results import Answers, Bin, Day

# Fewer answers than this say nothing that a headline should repeat: the interval is ±18 points.
ENOUGH = 30

# Fewer labels from the random queue than this make no point of their own on the line.
ENOUGH_DRAWN = 10

# How many answers the model's own confidence weighs against, in a bin where people answered.
PRIOR_ANSWERS = 10

STEPS = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a time, and what it rests on.

    `audited` is the accuracy, `response` the share of those asked who answered, `change` that against
    the time before, `volunteered` the share of right ones among labels that nobody asked for, `drawn` that
    among labels of the labellers' random queue.
    """

    audited: Share
    response: Share
    change: Difference | None
    volunteered: Share
    labelled: Share
    drawn: Share

    @property
    def missing(self) -> int:
        """How many answers are missing before there is a headline."""
        return max(0, ENOUGH - self.audited.n)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the line: its first day, what was audited, how many predictions, and the estimate.

    `estimate` is what the calibrated confidence makes expect, with labels or without; None without
    predictions. `drawn` is what the labellers' random queue says; None where it says too little.
    """

    start: date
    audited: Share
    predictions: int
    estimate: float | None
    drawn: Share | None = None


def accuracy(days: Sequence[Day], answers: Sequence[Answers], before: Sequence[Answers] = ()) -> Accuracy:
    """The accuracy of a time; `before` are the answers of the time that it is compared with."""
    audited = _share(answers, "audit")
    asked = sum(day.audits for day in days)
    return Accuracy(
        audited=audited,
        # Deleted while it was counted: never more answers than questions.
        response=share(min(audited.n, asked), asked),
        change=change(_share(before, "audit"), audited),
        volunteered=_share(answers, "volunteered"),
        labelled=_share(answers, "labeller"),
        drawn=_share(answers, "random"),
    )


def line(
    days: Sequence[Day], answers: Sequence[Answers], bins: Sequence[Bin], last: date, step: str = "week"
) -> list[Point]:
    """The accuracy step by step up to the day `last`, oldest first, without gaps.

    A week is seven days that end like `last` does, so that the last one is "this week"; a month is one
    of the calendar. `bins` are the audits that say how far confidence can be believed.
    """
    believed = believable(bins)
    if not days and not answers:
        return []
    by_start: dict[date, tuple[list[Day], list[Answers]]] = {}
    for day in days:
        by_start.setdefault(first_day(day.day, last, step), ([], []))[0].append(day)
    for answer in answers:
        by_start.setdefault(first_day(answer.day, last, step), ([], []))[1].append(answer)
    points = []
    start = min(by_start)
    while start <= last:
        here, audits = by_start.get(start, ([], []))
        n = sum(day.n for day in here)
        sums = [sum(column) for column in zip(*(day.bins for day in here), strict=True)]
        estimate = sum(a * b for a, b in zip(sums, believed, strict=True)) / n if n else None
        drawn = _share(audits, "random")
        enough = drawn if drawn.n >= ENOUGH_DRAWN else None
        points.append(Point(start, _share(audits, "audit"), n, estimate, enough))
        start = next_step(start, step)
    return points


def believable(bins: Sequence[Bin]) -> list[float]:
    """For each of the 15 bins of confidence, how often the model is right there, 0 to 1.

    Where nobody answered that is the confidence itself; each answer weighs against it.
    """
    result = []
    for number in range(15):
        here = [b for b in bins if b.number == number]
        n, correct = sum(b.n for b in here), sum(b.correct for b in here)
        middle = (number + 0.5) / 15
        result.append((correct + PRIOR_ANSWERS * middle) / (n + PRIOR_ANSWERS))
    return result


def first_day(day: date, last: date, step: str) -> date:
    """The first day of the step that a day lies in."""
    match step:
        case "day":
            return day
        case "week":
            return day - timedelta(days=(day - last - timedelta(days=1)).days % 7)
        case "month":
            return day.replace(day=1)
    raise ValueError(f"a step must be one of {STEPS}, not {step!r}")


def next_step(start: date, step: str) -> date:
    """The first day of the step after the one that starts on a day."""
    if step == "month":
        return (start + timedelta(days=31)).replace(day=1)
    return start + timedelta(days=7 if step == "week" else 1)


def _share(answers: Sequence[Answers], kind: str) -> Share:
    mine = [answer for answer in answers if answer.kind == kind]
    return share(sum(a.correct for a in mine), sum(a.n for a in mine))
