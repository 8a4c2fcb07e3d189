"""The synthetic history of `vibecheck demo`, in a database that takes further records: for measurements."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Engine, update

from vibecheck.demo import history
from vibecheck.demo.world import Plan
from vibecheck.records import bulk
from vibecheck.records.db.tables import predictions
from vibecheck.records.db.transactions import writing
from vibecheck.records.stats import summaries


def fill(
    engine: Engine, count: int, days: int, until: datetime, seed: int = 0, pictured: bool = False
) -> list[str]:
    """Writes `count` predictions of the `days` before `until` with labels and plays; returns the ids.

    Unlike a demo's, the records are not marked as synthetic, so that others can be added. With `pictured`
    the rows say that their pictures were kept, of which there are none.
    """
    plan = Plan(until, seed, days, count, pictures=0)
    ids: list[str] = []
    with writing(engine) as connection:
        versions = [replace(each, origin="made up for measurements") for each in history.versions(plan)]
        bulk.write_versions(connection, versions)
        for records, _ in history.parts(plan, None):
            bulk.write(connection, records)
            ids += [each.id for each in records.predictions]
        if pictured:
            connection.execute(update(predictions).values(picture_kept=True))
        summaries.rebuild(connection)
    return ids
