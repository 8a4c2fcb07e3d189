"""Delivers rows of the outbox to Comet, each exactly once, however often it is attempted.

A row counts as delivered when Comet has answered. Every attempt but the first checks whether an earlier one
arrived after all: by the asset's name, and by the time of a metric's point.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.comet.rollup import roll_up
from vibecheck.emotions import NAMES
from vibecheck.errors import CometRejected, UnknownPrediction
from vibecheck.records import merge
from vibecheck.records.outbox import queue
from vibecheck.records.outbox.messages import payload_of
from vibecheck.records.outbox.queue import Claimed
from vibecheck.records.store import Store
from vibecheck.records.values import SECOND, Prediction, is_prediction_id

# In the payload of a deletion or an undone label: when Comet was last asked what it has of it.
LOOKED = "looked_at"
# Seconds for which a list of a day's assets is used for other deletions.
LIST_KEPT = 30.0


class LookAgain(Exception):
    """A deletion, or an undone label, has to be confirmed later; `payload` is the row's until then."""

    def __init__(self, payload: dict[str, Any]) -> None:
        super().__init__("to be confirmed")
        self.payload = payload


# The work for the transaction that removes a delivered row.
Then = Callable[[Connection, datetime], None]


class Delivery:
    """Delivers rows of one store to one deployment in Comet."""

    def __init__(self, comet: Comet, store: Store) -> None:
        self.comet = comet
        self._store = store
        self._list: tuple[float, date | None, list[Asset]] = (0.0, None, [])
        self._kinds: dict[str, Callable[[Claimed], Then | None]] = {
            "prediction": self._prediction,
            "picture": self._picture,
            "picture_kept": self._picture,
            "feedback": self._feedback,
            "feedback_undone": self._undone,
            "play": self._part,
            "side": self._part,
            "deletion": self._deletion,
            "promotion": self._promotion,
            queue.ROLLUP: self._rollup,
        }

    def deliver(self, claimed: Claimed) -> Then | None:
        """Delivers a row; returns the work for the transaction that removes it.

        Raises CometError, and RecordsError where the store fails.
        """
        how = self._kinds.get(claimed.kind)
        if how is None:
            raise CometRejected(
                f"This version does not know the kind {claimed.kind!r}: update it, then try again."
            )
        try:
            return how(claimed)
        except UnknownPrediction:
            # Deleted since: there is nothing left to send, and the deletion message follows.
            return None
        except (KeyError, TypeError, ValueError) as error:
            raise CometRejected(f"This {claimed.kind} of the outbox cannot be read ({error!r}).") from error

    def _prediction(self, claimed: Claimed) -> Then:
        now = self._store.get(claimed.prediction_id)
        made = layout.value_from(Prediction, claimed.payload)
        day, _ = self._put_prediction(claimed, made, claimed.payload)
        self._point(claimed, day, "confidence", made.confidence, now.made_at)
        return _hourly(day)

    def _picture(self, claimed: Claimed) -> Then:
        """Replaces the asset of a prediction without picture once the picture was allowed."""
        now = self._store.get(claimed.prediction_id)
        day, with_picture = self._put_prediction(claimed, now, payload_of(now))
        if with_picture:  # it may have been lost here since
            self._delete(day, layout.prediction_name(now.id, picture=False))
        return _hourly(day)

    def _put_prediction(
        self, claimed: Claimed, prediction: Prediction, payload: dict[str, Any]
    ) -> tuple[date, bool]:
        """Uploads a prediction; returns its day, and whether its picture is there to be uploaded with it."""
        day = layout.day_of(prediction.made_at)
        picture = self._store.picture(prediction.id) if prediction.picture_kept else None
        origin = self._store.model_origin(prediction.model_version)
        metadata = payload | {"model_origin": origin}
        if readings := self._store.readings.of(prediction.id):
            metadata[layout.SHADOW] = [each.plain() for each in readings]
        name = layout.prediction_name(prediction.id, picture is not None)
        kind = "asset" if picture is None else "image"
        self._put(claimed, day, name, picture or layout.as_json(metadata), metadata, kind)
        return day, picture is not None

    def _feedback(self, claimed: Claimed) -> Then:
        prediction = self._store.get(claimed.prediction_id)
        payload = claimed.payload
        day = self._put_part(claimed, prediction, payload)
        if payload["label"] in NAMES and payload["source"] != SECOND:
            given_at = datetime.fromisoformat(payload["given_at"])
            right = float(payload["label"] == prediction.mood)
            self._point(claimed, day, "correct", right, given_at)
        return _hourly(day)

    def _undone(self, claimed: Claimed) -> Then:
        """Deletes a label. As with `_deletion`, only a later look confirms it. Raises LookAgain."""
        day = layout.day_of(self._store.get(claimed.prediction_id).made_at)
        found = self._delete(day, layout.name_of("feedback", claimed.payload))
        if found or LOOKED not in claimed.payload:
            raise LookAgain(claimed.payload | {LOOKED: time.time()})
        return _hourly(day)

    def _part(self, claimed: Claimed) -> None:
        """Sends a side, or a play with the playlist's id and our category, but not its name."""
        payload = {key: value for key, value in claimed.payload.items() if key != "playlist_name"}
        self._put_part(claimed, self._store.get(claimed.prediction_id), payload)

    def _deletion(self, claimed: Claimed) -> Then:
        """Deletes what Comet lists about a prediction; it is complete once a later look finds nothing.

        An empty list at first does not prove that nothing is there. Raises LookAgain.
        """
        prediction_id = claimed.prediction_id
        if not is_prediction_id(prediction_id):
            raise ValueError(f"{prediction_id!r} is not the id of a prediction")
        payload = claimed.payload
        if (made_at := payload.get("made_at")) is not None:
            days = [layout.day_of(datetime.fromisoformat(made_at))]
        else:  # added by an early version
            days = self.comet.days()
        found, listed_at = [], time.time()
        for day in days:
            at, assets = self._listed(day, payload.get(LOOKED))
            listed_at = min(listed_at, at)
            found += [(day, asset) for asset in assets if layout.id_of(asset.name) == prediction_id]
        for day, asset in found:
            self.comet.delete(day, asset)
        if found or LOOKED not in payload:
            raise LookAgain(payload | {LOOKED: listed_at})

        def then(connection: Connection, now: datetime) -> None:
            merge.forget(connection, prediction_id, now)
            for day in days:
                _schedule_rollup(connection, day, now)

        return then

    def _listed(self, day: date, after: float | None) -> tuple[float, list[Asset]]:
        """A list of a day's assets, and when it was made: a recent one, but after the moment `after`.

        Many predictions of a day are often deleted together, and a list of a long day is large.
        """
        at, listed_day, assets = self._list
        now = time.time()
        if listed_day != day or not 0 <= now - at < LIST_KEPT or (after is not None and at <= after):
            assets = [replace(asset, metadata={}) for asset in self.comet.assets(day)]
            self._list = at, _, _ = now, day, assets
        return at, assets

    def _promotion(self, claimed: Claimed) -> None:
        payload = claimed.payload
        name = layout.name_of("promotion", payload)
        known = {
            asset.name: asset.metadata.get("kind")
            for asset in self.comet.assets(layout.MODELS)
            if layout.PROMOTION_NAME.fullmatch(asset.name)
        }
        # The first champion of a new disk matters only if nothing was decided before; its embedded model, if
        # there is no history at all.
        decided = any(kind != "first" for kind in known.values())
        started_over = payload["kind"] == "first" and (decided or (payload["replaced"] is None and known))
        if name not in known and not started_over:
            self.comet.put(layout.MODELS, name, layout.as_json(payload), payload, "asset")

    def _rollup(self, claimed: Claimed) -> None:
        roll_up(self.comet, self._store, date.fromisoformat(claimed.payload["day"]))

    def _put_part(self, claimed: Claimed, prediction: Prediction, payload: dict[str, Any]) -> date:
        """Uploads a label, a play or a side; returns the day of its prediction."""
        day = layout.day_of(prediction.made_at)
        name = layout.name_of(claimed.kind, payload)
        self._put(claimed, day, name, layout.as_json(payload), payload, "asset")
        return day

    def _delete(self, day: date, name: str) -> bool:
        """Deletes the assets of this name; returns whether there were any."""
        found = [asset for asset in self.comet.assets(day) if asset.name == name]
        self.comet.delete(day, *found)
        return bool(found)

    def _put(
        self, claimed: Claimed, day: date, name: str, content: bytes, metadata: dict[str, Any], kind: str
    ) -> None:
        if claimed.attempts == 1 or not self.comet.has(day, name):
            self.comet.put(day, name, content, metadata, kind)

    def _point(self, claimed: Claimed, day: date, name: str, value: float, at: datetime) -> None:
        if claimed.attempts == 1 or not self.comet.has_point(day, name, at):
            self.comet.metric(day, name, value, at)


def _hourly(day: date) -> Then:
    """Schedules the day's roll-up for the next full hour."""

    def then(connection: Connection, now: datetime) -> None:
        hour = now.replace(minute=0, second=0, microsecond=0)
        _schedule_rollup(connection, day, hour + timedelta(hours=1))

    return then


def _schedule_rollup(connection: Connection, day: date, due: datetime) -> None:
    queue.schedule(connection, queue.ROLLUP, day.isoformat(), {"day": day.isoformat()}, due)
