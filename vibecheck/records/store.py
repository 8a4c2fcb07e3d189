"""The store: the only entry to the records.

When a method that changes something returns, the change is on disk, together with its row in the outbox.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Engine, func, select

from vibecheck.errors import RecordsError
from vibecheck.records import merge, recording
from vibecheck.records.db import lookup
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.connect import open_database, prove_writable
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import model_versions, outbox, predictions
from vibecheck.records.db.transactions import fetch, place, reading, writing
from vibecheck.records.deletion import purge
from vibecheck.records.labels import audits, give, learned_from, pages
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.queues import LabelQueues
from vibecheck.records.labels.trainable import TrainableLabels
from vibecheck.records.labels.training_sets import TrainingSets
from vibecheck.records.outbox.notes import Notes
from vibecheck.records.outbox.queue import LEASE, TASKS, Outbox
from vibecheck.records.outbox.sent import SentRecords
from vibecheck.records.pictures import Pictures
from vibecheck.records.readings import Readings
from vibecheck.records.stats.queries import StatisticsQueries
from vibecheck.records.synthetic import is_synthetic
from vibecheck.records.values import Cursor, Feedback, ModelVersion, Play, Prediction


class Store:
    """Predictions with their pictures, feedback, plays and model versions.

    `statistics`, `trainable`, `queues`, `training_sets`, `readings`, `notes` and `sent` are its further
    methods, by subject. Threads may share a store, and any number of processes may open the same one. Every
    method raises RecordsError, whose message says what to do, where the database or the storage of the
    pictures fails; nothing has been stored then.
    """

    def __init__(self, engine: Engine, pictures: Pictures) -> None:
        self._engine = engine
        self.pictures = pictures
        self.statistics = StatisticsQueries(engine)
        self.trainable = TrainableLabels(engine)
        self.queues = LabelQueues(engine)
        self.training_sets = TrainingSets(engine)
        self.readings = Readings(engine)
        self.notes = Notes(engine)
        self.sent = SentRecords(engine)

    @classmethod
    def open(cls, records_url: str, images_url: str, sends: bool = True) -> Self:
        """The store at these URLs, created or migrated as needed.

        `records_url` is a database as SQLAlchemy writes it, `images_url` a folder or an fsspec URL
        (`Settings.records_url`, `Settings.images_url`). Without `sends` (`Settings.sends`), nothing is added
        to the outbox unless another process sends it.
        """
        pictures = Pictures(images_url)
        return cls(open_database(records_url, sends), pictures)

    def outbox(self, lease: timedelta = LEASE) -> Outbox:
        """The records still to be sent to Comet, as seen by a new sender."""
        return Outbox(self._engine, lease=lease)

    def close(self) -> None:
        """Closes the connections to the database."""
        self._engine.dispose()

    def add(
        self,
        prediction: Prediction,
        picture: bytes | None,
        model_origin: str = "unknown",
        hold: timedelta = timedelta(0),
    ) -> None:
        """Stores a prediction, with its picture (JPEG) if `picture_kept` is true; see `recording.add`.

        Raises RecordsError if the id exists or the records are a synthetic history, and ValueError for a
        picture that is missing or not allowed.
        """
        recording.add(self._engine, self.pictures, prediction, picture, model_origin, hold)

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
        """Deletes the label `n` that `given_by` gave; None where it is gone or somebody else's.

        Raises UnknownPrediction.
        """
        with writing(self._engine) as connection:
            return give.take_back(connection, prediction_id, n, given_by, now)

    def keep_picture(self, prediction_id: str, picture: bytes, now: datetime) -> Prediction:
        """Keeps the picture (JPEG) of a prediction that was stored without one; an existing one stays.

        Returns the prediction as it is now. Raises UnknownPrediction.
        """
        if not self.pictures.has_room():
            raise RecordsError("The disk of this VibeCheck is nearly full: your face was not kept.")
        return recording.keep_picture(self._engine, self.pictures, self.get(prediction_id), picture, now)

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
            n = recording.next_play(connection, prediction_id)
            suggested = Play(
                prediction_id, n, playlist_id, playlist_name, mode, again, found_by, now, category, followed
            )
            recording.add_play(connection, suggested)
        return suggested

    def get(self, prediction_id: str) -> Prediction:
        """The prediction with this id. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            return prediction_of(lookup.row_of(connection, prediction_id))

    def picture(self, prediction_id: str) -> bytes | None:
        """The prediction's picture (JPEG), or None where none is kept. Raises UnknownPrediction."""
        return self.pictures.get(prediction_id) if self.get(prediction_id).picture_kept else None

    def feedback_of(self, prediction_id: str) -> list[Feedback]:
        """All labels of a prediction, oldest first. Raises UnknownPrediction."""
        return list(self.labelled(prediction_id).labels)

    def plays_of(self, prediction_id: str) -> list[Play]:
        """All playlists suggested for a prediction, oldest first. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            lookup.row_of(connection, prediction_id)
            return lookup.plays_of(connection, [prediction_id])[prediction_id]

    def plays_of_each(self, ids: Collection[str]) -> dict[str, list[Play]]:
        """The playlists suggested for each of these predictions, oldest first."""
        with reading(self._engine) as connection:
            return lookup.plays_of(connection, ids)

    def page(self, filters: pages.Filters, after: Cursor | None, limit: int) -> list[LabelledPrediction]:
        """The first `limit` predictions that pass the filters, newest first, after a cursor."""
        with reading(self._engine) as connection:
            return pages.page(connection, filters, after, limit)

    def labelled(self, prediction_id: str) -> LabelledPrediction:
        """The prediction with this id, and its labels. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            return pages.with_labels(connection, [lookup.row_of(connection, prediction_id)])[0]

    def pictured(self, limit: int) -> list[Prediction]:
        """The newest `limit` predictions whose picture was kept, newest first."""
        return [each.prediction for each in self.page(pages.Filters(with_picture=True), None, limit)]

    def model_versions(self) -> list[ModelVersion]:
        """The models that made predictions here, oldest first."""
        query = select(model_versions).order_by(model_versions.c.first_used_at, model_versions.c.version)
        return [ModelVersion(*row) for row in fetch(self._engine, query)]

    def history(self) -> Iterator[tuple[Prediction, Feedback | None]]:
        """All predictions, oldest first, each with its effective label or None."""
        return ((each.prediction, each.label) for page in pages.history(self._engine) for each in page)

    def model_origin(self, version: str) -> str:
        """Where a model came from; "unknown" for one that made no prediction here."""
        query = select(model_versions.c.origin).where(model_versions.c.version == version)
        with reading(self._engine) as connection:
            return connection.execute(query).scalar_one_or_none() or "unknown"

    def count(self) -> int:
        """How many predictions are stored."""
        return fetch(self._engine, select(func.count()).select_from(predictions))[0][0]

    def may_be_asked(self, visitor: str, now: datetime) -> bool:
        """Whether a vibe check of this visitor may be an audit; see `audits.py`."""
        with reading(self._engine) as connection:
            return audits.may_be_asked(connection, visitor, now)

    def synthetic(self) -> bool:
        """Whether the records are a synthetic history, see `synthetic.py`."""
        with reading(self._engine) as connection:
            return is_synthetic(connection)

    def forgotten_among(self, ids: Collection[str]) -> set[str]:
        """The given predictions that were deleted here and in Comet."""
        with reading(self._engine) as connection:
            return merge.forgotten_among(connection, ids)

    def merge(self, restored: Sequence[merge.RestoredPrediction]) -> merge.Merged:
        """Adds new predictions that were read back from Comet; see `merge.py`."""
        return merge.merge(self._engine, restored)

    def with_pictures(self, ids: Collection[str]) -> set[str]:
        """The given predictions that exist and whose pictures may be kept."""
        with reading(self._engine) as connection:
            return found_in(connection, predictions.c.id, ids, predictions.c.picture_kept)

    def purge(self, older_than: datetime) -> int:
        """Deletes all predictions made before `older_than`; returns how many. See `purge.py`."""
        return purge.purge(self._engine, self.pictures, older_than)

    def forget(self, ids: Iterable[str], now: datetime) -> set[str]:
        """Deletes these predictions everywhere; returns the ids of those that existed."""
        return purge.forget(self._engine, self.pictures, ids, now)

    def forget_visitor(self, visitor: str, now: datetime) -> int:
        """Deletes all of a visitor's predictions everywhere; returns how many there were."""
        return purge.forget_visitor(self._engine, self.pictures, visitor, now)

    def forget_restored(self, now: datetime) -> None:
        """Deletes what a restore has brought of visitors whose data was deleted after it began."""
        purge.forget_restored(self._engine, self.pictures, now)

    def end_of_restore(self) -> None:
        """Removes the notes that `forget_restored` needs."""
        purge.end_of_restore(self._engine)

    def erase_remaining(self) -> bool:
        """Erases deleted content from the database's log; returns whether nothing is left."""
        return purge.erase_remaining(self._engine)

    def marked_since(self, since: datetime) -> dict[str, int]:
        """How many predictions each model learned from that were deleted at `since` or later."""
        return learned_from.marked_since(self._engine, since)

    def check(self) -> str:
        """Checks that the database can be written; returns a sentence on its place and content."""
        with writing(self._engine) as connection:
            prove_writable(connection)
            message = outbox.c.kind.not_in(TASKS)
            waiting = connection.execute(select(func.count()).where(message)).scalar_one()
        return f"{place(self._engine.url)}: {self.count()} predictions, {waiting} records waiting to be sent."
