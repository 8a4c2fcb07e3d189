"""The store: everything VibeCheck remembers, behind one class.

What a method acknowledges by returning is on disk, together with its row in the outbox.
"""

from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, Engine, RowMapping, Table, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records import outbox, summaries
from vibecheck.records.counting import Counting
from vibecheck.records.database import open_database, prove_writable
from vibecheck.records.images import Images
from vibecheck.records.purge import purge
from vibecheck.records.rows import feedback_of, model_version_of, play_of, prediction_of, prediction_row
from vibecheck.records.tables import feedback, model_versions, plays, predictions
from vibecheck.records.transactions import place, reading, writing
from vibecheck.records.values import Feedback, ModelVersion, Play, Prediction, is_prediction_id
from vibecheck.settings import Settings

# "Insert, unless it is there" is no standard SQL; both databases have it, each in SQLAlchemy's own insert.
INSERTS = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


class Store:
    """Predictions with their pictures, feedback, plays and model versions.

    One store may be shared by all threads of a process, and any number of processes may have one.
    Every method raises RecordsError, whose sentence says what to do, where the database or the place
    of the pictures fails; what was to be stored is then not stored.
    """

    def __init__(self, engine: Engine, images: Images) -> None:
        self._engine = engine
        self._images = images

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The store that the settings name, created or brought up to date as needed."""
        images = Images(settings.images_url)
        return cls(open_database(settings.records_url), images)

    def close(self) -> None:
        """Closes the connections to the database."""
        self._engine.dispose()

    def add(self, prediction: Prediction, picture: bytes | None, model_origin: str = "unknown") -> None:
        """Stores a prediction, with its picture (JPEG) where `picture_kept` says that there is one.

        `model_origin` says where the model came from; it is noted when its version is first seen.
        Raises RecordsError if the id is stored already, and ValueError for a picture that is missing
        or was not allowed.
        """
        if (picture is not None) != prediction.picture_kept:
            raise ValueError("a picture must be given if, and only if, picture_kept is true")
        with reading(self._engine) as connection:
            if _row(connection, prediction.id) is not None:
                raise _already_stored(prediction)
        # The picture comes first, so that a row that says "kept" never waits for its picture.
        with ExitStack() as undo:
            if picture is not None:
                self._images.put(prediction.id, picture)
                undo.callback(self._discard, prediction.id)
            with writing(self._engine) as connection:
                if not _insert_if_new(connection, predictions, prediction_row(prediction)):
                    undo.pop_all()  # someone stored the id just now, and the picture belongs to that row
                    raise _already_stored(prediction)
                version = ModelVersion(prediction.model_version, model_origin, prediction.made_at)
                _insert_if_new(connection, model_versions, asdict(version))
                outbox.enqueue(connection, prediction)
                summaries.count(connection, prediction.id)
            undo.pop_all()

    def label(
        self, prediction_id: str, label: str, source: str, given_by: str | None, now: datetime
    ) -> Feedback:
        """Adds a label to a prediction and returns it with its number.

        Where the prediction's last label is the same, from the same person and source, that one is
        returned and nothing is stored. Raises UnknownPrediction.
        """
        with writing(self._engine) as connection:
            _lock(connection, prediction_id)
            last = _last(connection, feedback, prediction_id)
            if last and (last["label"], last["source"], last["given_by"]) == (label, source, given_by):
                return feedback_of(last)
            given = Feedback(prediction_id, _next_n(last), label, source, given_by, now)
            connection.execute(insert(feedback).values(asdict(given)))
            outbox.enqueue(connection, given)
            summaries.judge(connection, [prediction_id])
        return given

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
    ) -> Play:
        """Notes that a playlist was suggested and returns it with its number. Raises UnknownPrediction."""
        with writing(self._engine) as connection:
            _lock(connection, prediction_id)
            n = _next_n(_last(connection, plays, prediction_id))
            play = Play(prediction_id, n, playlist_id, playlist_name, mode, again, found_by, now)
            connection.execute(insert(plays).values(asdict(play)))
            outbox.enqueue(connection, play)
            summaries.count_play(connection, prediction_id, again)
        return play

    def get(self, prediction_id: str) -> Prediction:
        """The prediction with this id. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            row = _row(connection, prediction_id)
        if row is None:
            raise _unknown(prediction_id)
        return prediction_of(row)

    def picture(self, prediction_id: str) -> bytes | None:
        """The prediction's picture (JPEG), or None where none was kept or it is deleted already.

        Raises UnknownPrediction.
        """
        return self._images.get(prediction_id) if self.get(prediction_id).picture_kept else None

    def feedback_of(self, prediction_id: str) -> list[Feedback]:
        """All labels of a prediction, oldest first; the last one holds. Raises UnknownPrediction."""
        return [feedback_of(row) for row in self._all_of(feedback, prediction_id)]

    def plays_of(self, prediction_id: str) -> list[Play]:
        """All playlists suggested for a prediction, oldest first. Raises UnknownPrediction."""
        return [play_of(row) for row in self._all_of(plays, prediction_id)]

    def recent(self, visitor: str, limit: int) -> list[Prediction]:
        """A visitor's last `limit` predictions, newest first."""
        newest = predictions.c.made_at.desc(), predictions.c.id
        query = select(predictions).where(predictions.c.visitor == visitor).order_by(*newest).limit(limit)
        with reading(self._engine) as connection:
            return [prediction_of(row) for row in connection.execute(query).mappings()]

    def model_versions(self) -> list[ModelVersion]:
        """The models that made predictions here, the one that came first, first."""
        query = select(model_versions).order_by(model_versions.c.first_used_at, model_versions.c.version)
        with reading(self._engine) as connection:
            return [model_version_of(row) for row in connection.execute(query).mappings()]

    def count(self) -> int:
        """How many predictions are stored."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(predictions)).scalar_one()

    @property
    def counting(self) -> Counting:
        """What the dashboard asks: see `counting.py`."""
        return Counting(self._engine)

    def queued(self, limit: int = 100) -> list[outbox.Outgoing]:
        """The first `limit` rows of the outbox, oldest first."""
        with reading(self._engine) as connection:
            return outbox.pending(connection, limit)

    def purge(self, older_than: datetime) -> int:
        """Deletes all predictions made before `older_than` with everything that hangs on them.

        Returns how many predictions were deleted. See `purge.py`.
        """
        return purge(self._engine, self._images, older_than)

    def check(self) -> str:
        """Tries whether the database can be written; returns where it is and what it holds."""
        with writing(self._engine) as connection:
            prove_writable(connection)
            stored = connection.execute(select(func.count()).select_from(predictions)).scalar_one()
            waiting = outbox.count_pending(connection)
        return f"{place(self._engine.url)}: {stored} predictions, {waiting} records waiting to be sent."

    def _all_of(self, table: Table, prediction_id: str) -> list[RowMapping]:
        query = select(table).where(table.c.prediction_id == prediction_id).order_by(table.c.n)
        with reading(self._engine) as connection:
            if _row(connection, prediction_id) is None:
                raise _unknown(prediction_id)
            return list(connection.execute(query).mappings())

    def _discard(self, prediction_id: str) -> None:
        # What made the transaction fail is what the caller must hear of. Should this fail too, the
        # next purge deletes the picture.
        with suppress(RecordsError):
            self._images.delete(prediction_id)


def _unknown(prediction_id: str) -> UnknownPrediction:
    return UnknownPrediction(f"There is no prediction with the id {prediction_id!r}: it may be deleted.")


def _already_stored(prediction: Prediction) -> RecordsError:
    return RecordsError(f"The prediction {prediction.id} is stored already: give each vibe check an id.")


def _row(connection: Connection, prediction_id: str) -> RowMapping | None:
    if not is_prediction_id(prediction_id):
        return None
    query = select(predictions).where(predictions.c.id == prediction_id)
    return connection.execute(query).mappings().one_or_none()


def _lock(connection: Connection, prediction_id: str) -> None:
    """Keeps others from adding to, or deleting, the prediction until the transaction ends."""
    # On SQLite, where there is no FOR UPDATE, `writing` holds the lock of the whole database.
    query = select(predictions.c.id).where(predictions.c.id == prediction_id).with_for_update()
    if not is_prediction_id(prediction_id) or connection.execute(query).one_or_none() is None:
        raise _unknown(prediction_id)


def _last(connection: Connection, table: Table, prediction_id: str) -> RowMapping | None:
    query = select(table).where(table.c.prediction_id == prediction_id).order_by(table.c.n.desc()).limit(1)
    return connection.execute(query).mappings().one_or_none()


def _next_n(last: RowMapping | None) -> int:
    return last["n"] + 1 if last else 1


def _insert_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Inserts the row unless its key is there, whoever put it there; returns whether it was new."""
    statement = INSERTS[connection.dialect.name](table).values(row).on_conflict_do_nothing()
    # Of an INSERT, SQLAlchemy asks for the count only when told to.
    return connection.execute(statement, execution_options={"preserve_rowcount": True}).rowcount == 1
