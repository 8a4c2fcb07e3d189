from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, inspect, select
from sqlalchemy.exc import StatementError

from tests.records.examples import NOON
from vibecheck.records.db.tables import model_versions, outbox
from vibecheck.records.db.transactions import reading, writing

HALF_PAST = timezone(timedelta(hours=5, minutes=30))
MOMENTS = st.datetimes(
    datetime(1970, 1, 2),
    datetime(2200, 1, 1),
    timezones=st.integers(-720, 840).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)


def save(engine, version, moment):
    with writing(engine) as connection:
        connection.execute(
            insert(model_versions).values(version=version, origin="test", first_used_at=moment)
        )


def moments(engine):
    query = select(model_versions.c.first_used_at).order_by(model_versions.c.first_used_at)
    with reading(engine) as connection:
        return list(connection.execute(query).scalars())


# The database is the same for all examples; each example clears it.
@hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(times=st.lists(MOMENTS, min_size=1, max_size=5))
def test_times_come_back_in_utc_and_in_order(engine, times):
    with writing(engine) as connection:
        connection.execute(delete(model_versions))
    for number, moment in enumerate(times):
        save(engine, str(number), moment)
    found = moments(engine)
    assert found == sorted(times)
    assert {moment.tzinfo for moment in found} == {UTC}


def test_a_time_without_a_zone_is_refused(engine):
    with pytest.raises(StatementError, match="time zone"):
        save(engine, "1", datetime(2026, 1, 31))
    assert moments(engine) == []


def test_times_are_compared_across_zones(engine):
    save(engine, "1", NOON)
    query = select(model_versions.c.version).where(
        model_versions.c.first_used_at == NOON.astimezone(HALF_PAST)
    )
    with reading(engine) as connection:
        assert connection.execute(query).scalars().all() == ["1"]


def test_outbox_numbers_are_never_reused(engine):
    def send_one():
        row = {"kind": "play", "prediction_id": "0" * 32, "payload": {}, "created_at": NOON}
        with writing(engine) as connection:
            number = connection.execute(insert(outbox).values(row)).inserted_primary_key[0]
            connection.execute(delete(outbox))
        return number

    assert send_one() < send_one() < send_one()


def test_frequent_queries_have_an_index(engine):
    found = inspect(engine)
    indexes = {
        (table, tuple(index["column_names"]))
        for table in found.get_table_names()
        for index in found.get_indexes(table)
    }
    assert indexes == {
        ("feedback", ("given_by", "queue")),
        ("feedback", ("given_by",)),
        ("calibrations", ("version", "from_when")),
        ("predictions", ("id",)),
        ("predictions", ("label",)),
        ("predictions", ("made_at",)),
        ("predictions", ("model_version", "made_at")),
        ("predictions", ("mood", "confidence")),
        ("predictions", ("mood", "made_at")),
        ("predictions", ("confidence",)),
        ("outcomes", ("day",)),
        ("outcomes", ("visitor", "day")),
        ("predictions", ("visitor", "made_at")),
        ("outbox", ("prediction_id",)),
        ("trained_on", ("prediction_id",)),
        ("jobs", ("state",)),
    }
