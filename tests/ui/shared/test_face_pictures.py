import io
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.records.examples import a_prediction
from tests.ui.examples import face
from vibecheck.ui.shared import face_pictures

IDS = ["0" * 32, "a1" * 16]
ANYTHING = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(ANYTHING | st.sampled_from(IDS) | st.from_regex(r"[0-9a-f]{32}"), st.sampled_from([[], IDS]))
def test_only_pictures_that_were_shown_can_be_picked(picked, shown):
    found = face_pictures.pressed(picked, shown)
    assert found is None or (found == picked and found in shown)


def test_shown_picture_can_be_picked():
    assert face_pictures.pressed(IDS[1], IDS) == IDS[1]


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
