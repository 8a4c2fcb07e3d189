import io
import time
from base64 import b64decode

import pytest
from PIL import Image

from tests.records.examples import a_prediction
from tests.ui.examples import face
from tests.ui.home.test_mood_card import State
from vibecheck.errors import RecordsError
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.records.pictures import Pictures
from vibecheck.ui.shared import face_pictures
from vibecheck.ui.shared.process_state import ProcessValue


@pytest.mark.parametrize("side", [face_pictures.SIDE, face_pictures.THUMBNAIL])
def test_picture_is_sent_as_a_data_uri_no_larger_than_requested(store, side):
    kept, other = a_prediction(picture_kept=True), a_prediction()
    store.add(kept, face())
    store.add(other, None)
    head, _, data = face_pictures.data_uri(kept.id, side).partition(",")
    assert head == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(b64decode(data))) as picture:
        assert max(picture.size) == min(side, 200), "never enlarged"
    assert face_pictures.data_uri(other.id, side) == ""
    store.forget([kept.id], kept.made_at)
    assert face_pictures.data_uri(kept.id, side) == ""


def test_a_session_reads_each_thumbnail_once_even_if_it_is_missing(store, monkeypatch):
    reads = []
    get = Pictures.get
    monkeypatch.setattr(Pictures, "get", lambda self, each: reads.append(each) or get(self, each))
    monkeypatch.setattr(face_pictures.st, "session_state", State())
    there, gone = a_prediction(picture_kept=True), a_prediction(picture_kept=True)
    for each in (there, gone):
        store.add(each, face())
    store.pictures.delete(gone.id)
    for _ in range(2):
        assert face_pictures.thumbnail(there.id) and not face_pictures.thumbnail(gone.id)
    assert reads == [there.id, gone.id]


def test_a_thumbnail_that_could_not_be_read_is_read_again(store, monkeypatch):
    monkeypatch.setattr(face_pictures.st, "session_state", State())
    kept = a_prediction(picture_kept=True)
    store.add(kept, face())
    with monkeypatch.context() as outage:
        outage.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
        outage.setattr(Pictures, "get", unreachable)
        assert face_pictures.thumbnail(kept.id) == ""
        with pytest.raises(RecordsError):
            face_pictures.data_uri(kept.id, face_pictures.SIDE)
    assert face_pictures.thumbnail(kept.id)


def test_a_page_of_thumbnails_waits_for_the_storage_once(store, monkeypatch):
    monkeypatch.setattr(face_pictures.st, "session_state", State())
    monkeypatch.setattr(face_pictures, "_reads", ProcessValue(CircuitBreaker))
    tried = []

    def hang(_, prediction_id):
        tried.append(prediction_id)
        time.sleep(0.3)
        unreachable()

    monkeypatch.setattr(Pictures, "get", hang)
    kept = [a_prediction(picture_kept=True) for _ in range(5)]
    for each in kept:
        store.add(each, face())
    assert [face_pictures.thumbnail(each.id) for each in kept] == [""] * 5
    assert tried == [kept[0].id]


def unreachable(*_):
    raise RecordsError("A picture could not be read.")
