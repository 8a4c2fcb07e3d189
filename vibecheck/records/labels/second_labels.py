"""Second labels: one in ten faces of the random queue is also labelled by another person.

They measure how often people agree about faces. A second label never becomes the effective label, and counts
in no accuracy.
"""

from sqlalchemy import ColumnElement, Connection, and_, exists, func, literal_column, or_, select

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import feedback, predictions
from vibecheck.records.labels.effective_label import OVERRULES
from vibecheck.records.stats.results import LabelPair
from vibecheck.records.values import SECOND

# The last digits of an id decide. They are random like the first ones, which order the queue.
FIRST_DIGIT, DRAWN_BELOW = 30, "19a"  # 410 of 4096


def waiting(labeller: str) -> ColumnElement[bool]:
    """Whether a prediction waits for its second label, and this labeller may give it.

    Not if they have labelled it before, or if it is their own face.
    """
    # Literals: SQLite does not match parameters to a partial index.
    digits = func.substr(predictions.c.id, literal_column(str(FIRST_DIGIT)), literal_column("3"))
    drawn = digits < literal_column(f"'{DRAWN_BELOW}'")
    somebody_else = or_(predictions.c.visitor.is_(None), predictions.c.visitor != labeller)
    return and_(
        predictions.c.picture_kept,
        predictions.c.judged,
        ~predictions.c.judged_twice,
        drawn,
        somebody_else,
        ~_labelled_by(labeller),
    )


def gave_second(labeller: str) -> ColumnElement[bool]:
    """Whether this labeller gave the second label of a prediction, whose first one may be undone since."""
    return and_(predictions.c.judged_twice, _labelled_by(labeller))


def is_second(connection: Connection, prediction_id: str, labeller: str) -> bool:
    """Whether a label that this labeller gives in the random queue is a second one."""
    first = feedback.c.prediction_id == prediction_id, feedback.c.queue == "random"
    return connection.execute(select(exists().where(*first, feedback.c.given_by != labeller))).scalar_one()


def pairs(connection: Connection) -> list[LabelPair]:
    """The moods that two labellers saw in the same face, neither knowing the other's or the model's answer.

    Faces of which one of them cannot tell are left out, as they are in every accuracy.
    """
    of, first, second = predictions.c, feedback.alias("first"), feedback.alias("second")
    labels = first.c.label, first.c.given_by, second.c.label, second.c.given_by
    query = (
        select(of.id, func.coalesce(of.visitor, of.id), of.model_version, of.mood, *labels)
        .select_from(second)
        .join(first, first.c.prediction_id == second.c.prediction_id)
        .join(predictions, of.id == second.c.prediction_id)
        .where(
            second.c.source == literal_column(f"'{SECOND}'"),
            first.c.queue == "random",
            first.c.given_by != second.c.given_by,
            first.c.label.in_(NAMES),
            second.c.label.in_(NAMES),
        )
        # Of several, the newest of the first ones, which counts, and the earliest of the second ones.
        .order_by(of.id, first.c.n, second.c.n.desc())
    )
    return list({row.id: LabelPair(*row) for row in connection.execute(query)}.values())


def _labelled_by(labeller: str) -> ColumnElement[bool]:
    return exists().where(
        feedback.c.prediction_id == predictions.c.id,
        feedback.c.given_by == labeller,
        feedback.c.source.in_((OVERRULES, SECOND)),
    )
