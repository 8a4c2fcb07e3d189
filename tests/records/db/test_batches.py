from vibecheck.records.db.batches import IN_A_QUERY, batches


def test_values_come_in_their_order_some_at_a_time():
    assert list(batches(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(batches(iter("abcd"), 2)) == [["a", "b"], ["c", "d"]]
    assert list(batches([])) == []


def test_a_batch_fits_into_a_query():
    first, second = batches(range(IN_A_QUERY + 1))
    assert (len(first), len(second)) == (IN_A_QUERY, 1)
