from tests.records.examples import a_prediction
from tests.records.rows import engine_of
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.tables import predictions
from vibecheck.records.db.transactions import reading


def test_more_values_than_a_query_takes_are_found(store):
    made = a_prediction()
    store.add(made, None)
    unknown = [f"{number:032x}" for number in range(40_000)]
    with reading(engine_of(store)) as connection:
        assert found_in(connection, predictions.c.id, [*unknown, made.id]) == {made.id}
        kept = found_in(connection, predictions.c.id, [made.id], predictions.c.picture_kept)
    assert kept == set()
