import io
from base64 import b64decode

import pytest
from PIL import Image

from tests.records.examples import a_prediction
from tests.ui.examples import face
from tests.ui.home.test_mood_card import State
from vibecheck.records.pictures import Pictures
from vibecheck.ui.shared import face_pictures


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
