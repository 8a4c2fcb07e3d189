import cv2
import numpy as np
import pytest

from tests.vision.test_faces import pasted, scaled, turned
from vibecheck.emotions import NAMES
from vibecheck.errors import UnreadablePicture
from vibecheck.vision.faces import Face
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Expected


def top(reading) -> str:
    return NAMES[int(np.argmax(reading.probabilities))]


def test_a_doubtful_face_gets_a_hint(reader, astronaut):
    outlines = np.dstack([255 - cv2.Canny(astronaut[10:260, 100:330], 80, 160)] * 3)
    assert "may not be a real face" in " ".join(reader.read_still(outlines).hints)
    assert reader.read_still(astronaut).hints == ()


def test_photo_reading_has_mood_quality_and_kept_crop(reader, astronaut):
    reading = reader.read_still(astronaut)
    assert top(reading) == "happy"
    assert sum(reading.probabilities) == pytest.approx(1)
    assert reading.quality.hints == ()
    assert reading.kept()[0].shape == (140, 140, 3)
    assert reading.took_ms > 0


def test_picture_without_a_face_gives_an_empty_reading(reader, empty_room):
    frame = reader.read_frame(empty_room, 1.0, Expected(closely=True))
    for reading in (reader.read_still(empty_room), frame):
        assert reading.face is None
        assert (reading.probabilities, reading.quality, reading.kept) == (None, None, None)


def test_small_face_in_a_photo_is_searched_at_full_size(reader, astronaut):
    """In the detector's first copy it is 12 px."""
    photo = pasted((2000, 3000), (scaled(astronaut[20:220, 130:300], 1.0), 1500, 900))
    assert reader.detector.find(photo) == []
    assert top(reader.read_still(photo)) == "happy"


def test_small_face_in_a_frame_is_found_only_by_a_close_search(reader, astronaut):
    frame = pasted((480, 640), (scaled(astronaut[20:220, 130:300], 40 / 112), 300, 100))
    assert reader.read_frame(frame, 0.0).face is None
    assert reader.read_frame(frame, 0.0, Expected(closely=True)).face.side == pytest.approx(40, rel=0.15)


def test_the_largest_face_is_read_first(reader, astronaut):
    head = astronaut[20:220, 130:300]
    frame = pasted((480, 640), (head, 20, 200), (scaled(head, 1.6), 330, 80))
    reading = reader.read_frame(frame, 0.0)
    assert reading.faces[0].x > 300 > reading.faces[1].x


def test_kept_crop_is_made_once_and_only_on_request(reader, astronaut, monkeypatch):
    looked = []
    bystanders = reader.detector.bystanders
    monkeypatch.setattr(reader.detector, "bystanders", lambda *seen: looked.append(1) or bystanders(*seen))
    reading = reader.read_frame(astronaut, 0.0)
    assert not looked
    assert reading.kept() is reading.kept() and len(looked) == 1


def test_followed_face_reads_like_a_searched_one(reader, astronaut):
    searched = reader.read_frame(astronaut, 0.0)
    followed = reader.read_frame(astronaut, 0.1, Expected(searched.face, follow=True))
    assert top(followed) == top(searched) == "happy"
    assert followed.face.centre == pytest.approx(searched.face.centre, abs=8)
    assert followed.face != searched.face, "it was looked at anew"


def test_plain_and_mirrored_readings_average_to_the_combined_reading(reader, astronaut):
    """The mean of logits: a correction for the prior is the same for both."""
    sides = (None, False, True)
    readings = [reader.read_frame(astronaut, 0.0, Expected(mirrored=side)) for side in sides]
    both, face, mirror = (np.log(reading.probabilities) for reading in readings)
    mean = (face + mirror) / 2
    assert both - both.mean() == pytest.approx(mean - mean.mean(), abs=1e-4)
    assert np.abs(face - mirror).max() > 0.1


def test_face_that_cannot_be_followed_is_searched_again(reader, astronaut):
    before = reader.read_frame(astronaut, 0.0).face
    elsewhere = pasted((512, 1024), (astronaut, 500, 0))
    assert reader.read_frame(elsewhere, 0.1, Expected(before, follow=True)).face.x > 500


def test_reader_stays_with_one_of_two_people_of_equal_size(reader, astronaut):
    head = astronaut[20:220, 130:300]
    frame = pasted((480, 640), (scaled(head, 1.05), 20, 100), (head, 350, 100))
    left, right = reader.read_frame(frame, 0.0).faces
    assert left.x < right.x
    # whoever was read before is read again
    assert reader.read_frame(frame, 0.1, Expected(right)).face.x > 300
    assert reader.read_frame(frame, 0.1, Expected(left)).face.x < 300
    # until the other is clearly larger
    nearer = pasted((480, 640), (scaled(head, 1.5), 20, 100), (head, 350, 100))
    assert reader.read_frame(nearer, 0.2, Expected(right)).face.x < 300
    # or they are gone
    gone = Face(600, 400, 30, 30, ((0, 0),) * 5, 1.0)
    assert reader.read_frame(frame, 0.3, Expected(gone)).face.x < 300


@pytest.mark.parametrize("degrees", [-25, 25])
def test_a_tilted_head_is_read_like_an_upright_one(reader, astronaut, degrees):
    assert top(reader.read_still(turned(astronaut, degrees))) == "happy"


def test_a_face_crop_is_read_as_a_whole(reader, astronaut, detector):
    face = detector.find(astronaut)[0]
    x, y, side = int(face.x), int(face.y), int(face.side)
    reading = reader.read_crop(astronaut[y : y + side, x - 10 : x - 10 + side])
    assert top(reading) == "happy"
    assert len(reading.faces) == 1


@pytest.mark.parametrize(
    "made",
    [
        lambda picture: picture[..., 0],
        lambda picture: picture[..., :1],
        lambda picture: np.dstack([picture, picture[..., :1]]),
        lambda picture: picture / 255,
        lambda picture: picture.astype(np.float32),
        lambda picture: picture.astype(np.uint16),
        lambda picture: picture.transpose(2, 0, 1),
        lambda picture: picture[:0],
        lambda picture: picture.tolist(),
        lambda picture: None,
    ],
)
def test_pixels_of_another_shape_or_type_are_refused_not_read_wrongly(reader, astronaut, made):
    with pytest.raises(UnreadablePicture, match="H x W x 3 uint8 RGB"):
        reader.read(made(astronaut))


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_a_files_bytes_may_be_in_any_buffer(reader, astronaut, kind):
    assert top(reader.read(kind(encode_jpeg(astronaut)))) == "happy"
