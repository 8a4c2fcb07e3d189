"""Accuracy from audits: answers to “Was this right?”, asked of vibe checks that were drawn at random."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from vibecheck.analytics.shares import Difference, Share, change, over_visitors, share
from vibecheck.records.stats.bins import CONFIDENCE_BINS
from vibecheck.records.stats.results import Bin, Day, LabelTally, VisitorTally
from vibecheck.records.stats.steps import first_day, next_step

# With fewer answers there is no headline: the interval would be wider than ±18 points.
ENOUGH = 30

# Steps with fewer labels from the random queue have no point on its line.
ENOUGH_DRAWN = 10

# In each confidence bin, the model's own confidence counts as this many answers.
PRIOR_ANSWERS = 10


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The accuracy of a period.

    `audited` is the accuracy by audits, `response` the share of audits that were answered, `change` the
    difference from the previous period. `volunteered`, `labelled` and `drawn` are the accuracy by labels that
    visitors volunteered, that labellers gave, and that labellers gave in the random queue.
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
    days: Sequence[Day],
    answers: Mapping[str, LabelTally],
    audited: VisitorTally,
    drawn: VisitorTally,
    before: VisitorTally,
) -> Accuracy:
    """The accuracy of a period; `drawn` is by its random queue, `before` by the audits before it.

    `answers` are its labels by kind.
    """
    asked = sum(day.audits for day in days)
    answered = answers.get("audit", LabelTally()).given
    found = over_visitors(audited)
    return Accuracy(
        audited=found,
        # Records may be deleted between two queries.
        response=share(min(answered, asked), asked),
        change=change(over_visitors(before), found),
        volunteered=_share(answers, "volunteered"),
        labelled=_share(answers, "labeller"),
        drawn=over_visitors(drawn),
    )


def line(
    days: Sequence[Day],
    audited: Mapping[date, VisitorTally],
    drawn: Mapping[date, VisitorTally],
    bins: Sequence[Bin],
    last: date,
    step: str = "week",
) -> list[Point]:
    """The accuracy step by step up to the day `last`, oldest first, without gaps.

    A week is seven days, counted back from `last`, so that the last one is "this week"; a month is a
    calendar month. `audited` and `drawn` are by the first day of their step; `bins` are audits by confidence,
    which recalibrate the estimate.
    """
    believed = recalibrated(bins)
    by_start: dict[date, list[Day]] = {start: [] for start in (*audited, *drawn)}
    for day in days:
        by_start.setdefault(first_day(day.day, last, step), []).append(day)
    if not by_start:
        return []
    points = []
    start = min(by_start)
    while start <= last:
        here = by_start.get(start, [])
        n = sum(day.n for day in here)
        sums = [sum(column) for column in zip(*(day.bins for day in here), strict=True)]
        counted = sum(sums)
        estimate = sum(a * b for a, b in zip(sums, believed, strict=True)) / counted if counted else None
        random = over_visitors(drawn.get(start, VisitorTally()))
        enough = random if random.n >= ENOUGH_DRAWN else None
        points.append(Point(start, over_visitors(audited.get(start, VisitorTally())), n, estimate, enough))
        start = next_step(start, step)
    return points


def recalibrated(bins: Sequence[Bin]) -> list[float]:
    """For each of the 15 bins of confidence, how often the model is right there, 0 to 1.

    The mean of the answers and of the confidence itself, which counts for `PRIOR_ANSWERS`.
    """
    result = [(number + 0.5) / CONFIDENCE_BINS for number in range(CONFIDENCE_BINS)]
    for each in bins:
        prior = PRIOR_ANSWERS * result[each.number]
        result[each.number] = (each.right + prior) / (each.weight + PRIOR_ANSWERS)
    return result


def _share(answers: Mapping[str, LabelTally], kind: str) -> Share:
    mine = answers.get(kind, LabelTally())
    return share(mine.correct, mine.n)
