"""The records as Comet should have them, to be compared with what it has."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import case, exists, select

from vibecheck.records.db import lookup
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import outbox, predictions
from vibecheck.records.db.transactions import Queries, reading
from vibecheck.records.labels import pagination
from vibecheck.records.outbox.messages import Message
from vibecheck.records.values import Prediction, SideDrawn


class SentRecords(Queries):
    """What was sent, or will be."""

    def messages(self, since: datetime | None) -> Iterator[tuple[Prediction, list[Message]]]:
        """All predictions made at or after `since`, oldest first, each with the messages that report it."""
        now = datetime.now(UTC)
        for page in pagination.history(self._engine, since):
            with reading(self._engine) as connection:
                played = lookup.plays_of(connection, [each.prediction.id for each in page])
            for each in page:
                made = each.prediction
                side = [SideDrawn(made.id, each.side, now)] if each.side else []
                yield made, [made, *each.labels, *played[made.id], *side]

    def sample(self, limit: int) -> list[Prediction]:
        """Up to `limit` predictions about which nothing is in the outbox, drawn at random."""
        queued = exists().where(outbox.c.prediction_id == predictions.c.id)
        order = case((predictions.c.id >= uuid4().hex, 0), else_=1), predictions.c.id  # ids are random
        query = select(predictions).where(~queued).order_by(*order).limit(limit)
        with reading(self._engine) as connection:
            return [prediction_of(row) for row in connection.execute(query).mappings()]
