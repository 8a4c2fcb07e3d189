"""The records as Comet should have them, to be compared with what it has."""

from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import Engine, case, exists, select

from vibecheck.records.db import lookup
from vibecheck.records.db.rows import prediction_of
from vibecheck.records.db.tables import outbox, predictions
from vibecheck.records.db.transactions import reading
from vibecheck.records.outbox.messages import Message
from vibecheck.records.values import Prediction, SideDrawn


class SentRecords:
    """Both methods raise RecordsError where the database fails."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def messages(self, since: datetime | None) -> Iterator[tuple[Prediction, list[Message]]]:
        """All predictions made at or after `since`, oldest first, each with the messages that report it."""
        after = None if since is None else (since, "")
        while True:
            with reading(self._engine) as connection:
                found = lookup.history_page(connection, after)
                ids = [prediction.id for prediction in found]
                labels, played = lookup.labels_of(connection, ids), lookup.plays_of(connection, ids)
                sides = lookup.sides_of(connection, ids)
            now = datetime.now(UTC)
            for each in found:
                side = [SideDrawn(each.id, sides[each.id], now)] if each.id in sides else []
                yield each, [each, *labels[each.id], *played[each.id], *side]
            if len(found) < lookup.PAGE:
                return
            after = found[-1].made_at, found[-1].id

    def sample(self, limit: int) -> list[Prediction]:
        """Up to `limit` predictions about which nothing is in the outbox, drawn at random."""
        queued = exists().where(outbox.c.prediction_id == predictions.c.id)
        order = case((predictions.c.id >= uuid4().hex, 0), else_=1), predictions.c.id  # ids are random
        query = select(predictions).where(~queued).order_by(*order).limit(limit)
        with reading(self._engine) as connection:
            return [prediction_of(row) for row in connection.execute(query).mappings()]
