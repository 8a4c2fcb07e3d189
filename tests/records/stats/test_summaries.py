"""The summaries agree with the rows, whatever happened to those and in whatever order."""

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text

from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import bin_of
from tests.waiting import a_writer_that_waits
from vibecheck.emotions import NAMES
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.summary_tables import daily, outcomes
from vibecheck.records.db.tables import calibrations, feedback, jobs, predictions, readings
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.stats import summaries
from vibecheck.records.stats.results import Scope
from vibecheck.records.store import Store


def contents(engine: Engine) -> tuple[list, list]:
    """Both summaries; rows that count nothing are as good as none, and sums are compared roughly."""
    with reading(engine) as connection:
        days = connection.execute(select(daily).where(daily.c.n != 0)).mappings()
        judged = connection.execute(select(outcomes)).mappings()
        return (
            sorted(
                [[round(v, 6) if isinstance(v, float) else v for v in row.values()] for row in days], key=str
            ),
            sorted([list(row.values()) for row in judged], key=str),
        )


def recounted(engine: Engine) -> tuple[list, list]:
    with writing(engine) as connection:
        summaries.rebuild(connection)
    return contents(engine)


@pytest.fixture
def busy(store: Store) -> Store:
    """A store with a history: days, models, all kinds of labels and plays, and a purge."""
    rng = random.Random(1)
    for number in range(24):
        shares = [rng.random() for _ in NAMES]
        shares = tuple(each / sum(shares) for each in shares)
        prediction = a_prediction(
            made_at=NOON + timedelta(hours=17 * number),
            source=rng.choice(["live", "photo", "upload"]),
            probabilities=shares,
            confidence=max(shares),
            mood=NAMES[shares.index(max(shares))],
            model_version=rng.choice(["a", "b"]),
            audit=rng.random() < 0.5,
        )
        store.add(prediction, None)
        for _ in range(rng.randrange(4)):
            source = rng.choice(["audit", "volunteered", "labeller", "import"])
            store.label(prediction.id, rng.choice(NAMES), source, None, prediction.made_at)
        for _ in range(rng.randrange(3)):
            store.played(prediction.id, again=rng.random() < 0.5, now=prediction.made_at, **PLAY)
        if number % 3 == 0:
            store.keep_picture(prediction.id, JPEG, prediction.made_at)
    store.purge(NOON + timedelta(days=4))
    for minute in range(6):  # of whose answers three count
        moment = NOON + timedelta(days=9, minutes=minute)
        keen = a_prediction(made_at=moment, audit=True, visitor="keen")
        store.add(keen, None)
        store.label(keen.id, "happy", "audit", "keen", moment)
    return store


def test_summaries_equal_a_fresh_count_of_the_rows(busy, engine):
    kept = contents(engine)
    assert kept == recounted(engine)
    assert sum(day.n for day in busy.statistics.days(Scope())) == busy.count() == 24


def test_migration_fills_the_summaries_as_the_code_does(busy, engine, database_url):
    kept = contents(engine)
    with writing(engine) as connection:
        for table in (outcomes, daily, jobs, readings, calibrations):
            table.drop(connection)
        connection.execute(text("DROP INDEX ix_predictions_confidence"))
        for index in ("feedback_labellers", "feedback_second", "predictions_second"):
            connection.execute(text(f"DROP INDEX ix_{index}"))
        connection.execute(text("CREATE INDEX ix_feedback_source_given_by ON feedback (source, given_by)"))
        connection.execute(text("ALTER TABLE predictions DROP COLUMN side"))
        connection.execute(text("ALTER TABLE predictions DROP COLUMN counts"))
        connection.execute(text("ALTER TABLE predictions DROP COLUMN judged_twice"))
        connection.execute(text("ALTER TABLE predictions DROP COLUMN calibration"))
        connection.execute(text("ALTER TABLE trained_on DROP COLUMN deleted_at"))
        connection.execute(text("ALTER TABLE plays DROP COLUMN category"))
        connection.execute(text("ALTER TABLE plays DROP COLUMN followed"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0004'"))
    open_database(database_url).dispose()
    assert contents(engine) == kept


def test_deleting_everything_empties_the_summaries(busy, engine):
    busy.purge(NOON + timedelta(days=999))
    assert contents(engine) == ([], [])
    assert busy.statistics.sources() == []


def test_flooding_visitor_counts_ten_checks_and_three_plays_per_playlist_a_day(store, engine):
    for number in range(13):
        flood = a_prediction(visitor="flood", made_at=NOON + timedelta(minutes=number))
        store.add(flood, None)
        for _ in range(5):
            store.played(flood.id, again=True, now=flood.made_at, **PLAY)
    other = a_prediction(visitor="other", mood="sad")
    store.add(other, None)
    (day,) = store.statistics.days(Scope())
    assert (day.n, day.plays, sum(day.bins)) == (14, 30, 11)
    mix = store.statistics.mix(Scope())
    assert (mix.n, mix.moods[0, NAMES.index("happy")], mix.moods[0, NAMES.index("sad")]) == (11, 10, 1)
    assert {counts.sum() for counts in mix.signals.values()} == {11}
    happy = store.statistics.plays(Scope())[0]
    assert (happy.predictions, happy.plays, happy.agains) == (10, 30, 30)
    assert contents(engine) == recounted(engine)
    store.add(a_prediction(visitor="flood", made_at=NOON + timedelta(days=1)), None)
    assert store.statistics.mix(Scope()).n == 12, "the next day counts anew"
    store.forget_visitor("flood", NOON)
    assert store.statistics.mix(Scope()).n == 1 and contents(engine) == recounted(engine)


def test_forgetting_an_unknown_prediction_leaves_the_summaries_unchanged(store, engine):
    prediction, other = a_prediction(), a_prediction()
    store.add(prediction, None)
    store.add(other, None)

    def remove(connection: Connection) -> None:
        summaries.forget(connection, [prediction.id])
        connection.execute(delete(predictions).where(predictions.c.id == prediction.id))

    def second() -> None:
        with writing(engine) as connection:
            remove(connection)

    with ThreadPoolExecutor(1) as thread, a_writer_that_waits(engine) as wait_for_it:
        with writing(engine) as connection:
            remove(connection)
            late = thread.submit(second)
            wait_for_it()
        late.result()
    assert store.statistics.mix(Scope()).n == 1
    assert contents(engine) == recounted(engine)


def test_days_are_counted_in_utc(store):
    late = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5)))
    store.add(a_prediction(made_at=late), None)
    assert [day.day for day in store.statistics.days(Scope())] == [date(2026, 2, 1)]


def outcome_of(store: Store, *given: tuple[str, str], audit: bool = True) -> dict:
    """For each kind of label that counts, whether the mood (happy) was right."""
    prediction = a_prediction(audit=audit)
    store.add(prediction, None)
    for label, source in given:
        store.label(prediction.id, label, source, None, NOON)
    return {kind: found.correct == 1 for kind, found in store.statistics.answers(Scope()).items()}


def test_first_answer_to_an_audit_counts(store):
    assert outcome_of(store, ("happy", "audit"), ("sad", "audit")) == {"audit": True}


def test_last_volunteered_label_counts(store):
    assert outcome_of(store, ("sad", "volunteered"), ("happy", "volunteered")) == {"volunteered": True}


def test_audit_answer_is_ignored_if_the_check_was_not_drawn_for_audit(store):
    assert outcome_of(store, ("happy", "audit"), audit=False) == {}


def test_labellers_label_does_not_change_the_audit_outcome(store):
    found = outcome_of(store, ("happy", "audit"), ("sad", "labeller"))
    assert found == {"audit": True, "labeller": False}


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ([("sad", "audit"), ("happy", "audit")], "happy"),
        ([("sad", "labeller"), ("happy", "volunteered")], "sad"),
        ([("sad", "labeller"), ("fear", "labeller"), ("happy", "audit")], "fear"),
    ],
)
def test_effective_label_is_the_newest_and_labellers_override_visitors(store, engine, given, label):
    outcome_of(store, *given)
    with reading(engine) as connection:
        assert connection.execute(select(outcomes.c.label).where(outcomes.c.holds)).scalars().all() == [label]


def test_label_outside_the_seven_moods_is_neither_right_nor_wrong(store, engine):
    prediction = a_prediction(audit=True)
    store.add(prediction, None)
    with writing(engine) as connection:
        row = {"prediction_id": prediction.id, "n": 1, "label": "not a face", "source": "audit"}
        connection.execute(insert(feedback).values(row | {"given_by": None, "given_at": NOON}))
        summaries.judge(connection, [prediction.id])
    assert contents(engine)[1] == []


def test_deleting_a_label_removes_its_outcome(store, engine):
    outcome_of(store, ("sad", "volunteered"))
    with writing(engine) as connection:
        prediction_id = connection.execute(delete(feedback).returning(feedback.c.prediction_id)).scalar_one()
        summaries.judge(connection, [prediction_id])
    assert contents(engine)[1] == []


def test_the_bins_of_the_database_are_those_of_the_code(store, engine):
    from vibecheck.records.stats.bins import SIGNALS
    from vibecheck.vision.faces import FaceQuality

    for number in range(40):
        quality = FaceQuality(
            light=6.5 * number, blur=5.0 * number, size=16 + 4.0 * number, yaw=number - 20, roll=0
        )
        store.add(a_prediction(quality=quality, made_at=NOON.astimezone(UTC), visitor=None), None)
        mix = store.statistics.mix(Scope())
        for signal in SIGNALS[1:]:
            counts = mix.signals[signal.column].sum(axis=0)
            assert counts[bin_of(signal, getattr(quality, signal.column))] > 0
    assert {counts.sum() for counts in mix.signals.values()} == {40}
