import numpy as np
import pytest
from PIL import ImageColor

from vibecheck.emotions import EMOTIONS, NAMES, Distribution
from vibecheck.vision import drawing
from vibecheck.vision.faces import Face


def face(x=200.0, y=150.0, side=160.0) -> Face:
    return Face(x, y, side, side, ((0, 0),) * 5, 1.0)


def shown(mood: str, confidence: float, fear: float = 0.0) -> Distribution:
    rest = (1 - confidence - fear) / 6
    return Distribution.of([confidence if name == mood else rest + fear * (name == "fear") for name in NAMES])


def blank() -> np.ndarray:
    return np.full((480, 640, 3), 30, np.uint8)


def pixels_of(picture: np.ndarray, colour: str) -> int:
    return int((np.abs(picture.astype(int) - ImageColor.getrgb(colour)).max(axis=2) < 12).sum())


def test_tag_gives_mood_and_confidence_or_says_hard_to_tell():
    assert drawing.tag(shown("happy", 0.876)) == ("Happy 88%", "#FFC94D")
    assert drawing.tag(shown("surprise", 0.876)) == ("Surprised 88%", "#FF8FD0")
    assert drawing.tag(shown("sad", 0.42, fear=0.36)) == ("Sad or afraid?", "#6EA8FF")


@pytest.mark.parametrize("emotion", EMOTIONS, ids=lambda emotion: emotion.name)
def test_box_and_label_have_the_moods_colour(emotion):
    picture = blank()
    drawing.draw(picture, (face(),), shown(emotion.name, 0.87))
    assert pixels_of(picture, emotion.colour) > 2000
    assert (picture[200:260, 240:320] == 30).all(), "the face itself stays free"
    assert pixels_of(picture[100:150], emotion.colour) > 500, "the label is above the box"


def test_only_the_first_face_has_a_label_and_a_thick_box():
    alone, together = blank(), blank()
    drawing.draw(alone, (face(),), shown("happy", 0.5))
    drawing.draw(together, (face(), face(450, 200, 80)), shown("happy", 0.5))
    assert pixels_of(alone, "#FFC94D") == pixels_of(together, "#FFC94D")
    changed = (alone != together).any(axis=2)
    assert 200 < changed.sum() < 1200


@pytest.mark.parametrize(("x", "y"), [(-60, -60), (600, 440), (0, 0), (560, 0), (-500, 900)])
@pytest.mark.parametrize("shape", [(480, 640), (30, 30), (1, 1)])
def test_faces_over_the_edge_of_the_picture_can_be_drawn(x, y, shape):
    picture = np.zeros((*shape, 3), np.uint8)
    drawing.draw(picture, (face(x, y), face(y, x)), shown("surprise", 1.0))
    if y >= shape[0]:
        assert not picture.any(), "nothing of the face is in the picture"
    elif shape[0] > 1:
        with_label = 1600 if shape == (480, 640) else 400  # the box alone has less of the mood's colour
        assert pixels_of(picture, drawing.tag(shown("surprise", 1.0))[1]) > with_label


def test_displayed_copy_of_a_photo_is_small_and_the_photo_is_unchanged():
    photo = np.full((3000, 4000, 3), 30, np.uint8)
    copy = drawing.fitted(photo, (face(1000, 800, 900),), shown("sad", 0.6))
    assert copy.shape == (960, 1280, 3)
    assert (photo == 30).all()
    assert pixels_of(copy[256:545, 320:610], "#6EA8FF") > 500
