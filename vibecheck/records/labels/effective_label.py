"""The effective label of a prediction: the newest, and a labeller's before a visitor's; never a second one.

The rule is written twice, in Python and in SQL, both here.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, exists, or_

from vibecheck.records.db.tables import feedback
from vibecheck.records.values import SECOND, Feedback

OVERRULES = "labeller"


def effective_label(given: Iterable[Feedback]) -> Feedback | None:
    """The effective one of a prediction's labels, or None if there are none."""
    candidates = (each for each in given if each.source != SECOND)
    return max(candidates, key=lambda each: (each.source == OVERRULES, each.n), default=None)


def is_effective() -> ColumnElement[bool]:
    """Whether a row of `feedback` is the effective label of its prediction."""
    other = feedback.alias("better")
    labeller = feedback.c.source == OVERRULES
    better = or_(
        and_(other.c.source == OVERRULES, ~labeller),
        and_((other.c.source == OVERRULES) == labeller, other.c.n > feedback.c.n),
    )
    better_exists = exists().where(
        other.c.prediction_id == feedback.c.prediction_id, other.c.source != SECOND, better
    )
    return and_(feedback.c.source != SECOND, ~better_exists)
