"""The store: the only entry to the records.

When a method that changes something returns, the change is on disk, together with its row in the outbox.
"""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Engine, func, select

from vibecheck.records.db import lookup
from vibecheck.records.db.connect import open_database, prove_writable
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import model_versions, outbox, predictions
from vibecheck.records.db.transactions import fetch, place, reading, writing
from vibecheck.records.deletion.purge import Deletions
from vibecheck.records.labels import audits, pagination
from vibecheck.records.labels.give import Labelling
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.queues import LabelQueues
from vibecheck.records.labels.trainable import TrainableLabels
from vibecheck.records.labels.training_sets import TrainingSets
from vibecheck.records.merge import Merging
from vibecheck.records.outbox.notes import Notes
from vibecheck.records.outbox.queue import LEASE, TASKS, Outbox
from vibecheck.records.outbox.sent import SentRecords
from vibecheck.records.pictures import Pictures
from vibecheck.records.readings import Readings
from vibecheck.records.recording import Recording
from vibecheck.records.stats.queries import StatisticsQueries
from vibecheck.records.synthetic import is_synthetic
from vibecheck.records.values import Cursor, Feedback, ModelVersion, Play, Prediction
from vibecheck.text.plurals import counted


class Store(Recording, Labelling, Merging, Deletions):
    """Predictions with their pictures, feedback, plays and model versions.

    The base classes change them; `statistics`, `trainable`, `queues`, `training_sets`, `readings`, `notes`
    and `sent` are further methods, by subject. Threads may share a store, and any number of processes may
    open the same one. Every method raises RecordsError, whose message says what to do, where the database or
    the storage of the pictures fails; nothing has been stored then.
    """

    def __init__(self, engine: Engine, pictures: Pictures) -> None:
        super().__init__(engine)
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

    def page(self, filters: pagination.Filters, after: Cursor | None, limit: int) -> list[LabelledPrediction]:
        """The first `limit` predictions that pass the filters, newest first, after a cursor."""
        with reading(self._engine) as connection:
            return pagination.page(connection, filters, after, limit)

    def labelled(self, prediction_id: str) -> LabelledPrediction:
        """The prediction with this id, and its labels. Raises UnknownPrediction."""
        with reading(self._engine) as connection:
            return pagination.with_labels(connection, [lookup.row_of(connection, prediction_id)])[0]

    def pictured(self, limit: int) -> list[Prediction]:
        """The newest `limit` predictions whose picture was kept, newest first."""
        return [each.prediction for each in self.page(pagination.Filters(with_picture=True), None, limit)]

    def model_versions(self) -> list[ModelVersion]:
        """The models that made predictions here, oldest first."""
        query = select(model_versions).order_by(model_versions.c.first_used_at, model_versions.c.version)
        return [ModelVersion(*row) for row in fetch(self._engine, query)]

    def history(self) -> Iterator[tuple[Prediction, Feedback | None]]:
        """All predictions, oldest first, each with its effective label or None."""
        return ((each.prediction, each.label) for page in pagination.history(self._engine) for each in page)

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

    def check(self) -> str:
        """Checks that the database can be written; returns a sentence on its place and content."""
        with writing(self._engine) as connection:
            prove_writable(connection)
            message = outbox.c.kind.not_in(TASKS)
            waiting = connection.execute(select(func.count()).where(message)).scalar_one()
        made = counted(self.count(), "prediction")
        return f"{place(self._engine.url)}: {made}, {counted(waiting, 'record')} waiting to be sent."
