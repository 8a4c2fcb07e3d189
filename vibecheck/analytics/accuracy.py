"""Accuracy from audits: answers to vibe checks that were drawn at random to be asked about."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from vibecheck.analytics.shares import Difference, Share, change, share
from vibecheck.records.stats.results import Bin, DailyLabels, Day

# With fewer answers there is no headline: the interval would be wider than ±18 points.
ENOUGH = 30

# Steps with fewer labels from the random queue have no point on its line.
ENOUGH_DRAWN = 10

# How many answers the model's own confidence counts for in a bin of confidence.
PRIOR_ANSWERS = 10

STEPS = ("day", "week", "month")


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a period.

    `audited` is the accuracy by audits, `response` the share of audits that were answered, `change` the
    difference from the period before. `volunteered`, `labelled` and `drawn` are the accuracy by labels that
    visitors volunteered, that labellers gave, and those of these from the random queue.
    """

    audited: Share
    response: Share
    change: Difference | None
    volunteered: Share
    labelled: Share
    drawn: Share

    @property
    def missing(self) -> int:
        """How many more answers the headline needs."""
        return max(0, ENOUGH - self.audited.n)


@dataclass(frozen=True, slots=True)
class Point:
    """One step of the line: its first day, audited accuracy, number of predictions, and the estimate.

    `estimate` is the accuracy expected from recalibrated confidence, without labels; None without
    predictions. `drawn` is the accuracy by the random queue; None where it has too few labels.
    """

    start: date
    audited: Share
    predictions: int
    estimate: float | None
    drawn: Share | None = None


def accuracy(
    days: Sequence[Day], answers: Sequence[DailyLabels], before: Sequence[DailyLabels] = ()
) -> Accuracy:
    """The accuracy of a period; `before` are the answers of the period that it is compared with."""
    audited = _share(answers, "audit")
    asked = sum(day.audits for day in days)
    return Accuracy(
        audited=audited,
        # Records may be deleted between the two queries.
        response=share(min(audited.n, asked), asked),
        change=change(_share(before, "audit"), audited),
        volunteered=_share(answers, "volunteered"),
        labelled=_share(answers, "labeller"),
        drawn=_share(answers, "random"),
    )


def line(
    days: Sequence[Day], answers: Sequence[DailyLabels], bins: Sequence[Bin], last: date, step: str = "week"
) -> list[Point]:
    """The accuracy step by step up to the day `last`, oldest first, without gaps.

    A week is seven days, counted back from `last`, so that the last one is "this week"; a month is a
    calendar month. `bins` are audits by confidence, which recalibrate the estimate.
    """
    believed = recalibrated(bins)
    if not days and not answers:
        return []
    by_start: dict[date, tuple[list[Day], list[DailyLabels]]] = {}
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


def recalibrated(bins: Sequence[Bin]) -> list[float]:
    """For each of the 15 bins of confidence, how often the model is right there, 0 to 1.

    The mean of the answers and of the confidence itself, which counts for `PRIOR_ANSWERS`.
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


def _share(answers: Sequence[DailyLabels], kind: str) -> Share:
    mine = [answer for answer in answers if answer.kind == kind]
    return share(sum(a.correct for a in mine), sum(a.n for a in mine))
