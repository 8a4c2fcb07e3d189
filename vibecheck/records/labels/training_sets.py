"""What models are trained on and judged by: labelled predictions with pictures, read and marked at once."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, Update, bindparam, select, update

from vibecheck.records.db.rows import feedback_of, prediction_of
from vibecheck.records.db.tables import feedback, predictions, trained_on
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.labels.which_counts import holds
from vibecheck.records.outbox import messages
from vibecheck.records.values import Feedback, Prediction, SideDrawn

# Ids in one question to the database; SQLite takes 32,766 values in a statement, Postgres 65,535.
QUESTION = 5000


@dataclass(frozen=True, slots=True)
class Case:
    """A labelled prediction whose picture was kept.

    `labels` are all it has, oldest first. `side` was drawn before, or is None; `learned` says whether some
    model learned from it.
    """

    prediction: Prediction
    labels: tuple[Feedback, ...]
    side: str | None
    learned: bool

    @property
    def label(self) -> Feedback:
        """The label that holds."""
        label = holds(self.labels)
        assert label is not None  # `cases` reads none without
        return label

    @property
    def drawn_by(self) -> Feedback | None:
        """The newest label that was asked for without looking at the answer; None where none was.

        That is an audit, an import, or what a labeller found in the random queue. An answer to a check
        that was not drawn to be asked about is no audit.
        """
        asked = (each for each in self.labels if _asked_at_random(each, self.prediction.audit))
        return holds(asked)


def _asked_at_random(label: Feedback, audit: bool) -> bool:
    if label.source == "audit":
        return audit
    return label.source == "import" or label.queue == "random"


def cases(engine: Engine) -> list[Case]:
    """All labelled predictions whose picture was kept, oldest first."""
    these = predictions.c.label.is_not(None), predictions.c.picture_kept
    query = select(predictions).where(*these).order_by(predictions.c.made_at, predictions.c.id)
    ids = select(predictions.c.id).where(*these)
    given = select(feedback).where(feedback.c.prediction_id.in_(ids)).order_by(feedback.c.n)
    learned = select(trained_on.c.prediction_id).where(trained_on.c.prediction_id.in_(ids)).distinct()
    with reading(engine) as connection:
        rows = connection.execute(query).mappings().all()
        labels: dict[str, list[Feedback]] = defaultdict(list)
        for row in connection.execute(given).mappings():
            labels[row["prediction_id"]].append(feedback_of(row))
        known = set(connection.execute(learned).scalars())
    return [
        Case(prediction_of(row), tuple(labels[row["id"]]), row["side"], row["id"] in known)
        for row in rows
        if labels[row["id"]]  # on Postgres, one that was labelled between the two questions
    ]


def sides(engine: Engine, prediction_ids: Collection[str]) -> dict[str, str]:
    """The sides of those of the predictions that have one; "train" of all that some model learned from.

    That holds too for ids of which there is no prediction (any more).
    """
    with reading(engine) as connection:
        return _sides(connection, prediction_ids)


def draw(engine: Engine, wanted: Mapping[str, str], now: datetime) -> dict[str, str]:
    """Gives predictions a side by their ids, all at once; returns the sides that they have now.

    A side that is there already, perhaps given by another process just now, stays.
    """
    with writing(engine) as connection:
        before = _drawn(connection, wanted)
        learned = _learned(connection, wanted)
        rows = [{"the_id": each, "the_side": "train" if each in learned else wanted[each]} for each in wanted]
        if rows:
            connection.execute(_mark(), rows)
        drawn = _drawn(connection, wanted)
        new = (SideDrawn(each, side, now) for each, side in drawn.items() if each not in before)
        messages.enqueue_all(connection, new)
    return dict(wanted) | dict.fromkeys(learned, "train") | drawn


def _mark() -> Update:
    mine = predictions.c.id == bindparam("the_id"), predictions.c.side.is_(None)
    return update(predictions).where(*mine).values(side=bindparam("the_side"))


def _sides(connection: Connection, prediction_ids: Collection[str]) -> dict[str, str]:
    return dict.fromkeys(_learned(connection, prediction_ids), "train") | _drawn(connection, prediction_ids)


def _drawn(connection: Connection, prediction_ids: Collection[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for some in _parts(prediction_ids):
        drawn = select(predictions.c.id, predictions.c.side).where(
            predictions.c.id.in_(some), predictions.c.side.is_not(None)
        )
        found |= {row.id: row.side for row in connection.execute(drawn)}
    return found


def _learned(connection: Connection, prediction_ids: Collection[str]) -> set[str]:
    found: set[str] = set()
    for some in _parts(prediction_ids):
        query = select(trained_on.c.prediction_id).where(trained_on.c.prediction_id.in_(some))
        found.update(connection.execute(query).scalars())
    return found


def _parts(prediction_ids: Collection[str]) -> Iterator[list[str]]:
    ids = list(prediction_ids)
    return (ids[start : start + QUESTION] for start in range(0, len(ids), QUESTION))
