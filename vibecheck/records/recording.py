"""Records vibe checks and plays: the picture, the rows, the summaries and the outbox, together."""

from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, Engine, func, insert, select, update

from vibecheck.errors import RecordsError
from vibecheck.records.db import lookup
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.rows import prediction_of, prediction_row
from vibecheck.records.db.tables import model_versions, plays, predictions
from vibecheck.records.db.transactions import insert_if_new, reading, writing
from vibecheck.records.outbox import messages
from vibecheck.records.pictures import Pictures
from vibecheck.records.stats import summaries
from vibecheck.records.synthetic import refuse_real
from vibecheck.records.values import ModelVersion, PictureKept, Play, Prediction


def add(
    engine: Engine,
    pictures: Pictures,
    prediction: Prediction,
    picture: bytes | None,
    model_origin: str,
    hold: timedelta,
) -> None:
    """Stores a prediction, as `Store.add` says. `model_origin` is noted when a model version is first seen.

    The report to Comet is held back for `hold`, or until the prediction's readings are there.
    """
    if (picture is not None) != prediction.picture_kept:
        raise ValueError("a picture must be given if, and only if, picture_kept is true")
    with reading(engine) as connection:
        refuse_real(connection)
        if found_in(connection, predictions.c.id, [prediction.id]):
            raise _already_stored(prediction)
    # The picture is written first, so that no row ever names a picture that is not there yet.
    with ExitStack() as undo:
        if picture is not None:
            pictures.put(prediction.id, picture)
            undo.callback(_discard, engine, pictures, prediction.id)
        with writing(engine) as connection:
            if not insert_if_new(connection, predictions, prediction_row(prediction)):
                undo.pop_all()  # another process stored this id just now: the picture is its own
                raise _already_stored(prediction)
            version = ModelVersion(prediction.model_version, model_origin, prediction.made_at)
            insert_if_new(connection, model_versions, asdict(version))
            messages.enqueue(connection, prediction, hold=hold)
            summaries.count(connection, prediction.id)
        undo.pop_all()


def keep_picture(
    engine: Engine, pictures: Pictures, before: Prediction, picture: bytes, now: datetime
) -> Prediction:
    """Keeps the picture of a stored prediction. Raises UnknownPrediction if it was deleted meanwhile."""
    if before.picture_kept:
        return before
    with ExitStack() as undo:
        pictures.put(before.id, picture)
        undo.callback(_discard, engine, pictures, before.id)
        with writing(engine) as connection:
            kept = replace(prediction_of(lookup.row_of(connection, before.id, lock=True)), picture_kept=True)
            mine = update(predictions).where(predictions.c.id == before.id)
            connection.execute(mine.values(picture_kept=True))
            messages.enqueue(connection, PictureKept(kept, now))
        undo.pop_all()
    return kept


def next_play(connection: Connection, prediction_id: str) -> int:
    """The number of the next play of a prediction, which is locked. Raises UnknownPrediction."""
    lookup.row_of(connection, prediction_id, lock=True)
    query = select(func.max(plays.c.n)).where(plays.c.prediction_id == prediction_id)
    return (connection.execute(query).scalar_one() or 0) + 1


def add_play(connection: Connection, play: Play) -> None:
    """Stores a play."""
    connection.execute(insert(plays).values(asdict(play)))
    messages.enqueue(connection, play)
    summaries.count_play(connection, play.prediction_id, play.n, play.again)


def _discard(engine: Engine, pictures: Pictures, prediction_id: str) -> None:
    """Deletes the picture of a failed transaction, unless it is kept: the answer to a commit may be lost."""
    # The caller must see why the transaction failed. If this fails too, the next purge deletes the picture.
    with suppress(RecordsError):
        with reading(engine) as connection:
            kept = found_in(connection, predictions.c.id, [prediction_id], predictions.c.picture_kept)
        if not kept:
            pictures.delete(prediction_id)


def _already_stored(prediction: Prediction) -> RecordsError:
    return RecordsError(f"The prediction {prediction.id} is stored already: give each vibe check its own id.")
