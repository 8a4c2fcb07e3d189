import pytest
from tests.comet.conftest import FAST
from tests.records.examples import NOON, a_prediction, JPEG
from vibecheck.comet.sender import Sender


def test_everything_arrives_with_the_whole_prediction_in_the_metadata(settings, store, comet):
    with_picture, bare = a_prediction(picture_kept=True), a_prediction()
    store.add(with_picture, JPEG, "the project's own")
    store.add(bare, None)
    store.label(bare.id, "sad", "audit", None, NOON)
    Sender(settings, store, FAST).run(until_empty=True)
    print(comet.names())
    print([r for r in store.queued()])
    assert 0
