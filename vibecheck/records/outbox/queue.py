"""The outbox as a queue shared by any number of senders.

A sender claims rows for the length of a lease. If it dies or hangs, its claims expire and another sender
takes the rows. Rows about one prediction are sent in the order they were added: a row cannot be claimed
while an earlier one about the same prediction exists, whether that one is waiting, claimed or set aside.
No row waits for an earlier "feedback_undone", whose confirmation takes minutes: it only deletes that label.

All times come from the database's clock, so senders on several machines agree. Leases and pauses that end
implausibly late are ignored: the database clock was set back. A sender reads the clock before it reads the
rows (on Postgres without a lock in between), so a row claimed meanwhile may end that much later and is
still respected.
"""

import os
import socket
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, func, insert, or_, select, update

from vibecheck.records.db.batches import batches, found_in
from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import database_now, reading, writing

# How long a claim lasts unless it is renewed. Longer than any one request to Comet.
LEASE = timedelta(minutes=2)
# The longest pause between two attempts to send a row.
LONGEST_PAUSE = timedelta(hours=1)
# The longest time between a sender reading the clock and reading the rows.
CLOCK_READ_TOLERANCE = timedelta(minutes=1)
# Rows that are tasks rather than messages: a day's roll-up, a restore. They do not count as waiting.
ROLLUP = "rollup"
RESTORE = "restore"
TASKS = (ROLLUP, RESTORE)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that a sender has claimed. `attempts` includes this one: it is 1 the first time.

    `kind` is "prediction", "feedback", "feedback_undone", "play", "picture_kept", "side", "deletion" or
    "promotion", each for a value of `values.py`, or "model" (see `enqueue_model`), or a task. No message
    about a prediction follows its "deletion". A promotion belongs to no prediction: its `prediction_id` is
    empty. `id` increases and is never reused.
    """

    id: int
    kind: str
    prediction_id: str
    payload: dict[str, Any]
    attempts: int


@dataclass(frozen=True, slots=True)
class OutboxState:
    """What is still to be sent.

    `queued` counts the rows that can be sent, `oldest` is the time of the oldest of them. `set_aside` counts
    the rows that Comet rejected, by reason; `behind` counts the rows that wait behind one of those.
    """

    queued: int
    oldest: datetime | None
    set_aside: dict[str, int]
    behind: int


class Outbox:
    """The outbox as seen by one sender, by default a new one, whose claims last for `lease`.

    `clock` tells the time within a transaction. Every method raises RecordsError where the database fails.
    """

    def __init__(
        self,
        engine: Engine,
        sender: str = "",
        lease: timedelta = LEASE,
        clock: Callable[[Connection], datetime] = database_now,
    ) -> None:
        self._engine = engine
        self._sender = sender or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._clock = clock
        self.lease = lease

    def claim(
        self, limit: int, kinds: Collection[str] | None = None, but: Collection[str] = ()
    ) -> list[Claimed]:
        """Claims up to `limit` rows that are due, oldest first: only of `kinds`, and none of `but`."""
        if not self.anything_due(kinds, but):  # usually nothing is due, and then the write lock is not needed
            return []
        with writing(self._engine) as connection:
            now = self._clock(connection)
            query = select(outbox).where(_claimable(now, kinds, but)).order_by(outbox.c.id).limit(limit)
            rows = connection.execute(query.with_for_update(skip_locked=True)).all()
            claim = update(outbox).where(outbox.c.id.in_([row.id for row in rows]))
            until, attempts = now + self.lease, outbox.c.attempts + 1
            connection.execute(claim.values(claimed_by=self._sender, claimed_until=until, attempts=attempts))
        return [Claimed(row.id, row.kind, row.prediction_id, row.payload, row.attempts + 1) for row in rows]

    def renew(self, rows: Iterable[Claimed]) -> set[int]:
        """Extends the claims on these rows; returns the ids of those that are still this sender's."""
        mine = self._mine(rows)
        with writing(self._engine) as connection:
            until = self._clock(connection) + self.lease
            connection.execute(update(outbox).where(*mine).values(claimed_until=until))
            return set(connection.execute(select(outbox.c.id).where(*mine)).scalars())

    def finish(self, claimed: Claimed, then: Callable[[Connection, datetime], None] | None = None) -> bool:
        """Removes a delivered row and runs `then` in the same transaction.

        Returns whether the row was still this sender's.
        """
        with writing(self._engine) as connection:
            if then is not None:
                then(connection, self._clock(connection))
            return connection.execute(delete(outbox).where(*self._mine([claimed]))).rowcount == 1

    def postpone(
        self, claimed: Claimed, pause: timedelta, reason: str | None, payload: dict[str, Any] | None = None
    ) -> None:
        """Gives a row back, due again after `pause` (at most LONGEST_PAUSE); `payload` replaces its own."""
        values = {"reason": reason} | ({} if payload is None else {"payload": payload})
        with writing(self._engine) as connection:
            until = self._clock(connection) + min(pause, LONGEST_PAUSE)
            self._give_back(connection, [claimed], next_attempt_at=until, **values)

    def set_aside(self, claimed: Claimed, reason: str) -> None:
        """Sets a row aside that Comet rejected; `retry_all` makes it due again.

        If the prediction was deleted meanwhile, the row is removed: it would hold back the deletion.
        """
        about = claimed.prediction_id
        with writing(self._engine) as connection:
            if claimed.kind != "deletion" and predictions_with(connection, "deletion", [about]):
                connection.execute(delete(outbox).where(*self._mine([claimed])))
                return
            self._give_back(connection, [claimed], set_aside_at=self._clock(connection), reason=reason)

    def release(self, claimed: Iterable[Claimed]) -> None:
        """Gives rows back that were not attempted."""
        with writing(self._engine) as connection:
            self._give_back(connection, claimed, attempts=outbox.c.attempts - 1)

    def anything_due(
        self, kinds: Collection[str] | None = None, but: Collection[str] = (), failed: bool = False
    ) -> bool:
        """Whether a claim would find a row; with `failed`, also whether one waits to be tried again."""
        c = outbox.c
        waits = c.reason.is_not(None) & c.set_aside_at.is_(None) & c.kind.not_in(but)
        with reading(self._engine) as connection:
            due = _claimable(self._clock(connection), kinds, but)
            query = select(c.id).where(due | waits if failed else due).limit(1)
            return connection.execute(query).first() is not None

    def retry_all(self) -> int:
        """Makes all rows that are set aside or paused due now; returns how many were set aside."""
        aside = update(outbox).where(outbox.c.set_aside_at.is_not(None))
        paused = update(outbox).where(outbox.c.kind.not_in(TASKS), outbox.c.attempts > 0)
        with writing(self._engine) as connection:
            count = connection.execute(aside.values(set_aside_at=None, next_attempt_at=None)).rowcount
            connection.execute(paused.values(next_attempt_at=None))
        return count

    def schedule(self, kind: str, subject: str, payload: dict[str, Any]) -> None:
        """Adds a task that is due now; see the function `schedule`."""
        with writing(self._engine) as connection:
            schedule(connection, kind, subject, payload, self._clock(connection))

    def begin(self, kind: str) -> Claimed:
        """Adds a task of its own that this sender has claimed."""
        subject = uuid4().hex
        with writing(self._engine) as connection:
            now = self._clock(connection)
            row = {"kind": kind, "prediction_id": subject, "payload": {}, "created_at": now, "attempts": 1}
            claim = {"claimed_by": self._sender, "claimed_until": now + self.lease}
            added = insert(outbox).values(row | claim).returning(outbox.c.id)
            return Claimed(connection.execute(added).scalar_one(), kind, subject, {}, 1)

    def add_again(self, rows: Sequence[dict[str, Any]]) -> int:
        """Adds rows that were sent before, except those that are still in the outbox; returns how many.

        They count as attempted, so their sender first checks what arrived.
        """
        rows = [row | {"attempts": 1} for row in rows]
        with writing(self._engine) as connection:
            waiting: set[tuple[str, str, Any]] = set()
            for ids in batches({row["prediction_id"] for row in rows}):
                here = select(outbox).where(outbox.c.prediction_id.in_(ids))
                waiting |= {_key(dict(row)) for row in connection.execute(here).mappings()}
            new = [row for row in rows if _key(row) not in waiting]
            if new:
                connection.execute(insert(outbox), new)
            return len(new)

    def state(self) -> OutboxState:
        """Counts of what is still to be sent."""
        message = outbox.c.kind.not_in(TASKS)
        aside = outbox.c.set_aside_at.is_not(None)
        behind = _has_earlier(set_aside=True)
        counts = select(func.count(), func.min(outbox.c.created_at)).where(message, ~aside, ~behind)
        held = select(func.count()).where(message, ~aside, behind)
        reasons = select(outbox.c.reason, func.count()).where(aside).group_by(outbox.c.reason)
        with reading(self._engine) as connection:
            queued, oldest = connection.execute(counts).one()
            return OutboxState(
                queued,
                oldest,
                {reason or "": count for reason, count in connection.execute(reasons)},
                connection.execute(held).scalar_one(),
            )

    def contains(self, kind: str, prediction_id: str = "") -> bool:
        """Whether a row of this kind is in the outbox: about this prediction, or any."""
        about = [outbox.c.prediction_id == prediction_id] if prediction_id else []
        query = select(outbox.c.id).where(outbox.c.kind == kind, *about)
        with reading(self._engine) as connection:
            return connection.execute(query).first() is not None

    def _give_back(self, connection: Connection, claimed: Iterable[Claimed], **values: Any) -> None:
        values |= {"claimed_by": None, "claimed_until": None}
        connection.execute(update(outbox).where(*self._mine(claimed)).values(values))

    def _mine(self, claimed: Iterable[Claimed]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
        return outbox.c.id.in_([each.id for each in claimed]), outbox.c.claimed_by == self._sender


def withdraw(connection: Connection, prediction_ids: Collection[str]) -> None:
    """Removes the rows about these predictions, except those being sent at this moment.

    Those stay, so that the deletion message, which is added after them, is also sent after them.
    """
    theirs = outbox.c.prediction_id.in_(prediction_ids), outbox.c.claimed_by.is_(None)
    connection.execute(delete(outbox).where(*theirs))


def schedule(
    connection: Connection, kind: str, subject: str, payload: dict[str, Any], due: datetime | None = None
) -> None:
    """Adds a task, once, due now or at `due`.

    A scheduled one keeps its time unless `due` is earlier; one that was set aside is tried again.
    """
    c = outbox.c
    same = c.kind == kind, c.prediction_id == subject, c.claimed_by.is_(None)
    query = select(c.id, c.next_attempt_at, c.set_aside_at).where(*same)
    scheduled = connection.execute(query).first()
    if scheduled is None:
        row = {"kind": kind, "prediction_id": subject, "payload": payload, "next_attempt_at": due}
        connection.execute(insert(outbox).values(row | {"created_at": database_now(connection)}))
        return
    sooner = due is not None and scheduled.next_attempt_at is not None and due < scheduled.next_attempt_at
    if sooner or scheduled.set_aside_at is not None:
        changes = {"next_attempt_at": due, "set_aside_at": None}
        connection.execute(update(outbox).where(c.id == scheduled.id).values(changes))


def send_now(connection: Connection, prediction_ids: Collection[str]) -> None:
    """Makes held-back rows about predictions due that were never attempted."""
    held = outbox.c.prediction_id.in_(prediction_ids), outbox.c.attempts == 0
    connection.execute(update(outbox).where(*held).values(next_attempt_at=None))


def predictions_with(connection: Connection, kind: str, prediction_ids: Collection[str]) -> set[str]:
    """The given predictions about which a row of this kind is in the outbox."""
    return found_in(connection, outbox.c.prediction_id, prediction_ids, outbox.c.kind == kind)


def _key(row: Mapping[Any, Any]) -> tuple[str, str, Any]:
    """The key that distinguishes the messages about a prediction."""
    payload = row["payload"]
    return row["kind"], row["prediction_id"], payload.get("n") or payload.get("made_at")


def _claimable(now: datetime, kinds: Collection[str] | None, but: Collection[str]) -> ColumnElement[bool]:
    c, latest = outbox.c, now + CLOCK_READ_TOLERANCE
    unclaimed = or_(c.claimed_until.is_(None), c.claimed_until <= now, c.claimed_until > latest + LEASE)
    pause_is_over = or_(
        c.next_attempt_at.is_(None),
        c.next_attempt_at <= now,
        (c.attempts > 0) & (c.next_attempt_at > latest + LONGEST_PAUSE),
    )
    wanted = c.kind.in_(kinds) if kinds else c.kind.not_in(but)
    return c.set_aside_at.is_(None) & unclaimed & pause_is_over & wanted & ~_has_earlier()


def _has_earlier(set_aside: bool = False) -> ColumnElement[bool]:
    """Whether an earlier row holds back a row about the same prediction (or: while it is set aside)."""
    earlier = outbox.alias("earlier")
    same, holds = earlier.c.prediction_id == outbox.c.prediction_id, earlier.c.kind != "feedback_undone"
    found = exists().where(same, holds, earlier.c.id < outbox.c.id)
    return found.where(earlier.c.set_aside_at.is_not(None)) if set_aside else found
