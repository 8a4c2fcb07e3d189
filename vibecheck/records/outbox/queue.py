"""The outbox as a queue that any number of senders share.

A sender claims rows for a while (`LEASE`). What it does not finish in that time, because it died or
hangs, others take up. The rows of one prediction leave in the order in which they came: none is
claimed while an earlier one is there, whether it waits, is being sent, or is set aside.

Times are the database's, so senders on several machines agree. A claim, or a pause, that reaches
further into the future than any can is left from before the clock was set back, and does not count.
A sender learns the time first and looks after that (on Postgres without a lock): what another one took
in between reaches as much further, and does count.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from vibecheck.records.db.tables import outbox
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.messages import Outgoing

# For how long a claim holds, unless it is renewed. Longer than any one request to Comet takes.
LEASE = timedelta(minutes=2)
# The longest pause between two attempts at a row.
LONGEST_PAUSE = timedelta(hours=1)
# The longest time between a sender's look at the clock and its look at the rows.
SLOWEST_LOOK = timedelta(minutes=1)
# Rows that are work to do, and not news to tell: a day's roll-up, reading back. Nobody waits for them.
ROLLUP = "rollup"
RESTORE = "restore"
CHORES = (ROLLUP, RESTORE)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row that a sender has in hand. `attempts` counts this one, so the first time it is 1."""

    row: Outgoing
    attempts: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits. `queued` counts what is still to be sent, `oldest` is the time of the oldest of it.

    `set_aside` says for each reason how many rows Comet will not have; `behind` counts those that wait
    behind one of them. `trouble` is why the last attempt at what is queued failed, or None.
    """

    queued: int
    oldest: datetime | None
    set_aside: dict[str, int]
    behind: int
    trouble: str | None


def moment(connection: Connection) -> datetime:
    """The time by the clock of the database: on SQLite, that of this machine."""
    if connection.dialect.name == "postgresql":
        return connection.execute(select(func.clock_timestamp())).scalar_one()
    return datetime.now(UTC)


def claim(
    connection: Connection,
    by: str,
    limit: int,
    now: datetime,
    lease: timedelta = LEASE,
    kinds: Collection[str] | None = None,
    but: Collection[str] = (),
) -> list[Claimed]:
    """Takes up to `limit` rows that are due, oldest first, for the sender named `by`.

    `kinds` names the only kinds to take, `but` those to leave. Needs a `writing` transaction.
    """
    taken_for = now + lease
    query = (
        select(outbox)
        .where(_takeable(now, kinds, but))
        .order_by(outbox.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = connection.execute(query).mappings().all()
    if rows:
        connection.execute(
            update(outbox)
            .where(outbox.c.id.in_([row["id"] for row in rows]))
            .values(claimed_by=by, claimed_until=taken_for, attempts=outbox.c.attempts + 1)
        )
    return [Claimed(_outgoing(row), row["attempts"] + 1) for row in rows]


def renew(
    connection: Connection, by: str, rows: Iterable[Claimed], now: datetime, lease: timedelta
) -> set[int]:
    """Holds on to claimed rows; returns the numbers of those that are still this sender's."""
    ids = [claimed.row.id for claimed in rows]
    mine = outbox.c.id.in_(ids), outbox.c.claimed_by == by
    connection.execute(update(outbox).where(*mine).values(claimed_until=now + lease))
    return set(connection.execute(select(outbox.c.id).where(*mine)).scalars())


def finish(connection: Connection, by: str, claimed: Claimed) -> bool:
    """Removes a row that was delivered; False where it is no longer this sender's."""
    return _changed(connection.execute(delete(outbox).where(*_mine(by, claimed))))


def postpone(connection: Connection, by: str, claimed: Claimed, until: datetime, reason: str) -> bool:
    """Gives a row back after an attempt that failed, to be tried again from `until` on."""
    values = {"next_attempt_at": until, "reason": reason, "claimed_by": None, "claimed_until": None}
    return _changed(connection.execute(update(outbox).where(*_mine(by, claimed)).values(values)))


def release(connection: Connection, by: str, claimed: Iterable[Claimed], reason: str | None = None) -> None:
    """Gives rows back at which nothing was tried."""
    values: dict[str, Any] = {"claimed_by": None, "claimed_until": None, "attempts": outbox.c.attempts - 1}
    if reason is not None:
        values["reason"] = reason
    ids = [each.row.id for each in claimed]
    connection.execute(update(outbox).where(outbox.c.id.in_(ids), outbox.c.claimed_by == by).values(values))


def set_aside(connection: Connection, by: str, claimed: Claimed, reason: str, now: datetime) -> bool:
    """Puts a row aside that Comet refuses for good; `try_again` brings it back."""
    values = {"set_aside_at": now, "reason": reason, "claimed_by": None, "claimed_until": None}
    return _changed(connection.execute(update(outbox).where(*_mine(by, claimed)).values(values)))


def try_again(connection: Connection) -> int:
    """Makes everything that is set aside or paused due at once; returns how many rows were set aside."""
    aside = connection.execute(
        update(outbox)
        .where(outbox.c.set_aside_at.is_not(None))
        .values(set_aside_at=None, next_attempt_at=None)
    )
    connection.execute(
        update(outbox).where(outbox.c.kind.not_in(CHORES), outbox.c.attempts > 0).values(next_attempt_at=None)
    )
    return aside.rowcount


def withdraw(connection: Connection, prediction_ids: Collection[str]) -> None:
    """Takes what is told about these predictions out of the queue, save what is on its way right now.

    What is on its way cannot be called back: it stays in the queue, so that the news of the deletion,
    which comes after it, reaches Comet after it too.
    """
    connection.execute(
        delete(outbox).where(outbox.c.prediction_id.in_(prediction_ids), outbox.c.claimed_by.is_(None))
    )


def schedule(connection: Connection, kind: str, subject: str, payload: dict[str, Any], due: datetime) -> None:
    """Adds a chore, once: where the same one waits already, the sooner time holds."""
    same = and_(outbox.c.kind == kind, outbox.c.prediction_id == subject, outbox.c.claimed_by.is_(None))
    waiting = connection.execute(select(outbox.c.id, outbox.c.next_attempt_at).where(same)).first()
    if waiting is None:
        row = {"kind": kind, "prediction_id": subject, "payload": payload, "created_at": moment(connection)}
        connection.execute(insert(outbox).values(**row, next_attempt_at=due))
    elif waiting.next_attempt_at is not None and waiting.next_attempt_at > due:
        connection.execute(update(outbox).where(outbox.c.id == waiting.id).values(next_attempt_at=due))


def waiting(connection: Connection) -> Waiting:
    """What waits, counted."""
    told = outbox.c.kind.not_in(CHORES)
    aside = outbox.c.set_aside_at.is_not(None)
    behind = _has_earlier(set_aside=True)
    queued, oldest = connection.execute(
        select(func.count(), func.min(outbox.c.created_at)).where(told, ~aside, ~behind)
    ).one()
    held = connection.execute(select(func.count()).where(told, ~aside, behind)).scalar_one()
    reasons = select(outbox.c.reason, func.count()).where(aside).group_by(outbox.c.reason)
    last = (
        select(outbox.c.reason)
        .where(~aside, outbox.c.reason.is_not(None))
        .order_by(outbox.c.next_attempt_at.desc())
        .limit(1)
    )
    return Waiting(
        queued,
        oldest,
        {reason or "": count for reason, count in connection.execute(reasons)},
        held,
        connection.execute(last).scalar_one_or_none(),
    )


def waits(connection: Connection, prediction_id: str, kind: str) -> bool:
    """Whether a row of this kind about this prediction is still in the queue."""
    query = select(outbox.c.id).where(outbox.c.prediction_id == prediction_id, outbox.c.kind == kind).limit(1)
    return connection.execute(query).first() is not None


def about(connection: Connection, kind: str, prediction_ids: Collection[str]) -> set[str]:
    """Those of the predictions about which a row of this kind is in the queue."""
    query = select(outbox.c.prediction_id).where(
        outbox.c.prediction_id.in_(prediction_ids), outbox.c.kind == kind
    )
    return set(connection.execute(query).scalars())


class Queue:
    """The functions above, each in a transaction of its own, for one sender."""

    def __init__(self, engine: Engine, by: str, lease: timedelta = LEASE) -> None:
        self._engine = engine
        self._by = by
        self.lease = lease

    def claim(self, limit: int, **kinds: Collection[str]) -> list[Claimed]:
        """Up to `limit` rows that are due; see `claim`."""
        if not self.anything_due(**kinds):  # most looks find nothing, and need not hold up who writes
            return []
        with writing(self._engine) as connection:
            return claim(connection, self._by, limit, moment(connection), self.lease, **kinds)

    def renew(self, rows: Iterable[Claimed]) -> set[int]:
        """Holds on to these rows; see `renew`."""
        with writing(self._engine) as connection:
            return renew(connection, self._by, rows, moment(connection), self.lease)

    def finish(self, claimed: Claimed, then: Callable[[Connection, datetime], None] | None = None) -> bool:
        """Removes a delivered row and, in the same transaction, does what follows from it."""
        with writing(self._engine) as connection:
            if then is not None:
                then(connection, moment(connection))
            return finish(connection, self._by, claimed)

    def postpone(self, claimed: Claimed, pause: timedelta, reason: str) -> None:
        """Gives a row back, to be tried again after a pause."""
        with writing(self._engine) as connection:
            until = moment(connection) + min(pause, LONGEST_PAUSE)
            postpone(connection, self._by, claimed, until, reason)

    def release(self, claimed: Iterable[Claimed], reason: str | None = None) -> None:
        """Gives rows back at which nothing was tried."""
        with writing(self._engine) as connection:
            release(connection, self._by, claimed, reason)

    def set_aside(self, claimed: Claimed, reason: str) -> None:
        """Puts a row aside that Comet refuses for good."""
        with writing(self._engine) as connection:
            set_aside(connection, self._by, claimed, reason, moment(connection))

    def anything_due(self, **kinds: Collection[str]) -> bool:
        """Whether a claim would find something."""
        with reading(self._engine) as connection:
            query = select(outbox.c.id).where(_takeable(moment(connection), **kinds)).limit(1)
            return connection.execute(query).first() is not None


def _takeable(
    now: datetime, kinds: Collection[str] | None = None, but: Collection[str] = ()
) -> ColumnElement[bool]:
    wanted = outbox.c.kind.in_(kinds) if kinds else outbox.c.kind.not_in(but)
    return and_(_due(now), wanted, ~_has_earlier())


def _due(now: datetime) -> ColumnElement[bool]:
    c, latest = outbox.c, now + SLOWEST_LOOK
    unclaimed = or_(c.claimed_until.is_(None), c.claimed_until <= now, c.claimed_until > latest + LEASE)
    time_has_come = or_(
        c.next_attempt_at.is_(None),
        c.next_attempt_at <= now,
        and_(c.attempts > 0, c.next_attempt_at > latest + LONGEST_PAUSE),
    )
    return and_(c.set_aside_at.is_(None), unclaimed, time_has_come)


def _has_earlier(set_aside: bool = False) -> ColumnElement[bool]:
    """Whether an earlier row about the same prediction is there (or: is set aside)."""
    earlier = outbox.alias("earlier")
    found = exists().where(earlier.c.prediction_id == outbox.c.prediction_id, earlier.c.id < outbox.c.id)
    return found.where(earlier.c.set_aside_at.is_not(None)) if set_aside else found


def _mine(by: str, claimed: Claimed) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return outbox.c.id == claimed.row.id, outbox.c.claimed_by == by


def _changed(result: CursorResult) -> bool:
    return result.rowcount == 1


def _outgoing(row: Any) -> Outgoing:
    return Outgoing(row["id"], row["kind"], row["prediction_id"], row["payload"], row["created_at"])
