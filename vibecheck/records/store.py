"""The store: everything VibeCheck remembers, behind one class.

What a method acknowledges by returning is on disk, together with its row in the outbox.
"""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, replace
from datetime import datetime
from typing import Self

from sqlalchemy import Connection, Engine, RowMapping, Table, and_, func, insert, or_, select, update

from vibecheck.errors import RecordsError
from vibecheck.records.db import lookup
from vibecheck.records.db.connect import open_database, prove_writable
from vibecheck.records.db.rows import feedback_of, model_version_of, play_of, prediction_of, prediction_row
from vibecheck.records.db.tables import feedback, model_versions, plays, predictions
from vibecheck.records.db.transactions import insert_if_new, place, reading, writing
from vibecheck.records.deletion import purge
from vibecheck.records.labels import give, learned_from, queues
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.which_counts import holds
from vibecheck.records.outbox import messages
from vibecheck.records.pictures import Images
from vibecheck.records.stats import summaries
from vibecheck.records.stats.queries import Counting
from vibecheck.records.synthetic import is_synthetic, refuse_real
from vibecheck.records.values import Feedback, ModelVersion, PictureKept, Play, Prediction, is_prediction_id

# Predictions that one question for all of them brings.
PAGE = 1000


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
    def open(cls, records_url: str, images_url: str) -> Self:
        """The store at these URLs, created or migrated as needed.

        `records_url` is a database as SQLAlchemy writes it, `images_url` a folder or an fsspec URL
        (`Settings.records_url`, `Settings.images_url`).
        """
        images = Images(images_url)
        return cls(open_database(records_url), images)

    @property
    def engine(self) -> Engine:
        """The database, for what else keeps its tables there."""
        return self._engine

    @property
    def images(self) -> Images:
        """The pictures."""
        return self._images

    def close(self) -> None:
        """Closes the connections to the database."""
        self._engine.dispose()

    def add(self, prediction: Prediction, picture: bytes | None, model_origin: str = "unknown") -> None:
        """Stores a prediction, with its picture (JPEG) where `picture_kept` says that there is one.

        `model_origin` says where the model came from; it is noted when its version is first seen.
        Raises RecordsError if the id is stored already, or the records are a synthetic history, and
        ValueError for a picture that is missing or was not allowed.
        """
        if (picture is not None) != prediction.picture_kept:
            raise ValueError("a picture must be given if, and only if, picture_kept is true")
        with reading(self._engine) as connection:
            refuse_real(connection)
            if lookup.row_of(connection, prediction.id) is not None:
                raise _already_stored(prediction)
        # The picture comes first, so that a row that says "kept" never waits for its picture.
        with ExitStack() as undo:
            if picture is not None:
                self._images.put(prediction.id, picture)
                undo.callback(self._discard, prediction.id)
            with writing(self._engine) as connection:
                if not insert_if_new(connection, predictions, prediction_row(prediction)):
                    undo.pop_all()  # someone stored the id just now, and the picture belongs to that row
                    raise _already_stored(prediction)
                version = ModelVersion(prediction.model_version, model_origin, prediction.made_at)
                insert_if_new(connection, model_versions, asdict(version))
                messages.enqueue(connection, prediction)
                summaries.count(connection, prediction.id)
            undo.pop_all()

    def label(
        self,
        prediction_id: str,
        label: str,
        source: str,
        given_by: str | None,
        now: datetime,
        queue: str | None = None,
    ) -> Feedback:
        """Adds a label to a prediction and returns it with its number; see `labels.give`.

        Raises UnknownPrediction, and ValueError for a label, source or queue that does not exist.
        """
        with writing(self._engine) as connection:
            return give.give(connection, prediction_id, label, source, given_by, queue, now)

    def undo_label(self, prediction_id: str, n: int, given_by: str | None, now: datetime) -> Feedback | None:
        """Takes back the label `n` that `given_by` gave; None where it is gone, or another's.

        Raises UnknownPrediction.
        """
        with writing(self._engine) as connection:
            return give.take_back(connection, prediction_id, n, given_by, now)

    def keep_picture(self, prediction_id: str, picture: bytes, now: datetime) -> Prediction:
        """Keeps the picture (JPEG) of a prediction that was stored without one.

        Returns the prediction as it is now. Where a picture is kept already, that one stays. Raises
        UnknownPrediction.
        """
        before = self.get(prediction_id)
        if before.picture_kept:
            return before
        with ExitStack() as undo:
            self._images.put(prediction_id, picture)
            undo.callback(self._discard, prediction_id)
            with writing(self._engine) as connection:
                kept = replace(prediction_of(lookup.locked(connection, prediction_id)), picture_kept=True)
                connection.execute(
                    update(predictions).where(predictions.c.id == prediction_id).values(picture_kept=True)
                )
                messages.enqueue(connection, PictureKept(kept, now))
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
    ) -> Play:
        """Notes that a playlist was suggested and returns it with its number. Raises UnknownPrediction."""
        with writing(self._engine) as connection:
            lookup.locked(connection, prediction_id)
            n = _next_n(connection, prediction_id)
            play = Play(prediction_id, n, playlist_id, playlist_name, mode, again, found_by, now, category)
            connection.execute(insert(plays).values(asdict(play)))
            messages.enqueue(connection, play)
            summaries.count_play(connection, prediction_id, again)
        return play

    def get(self, prediction_id: str) -> Prediction:
        """The prediction with this id. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            row = lookup.row_of(connection, prediction_id)
        if row is None:
            raise lookup.unknown(prediction_id)
        return prediction_of(row)

    def picture(self, prediction_id: str) -> bytes | None:
        """The prediction's picture (JPEG), or None where none was kept or it is deleted already.

        Raises UnknownPrediction.
        """
        return self._images.get(prediction_id) if self.get(prediction_id).picture_kept else None

    def feedback_of(self, prediction_id: str) -> list[Feedback]:
        """All labels of a prediction, oldest first. Raises UnknownPrediction."""
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

    def page(
        self, filters: queues.Filters, after: queues.Place | None, limit: int
    ) -> list[LabelledPrediction]:
        """The first `limit` predictions that pass the filters, newest first, after the place `after`."""
        with reading(self._engine) as connection:
            return queues.page(connection, filters, after, limit)

    def labelled(self, prediction_id: str) -> LabelledPrediction:
        """The prediction with this id, and its labels. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            found = queues.one(connection, prediction_id) if is_prediction_id(prediction_id) else None
        if found is None:
            raise lookup.unknown(prediction_id)
        return found

    def queue(self, name: str, limit: int) -> list[LabelledPrediction]:
        """The next `limit` pictures of a labeller's queue, "useful" or "random"."""
        next_of = {"useful": queues.useful, "random": queues.at_random}[name]
        with reading(self._engine) as connection:
            return next_of(connection, limit)

    def left(self) -> queues.Left:
        """How many pictures wait in each of the two queues."""
        with reading(self._engine) as connection:
            return queues.left(connection)

    def labellers(self) -> list[queues.LabellerCount]:
        """How many labels each labeller gave, by queue; the most diligent first."""
        with reading(self._engine) as connection:
            return queues.labellers(connection)

    def pictured(self, limit: int) -> list[Prediction]:
        """The last `limit` predictions whose picture was kept, newest first."""
        newest = predictions.c.made_at.desc(), predictions.c.id
        query = select(predictions).where(predictions.c.picture_kept).order_by(*newest).limit(limit)
        with reading(self._engine) as connection:
            return [prediction_of(row) for row in connection.execute(query).mappings()]

    def model_versions(self) -> list[ModelVersion]:
        """The models that made predictions here, the one that came first, first."""
        query = select(model_versions).order_by(model_versions.c.first_used_at, model_versions.c.version)
        with reading(self._engine) as connection:
            return [model_version_of(row) for row in connection.execute(query).mappings()]

    def history(self) -> Iterator[tuple[Prediction, Feedback | None]]:
        """All predictions, oldest first, each with the label that holds or None."""
        order = predictions.c.made_at, predictions.c.id
        after: tuple[datetime, str] | None = None
        while True:
            query = select(predictions).order_by(*order).limit(PAGE)
            if after is not None:
                moment, prediction_id = after
                later = predictions.c.made_at > moment
                same = predictions.c.made_at == moment, predictions.c.id > prediction_id
                query = query.where(or_(later, and_(*same)))
            with reading(self._engine) as connection:
                found = [prediction_of(row) for row in connection.execute(query).mappings()]
                ids = [prediction.id for prediction in found]
                given = select(feedback).where(feedback.c.prediction_id.in_(ids)).order_by(feedback.c.n)
                labels: dict[str, list[Feedback]] = {each: [] for each in ids}
                for row in connection.execute(given).mappings():
                    labels[row["prediction_id"]].append(feedback_of(row))
            yield from ((prediction, holds(labels[prediction.id])) for prediction in found)
            if len(found) < PAGE:
                return
            after = found[-1].made_at, found[-1].id

    def model_origin(self, version: str) -> str:
        """Where a model came from; "unknown" for one that made no prediction here."""
        query = select(model_versions.c.origin).where(model_versions.c.version == version)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none() or "unknown"

    def count(self) -> int:
        """How many predictions are stored."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.count()).select_from(predictions)).scalar_one()

    def synthetic(self) -> bool:
        """Whether the records are made up, see `synthetic.py`."""
        with reading(self._engine) as connection:
            return is_synthetic(connection)

    @property
    def counting(self) -> Counting:
        """What the dashboard asks: see `counting.py`."""
        return Counting(self._engine)

    def queued(self, limit: int = 100) -> list[messages.Outgoing]:
        """The first `limit` rows of the outbox, oldest first."""
        with reading(self._engine) as connection:
            return messages.pending(connection, limit)

    def purge(self, older_than: datetime) -> int:
        """Deletes all predictions made before `older_than` with everything that hangs on them.

        Returns how many predictions were deleted. See `purge.py`.
        """
        return purge.purge(self._engine, self._images, older_than)

    def forget(self, ids: Iterable[str], now: datetime) -> set[str]:
        """Deletes these predictions, wherever they went; returns the ids of those that were there."""
        return purge.forget(self._engine, self._images, ids, now)

    def forget_visitor(self, visitor: str, now: datetime) -> int:
        """Deletes all that a visitor gave, wherever it went; returns how many predictions that were."""
        return purge.forget_visitor(self._engine, self._images, visitor, now)

    def marked_since(self, since: datetime) -> dict[str, int]:
        """How many predictions each model learned from that were deleted at `since` or later."""
        return learned_from.marked_since(self._engine, since)

    def check(self) -> str:
        """Tries whether the database can be written; returns where it is and what it holds."""
        with writing(self._engine) as connection:
            prove_writable(connection)
            stored = connection.execute(select(func.count()).select_from(predictions)).scalar_one()
            waiting = messages.count_pending(connection)
        return f"{place(self._engine.url)}: {stored} predictions, {waiting} records waiting to be sent."

    def _all_of(self, table: Table, prediction_id: str) -> list[RowMapping]:
        query = select(table).where(table.c.prediction_id == prediction_id).order_by(table.c.n)
        with reading(self._engine) as connection:
            if lookup.row_of(connection, prediction_id) is None:
                raise lookup.unknown(prediction_id)
            return list(connection.execute(query).mappings())

    def _discard(self, prediction_id: str) -> None:
        # What made the transaction fail is what the caller must hear of. Should this fail too, the
        # next purge deletes the picture.
        with suppress(RecordsError):
            self._images.delete(prediction_id)


def _already_stored(prediction: Prediction) -> RecordsError:
    return RecordsError(f"The prediction {prediction.id} is stored already: give each vibe check an id.")


def _next_n(connection: Connection, prediction_id: str) -> int:
    query = select(func.max(plays.c.n)).where(plays.c.prediction_id == prediction_id)
    return (connection.execute(query).scalar_one() or 0) + 1
