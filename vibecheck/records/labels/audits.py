"""Who is asked: no visitor too often, so that none carries the accuracy, nor faster than people look."""

from datetime import UTC, datetime, time, timedelta

from sqlalchemy import Connection, func, select

from vibecheck.records.db.tables import predictions
from vibecheck.records.stats.summaries import MOST_A_DAY

# A vibe check so soon after the last one is no deliberate one: nobody has looked at that result.
LOOKED = timedelta(seconds=5)


def may_be_asked(connection: Connection, visitor: str, now: datetime) -> bool:
    """Whether a vibe check of a visitor may be an audit: it depends on earlier ones, never on its answer."""
    of = predictions.c
    today = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    mine = of.visitor == visitor, of.made_at >= min(today, now - LOOKED)
    asked = func.count().filter(of.audit, of.made_at >= today)
    last, asked_today = connection.execute(select(func.max(of.made_at), asked).where(*mine)).one()
    return asked_today < MOST_A_DAY and (last is None or now - last >= LOOKED)
