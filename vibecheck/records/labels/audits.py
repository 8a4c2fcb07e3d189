"""Which vibe checks may be audits, and the answers to audits.

A visitor is asked only a few times a day, so that none dominates the accuracy, and not when they press again
before they could look at the result.
"""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, Row, func, select

from vibecheck.records.db.summary_tables import outcomes
from vibecheck.records.db.tables import PROBABILITIES, predictions
from vibecheck.records.stats.results import Scope
from vibecheck.records.stats.summaries import MOST_A_DAY
from vibecheck.records.stats.visitor_tallies import audits, of_whom

# A vibe check this soon after the last one is not deliberate: nobody has looked at the last result.
LOOKED = timedelta(seconds=5)


def may_be_asked(connection: Connection, visitor: str, now: datetime) -> bool:
    """Whether a vibe check of a visitor may be an audit: it depends on earlier ones, never on its answer."""
    of = predictions.c
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    mine = of.visitor == visitor, of.made_at >= min(today, now - LOOKED)
    asked = func.count().filter(of.audit, of.made_at >= today)
    last, asked_today = connection.execute(select(func.max(of.made_at), asked).where(*mine)).one()
    return asked_today < MOST_A_DAY and (last is None or now - last >= LOOKED)


def count_answered(
    connection: Connection, version: str, since: datetime | None = None
) -> tuple[int, int, datetime | None]:
    """How many audits of a version were answered, how many after `since`, and when the newest was.

    At most MOST_A_DAY count per visitor and day.
    """
    given = outcomes.c.given_at
    later = func.count() if since is None else func.count().filter(given > since)
    query = select(func.count(), later, func.max(given)).where(*audits(Scope(model_version=version)))
    count, new, newest = connection.execute(query).one()
    return count, new, newest


def answered(connection: Connection, version: str, limit: int) -> list[Row]:
    """The `limit` newest of them, oldest first: `made_at`, `who`, `label`, `calibration`, and p_angry to
    p_surprise."""
    of = predictions.c
    shares = [of[name] for name in PROBABILITIES]
    query = (
        select(of.made_at, of_whom(), outcomes.c.label, of.calibration, *shares)
        .join_from(outcomes, predictions)
        .where(*audits(Scope(model_version=version)))
        .order_by(of.made_at.desc(), of.id)
        .limit(limit)
    )
    return list(reversed(connection.execute(query).all()))
