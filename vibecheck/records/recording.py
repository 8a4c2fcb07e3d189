"""Records vibe checks and plays: the picture, the rows, the summaries and the outbox, together."""

from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from sqlalchemy import func, insert, select, update

from vibecheck.errors import AlreadyStored, RecordsError
from vibecheck.records.db import lookup
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.rows import prediction_of, prediction_row
from vibecheck.records.db.tables import model_versions, plays, predictions
from vibecheck.records.db.transactions import Queries, insert_if_new, reading, writing
from vibecheck.records.outbox import messages
from vibecheck.records.pictures import Pictures
from vibecheck.records.stats import summaries
from vibecheck.records.synthetic import refuse_real
from vibecheck.records.values import ModelVersion, PictureKept, Play, Prediction


class Recording(Queries):
    """Records vibe checks and plays, and keeps `pictures`."""

    pictures: Pictures

    def add(
        self,
        prediction: Prediction,
        picture: bytes | None,
        model_origin: str = "unknown",
        hold: timedelta = timedelta(0),
    ) -> None:
        """Stores a prediction, with its picture (JPEG) if `picture_kept` is true.

        `model_origin` is noted when a model version is first seen. The report to Comet is held back for
        `hold`, or until the prediction's readings are there. Raises AlreadyStored if the id exists,
        RecordsError if the records are a synthetic history, and ValueError for a picture that is missing or
        not allowed.
        """
        if (picture is not None) != prediction.picture_kept:
            raise ValueError("a picture must be given if, and only if, picture_kept is true")
        with reading(self._engine) as connection:
            refuse_real(connection)
            if found_in(connection, predictions.c.id, [prediction.id]):
                raise _already_stored(prediction)
        # The picture is written first, so that no row ever names a picture that is not there yet.
        with ExitStack() as undo:
            if picture is not None:
                self.pictures.put(prediction.id, picture)
                undo.callback(self._discard, prediction.id)
            with writing(self._engine) as connection:
                if not insert_if_new(connection, predictions, prediction_row(prediction)):
                    undo.pop_all()  # another process stored this id just now: the picture is its own
                    raise _already_stored(prediction)
                version = ModelVersion(prediction.model_version, model_origin, prediction.made_at)
                insert_if_new(connection, model_versions, asdict(version))
                messages.enqueue(connection, prediction, hold=hold)
                summaries.count(connection, prediction.id)
            undo.pop_all()

    def keep_picture(self, prediction_id: str, picture: bytes, now: datetime) -> Prediction:
        """Keeps the picture (JPEG) of a prediction that was stored without one; an existing one stays.

        Returns the prediction as it is now. Raises UnknownPrediction.
        """
        with reading(self._engine) as connection:
            before = prediction_of(lookup.row_of(connection, prediction_id))
        if before.picture_kept:
            return before
        with ExitStack() as undo:
            self.pictures.put(prediction_id, picture)
            undo.callback(self._discard, prediction_id)
            with writing(self._engine) as connection:
                row = lookup.row_of(connection, prediction_id, lock=True)
                kept = replace(prediction_of(row), picture_kept=True)
                mine = update(predictions).where(predictions.c.id == prediction_id)
                connection.execute(mine.values(picture_kept=True))
                summaries.judge(connection, [prediction_id])
                messages.enqueue(connection, PictureKept(prediction_id, now))
            undo.pop_all()
        return kept

    def played(
        self,
        prediction_id: str,
        *,
        playlist_id: str,
        playlist_name: str,
        mode: str,
        again: bool,
        found_by: str,
        now: datetime,
        category: str | None = None,
        followed: str | None = None,
    ) -> Play:
        """Records that a playlist was suggested and returns it with its number. Raises UnknownPrediction."""
        with writing(self._engine) as connection:
            lookup.row_of(connection, prediction_id, lock=True)
            last = select(func.max(plays.c.n)).where(plays.c.prediction_id == prediction_id)
            n = (connection.execute(last).scalar_one() or 0) + 1
            suggested = Play(
                prediction_id, n, playlist_id, playlist_name, mode, again, found_by, now, category, followed
            )
            connection.execute(insert(plays).values(asdict(suggested)))
            messages.enqueue(connection, suggested)
            summaries.count_play(connection, prediction_id, n, again)
        return suggested

    def _discard(self, prediction_id: str) -> None:
        """Deletes the picture of a failed transaction, unless it is kept: the answer to a commit may be lost.

        The caller must see why the transaction failed. If this fails too, the next purge deletes the picture.
        """
        with suppress(RecordsError):
            with reading(self._engine) as connection:
                kept = found_in(connection, predictions.c.id, [prediction_id], predictions.c.picture_kept)
            if not kept:
                self.pictures.delete(prediction_id)


def _already_stored(prediction: Prediction) -> AlreadyStored:
    return AlreadyStored(
        f"The prediction {prediction.id} is stored already: give each vibe check its own id."
    )
