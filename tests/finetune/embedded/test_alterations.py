import cv2
import numpy as np
import pytest

from finetune.embedded.alterations import ALTERATIONS
from vibecheck.vision.sample_faces import face_probes


@pytest.fixture(scope="module")
def picture():
    return cv2.resize(face_probes(1)[0], (48, 48))


def change(picture, name):
    return np.abs(ALTERATIONS[name](picture).astype(float) - picture).mean()


@pytest.mark.parametrize("name", ALTERATIONS)
def test_altered_face_keeps_its_shape(picture, name):
    before = picture.copy()
    altered = ALTERATIONS[name](picture)
    assert altered.shape == picture.shape and altered.dtype == np.uint8
    assert np.array_equal(altered, ALTERATIONS[name](picture))
    assert np.array_equal(before, picture)
    assert (change(picture, name) > 0.5) == (name != "unaltered")


def test_darker_alteration_reduces_the_mean_by_the_stated_share(picture):
    assert ALTERATIONS["40% darker"](picture).mean() == pytest.approx(0.6 * picture.mean(), rel=0.01)


def test_a_wider_box_shows_the_face_smaller_and_a_tighter_one_larger():
    disc = np.zeros((48, 48, 3), np.uint8)
    cv2.circle(disc, (24, 24), 12, (255, 255, 255), -1)

    def area(name):
        return (ALTERATIONS[name](disc) > 127).mean()

    assert area("box 15% wider") == pytest.approx(area("unaltered") / 1.15**2, rel=0.08)
    assert area("box 15% tighter") == pytest.approx(area("unaltered") * 1.15**2, rel=0.08)


def test_turned_left_is_the_mirror_of_turned_right():
    disc = np.zeros((48, 48, 3), np.uint8)
    cv2.line(disc, (24, 4), (24, 20), (255, 255, 255), 3)
    left, right = (ALTERATIONS[f"rotated 20° {side}"](disc) for side in ("left", "right"))
    assert left[:24, :24].mean() > left[:24, 24:].mean()
    assert np.abs(left[:, ::-1].astype(float) - right).mean() < 5


def test_warm_light_is_redder_and_cold_light_bluer(picture):
    grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)
    warm, cold = ALTERATIONS["warm light"](grey), ALTERATIONS["cold light"](grey)
    assert warm[..., 0].mean() > warm[..., 2].mean() and cold[..., 2].mean() > cold[..., 0].mean()
