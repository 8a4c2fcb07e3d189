"""Which of a prediction's labels is to be believed: the newest; a labeller's over a visitor's.

The rule stands here twice, for values and for the database, and nowhere else.
"""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, and_, exists, or_

from vibecheck.records.db.tables import feedback
from vibecheck.records.values import Feedback

OVERRULES = "labeller"


def holds(given: Iterable[Feedback]) -> Feedback | None:
    """The label of one prediction that holds, or None where there is none."""
    return max(given, key=lambda each: (each.source == OVERRULES, each.n), default=None)


def label_holds() -> ColumnElement[bool]:
    """Whether a row of `feedback` is the label of its prediction that holds."""
    other = feedback.alias("better")
    labeller = feedback.c.source == OVERRULES
    better = or_(
        and_(other.c.source == OVERRULES, ~labeller),
        and_((other.c.source == OVERRULES) == labeller, other.c.n > feedback.c.n),
    )
    return ~exists().where(other.c.prediction_id == feedback.c.prediction_id, better)
