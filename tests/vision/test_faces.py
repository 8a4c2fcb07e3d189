import hashlib
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from vibecheck.errors import ModelError
from vibecheck.vision.crops import (
    KEPT_SCALE,
    KEPT_SIDE,
    SMALLEST_FACE,
    crop,
    kept_crop,
    measure,
    obscure,
    quick_warp,
    to_square,
    warp,
)
from vibecheck.vision.detector import CLOSE_SIDE, WEIGHTS, FaceDetector
from vibecheck.vision.faces import Face, FaceQuality, face_filling, same_face

ROOT = Path(__file__).parents[2]
GOOD = FaceQuality(light=130, blur=300, size=160, yaw=0, roll=0)


def scaled(picture: np.ndarray, factor: float) -> np.ndarray:
    how = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=how)


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turned clockwise about its middle."""
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


def pasted(canvas: tuple[int, int], *parts: tuple[np.ndarray, int, int]) -> np.ndarray:
    """A grey picture of (height, width) with pictures pasted in at (x, y)."""
    picture = np.full((*canvas, 3), 120, np.uint8)
    for part, x, y in parts:
        picture[y : y + part.shape[0], x : x + part.shape[1]] = part
    return picture


def test_finds_the_face_with_landmarks_inside_its_box(astronaut, detector):
    (face,) = detector.find(astronaut)
    assert (face.x, face.y) == pytest.approx((179, 63), abs=8)
    assert (face.width, face.height) == pytest.approx((90, 112), abs=10)
    assert face.score > 0.9
    right_eye, left_eye, nose, right_mouth, left_mouth = face.landmarks
    assert face.x < right_eye[0] < nose[0] < left_eye[0] < face.x + face.width
    assert right_eye[1] < nose[1] < right_mouth[1] < face.y + face.height
    assert right_mouth[0] < left_mouth[0]


@pytest.mark.parametrize(("x", "y"), [(30, 0), (30, 30), (300, 100), (501, 333)])
@pytest.mark.parametrize("size", [40, 48, 64])
def test_close_search_finds_faces_from_40_px_in_a_webcam_frame(astronaut, detector, size, x, y):
    head = scaled(astronaut[20:220, 130:300], size / 112)
    faces = detector.find(pasted((480, 640), (head, x, y)), CLOSE_SIDE)
    assert [face.side for face in faces] == pytest.approx([size], rel=0.15)


@pytest.mark.parametrize("size", [60, 112, 150, 300])
def test_default_search_finds_faces_from_60_px_in_a_webcam_frame(astronaut, detector, size):
    head = scaled(astronaut[20:220, 130:300], size / 112)[:480]
    faces = detector.find(pasted((480, 640), (head, 30, 0)))
    assert [face.side for face in faces] == pytest.approx([size], rel=0.15)


def test_face_in_a_12_megapixel_photo_is_found_in_its_original_coordinates(astronaut, detector):
    small = detector.find(astronaut)[0]
    photo = pasted((3000, 4000), (scaled(astronaut, 5), 700, 200))
    (face,) = detector.find(photo)
    assert face.side == pytest.approx(small.side * 5, rel=0.1)
    assert face.centre == pytest.approx((small.centre[0] * 5 + 700, small.centre[1] * 5 + 200), abs=40)


def test_several_faces_come_largest_first(astronaut, detector):
    head = astronaut[20:220, 130:300]
    frame = pasted((480, 640), (head, 20, 200), (scaled(head, 1.6), 330, 80))
    faces = detector.find(frame)
    assert len(faces) == 2
    assert faces[0].x > 300 > faces[1].x
    assert faces[0].side > faces[1].side


def test_a_picture_without_a_face_has_none(empty_room, detector):
    assert detector.find(empty_room) == []


@pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (16, 16), (3000, 2)])
def test_pictures_of_extreme_shape_give_no_faces_and_no_error(detector, shape):
    assert detector.find(np.zeros((*shape, 3), np.uint8)) == []


@pytest.mark.parametrize("degrees", [-30, -15, 0, 15, 30])
def test_refining_twice_measures_the_tilt_of_the_head(astronaut, detector, degrees):
    tilted = turned(astronaut, degrees)
    (face,) = detector.find(tilted)
    once = detector.refine(tilted, face)
    twice = detector.refine(tilted, once)
    assert once.roll == pytest.approx(degrees, abs=12)
    assert twice.roll == pytest.approx(degrees, abs=6)
    assert (twice.x, twice.y, twice.width, twice.height) == (face.x, face.y, face.width, face.height)


@pytest.mark.parametrize(
    ("moved", "grown", "degrees"), [(0, 1.0, 0), (30, 1.0, 10), (-5, 1.1, -10), (5, 0.9, 0)]
)
def test_moving_face_is_followed(astronaut, detector, moved, grown, degrees):
    then = pasted((640, 640), (astronaut, 60, 60))
    before = detector.refine(then, detector.find(then)[0])
    now = turned(pasted((640, 640), (scaled(astronaut, grown), 60 + moved, 60)), degrees)
    searched = detector.find(now)[0]
    followed = detector.follow(now, before)
    assert followed.centre == pytest.approx(searched.centre, abs=0.08 * searched.side)
    assert followed.side == pytest.approx(searched.side, rel=0.1)
    assert followed.roll == pytest.approx(detector.refine(now, searched).roll, abs=8)


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.3, 2.1, 4.0])
@pytest.mark.parametrize("degrees", [0, 25])
def test_quick_warp_shows_what_warp_shows(astronaut, detector, factor, degrees):
    picture = turned(scaled(astronaut, factor), degrees)
    square = to_square(detector.find_in_photo(picture)[0], 160, 1.6, upright=True)
    exact, quick = (each(picture, square, 160).astype(float) for each in (warp, quick_warp))
    assert np.abs(exact - quick).mean() < 2.5
    aside = [np.abs(exact - np.roll(quick, way, axis)).mean() for way in (-1, 1) for axis in (0, 1)]
    assert factor <= 0.5 or np.abs(exact - quick).mean() < min(aside), "not moved by a pixel"


@pytest.mark.parametrize("x", [-900, -100, 500, 5000])
def test_quick_warp_of_a_face_beyond_the_edge_has_its_size(astronaut, x):
    square = to_square(Face(x, 30, 400, 400, ((0, 0), (9, 0), (4, 4), (1, 9), (8, 9)), 1.0), 160, 1.6, True)
    assert quick_warp(astronaut, square, 160).shape == (160, 160, 3)


def test_face_that_is_gone_or_has_jumped_is_not_followed(astronaut, detector):
    before = detector.find(astronaut)[0]
    assert detector.follow(np.zeros_like(astronaut), before) is None
    elsewhere = pasted((512, 1024), (astronaut, 500, 0))
    assert detector.follow(elsewhere, before) is None


@pytest.mark.parametrize("degrees", [-25, 25])
def test_the_crop_is_upright_however_the_head_is_tilted(astronaut, detector, degrees):
    def error(picture: np.ndarray, face: Face, upright: bool) -> float:
        return float(np.abs(crop(picture, face, 64, 0.85, upright).astype(float) - straight).mean())

    straight = crop(astronaut, detector.find(astronaut)[0], 64, 0.85).astype(float)
    tilted = turned(astronaut, degrees)
    face = detector.refine(tilted, detector.refine(tilted, detector.find(tilted)[0]))
    assert error(tilted, face, upright=True) < 0.7 * error(tilted, face, upright=False)


def test_face_that_is_not_found_again_keeps_its_landmarks(empty_room, detector):
    face = Face(100, 100, 80, 80, ((120, 130), (160, 130), (140, 150), (125, 165), (155, 165)), 0.6)
    assert detector.refine(empty_room, face) == face


def test_the_crop_shows_the_box_times_its_scale():
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[60:140, 60:140] = 255  # the box, exactly
    face = Face(60, 60, 80, 80, ((80, 90), (120, 90), (100, 105), (85, 120), (115, 120)), 1.0)
    assert (crop(picture, face, 40, 1.0) == 255).all()
    wide = crop(picture, face, 40, 2.0)
    assert (wide[10:30, 10:30] == 255).all()
    assert wide[:9].max() == 0 and wide[:, :9].max() == 0 and wide[31:].max() == 0 and wide[:, 31:].max() == 0


def test_shrinking_averages_instead_of_skipping_pixels():
    stripes = np.zeros((1200, 1200, 3), np.uint8)
    stripes[:, ::2] = 255
    face = Face(100, 100, 1000, 1000, ((400, 400), (800, 400), (600, 600), (450, 800), (750, 800)), 1.0)
    assert crop(stripes, face, 64).std() < 4


def test_crop_beyond_the_edge_is_filled_with_edge_pixels():
    picture = np.full((100, 100, 3), 200, np.uint8)
    face = Face(-30, -30, 80, 80, ((0, 0), (30, 0), (15, 15), (0, 30), (30, 30)), 1.0)
    assert (crop(picture, face, 32, 1.6) == 200).all()


def test_kept_crop_contains_the_face_and_not_the_room(astronaut, detector):
    face = detector.find(astronaut)[0]
    kept, kept_face = kept_crop(astronaut, face)
    assert kept.shape == (140, 140, 3)  # 1.25 times 112
    (found,) = detector.find(kept)
    assert found.centre == pytest.approx(kept_face.centre, abs=6)
    assert np.array(found.landmarks) == pytest.approx(np.array(kept_face.landmarks), abs=6)


def test_kept_crop_of_a_large_photo_is_at_most_320_px_and_upright(astronaut, detector):
    photo = turned(scaled(astronaut, 5), 20)
    kept, kept_face = kept_crop(photo, detector.find(photo)[0])
    assert kept.shape == (KEPT_SIDE, KEPT_SIDE, 3)
    assert kept_face.roll == pytest.approx(0, abs=1e-6)
    assert kept_face.side == pytest.approx(KEPT_SIDE / 1.25, rel=0.01)


def two_cheek_to_cheek(astronaut) -> np.ndarray:
    """The same person twice, the second mirrored and reaching into the square that is kept of the first."""
    canvas = np.full((360, 480, 3), 120, np.uint8)
    canvas[40:240, 60:230] = astronaut[20:220, 130:300]
    canvas[75:215, 190:310] = astronaut[50:190, 170:290][:, ::-1]
    return canvas


def test_obscured_face_is_no_longer_detected_and_the_spared_face_is_unchanged(astronaut, detector):
    picture = two_cheek_to_cheek(astronaut)
    face, other = detector.find(picture)
    before = picture.copy()
    obscure(picture, [other], spared=face)
    assert [each.centre for each in detector.find(picture, score=0.35)] == [pytest.approx(face.centre, abs=2)]
    y, x = int(face.centre[1]), int(face.centre[0])
    assert np.array_equal(picture[y - 40 : y + 40, x - 30 : x + 30], before[y - 40 : y + 40, x - 30 : x + 30])


def test_kept_crop_obscures_other_faces(astronaut, reader):
    picture = two_cheek_to_cheek(astronaut)
    reading = reader.read_still(picture)
    face, other = reading.faces
    plain, _ = kept_crop(picture, face)
    changed = np.abs(plain.astype(int) - reading.kept()[0]).max(axis=2) > 0
    seen = other.moved(to_square(face, len(plain), KEPT_SCALE, upright=True))
    middle = int(seen.centre[1])
    assert changed[middle - 20 : middle + 20, int(seen.x) + 3 :].mean() > 0.95


def test_face_found_only_by_a_closer_search_is_a_bystander_too(astronaut, reader):
    picture = two_cheek_to_cheek(astronaut)
    face = reader.read_still(picture).face
    near = reader.detector.bystanders(picture, face, [])
    assert [each.centre[0] > face.centre[0] + face.width / 2 for each in near] == [True]
    assert reader.detector.bystanders(astronaut, reader.read_still(astronaut).face, []) == []


def test_model_crop_from_the_kept_crop_matches_the_one_from_the_picture(astronaut, detector):
    face = detector.find(astronaut)[0]
    from_picture = crop(astronaut, face, 64, 0.85).astype(float)
    from_kept = crop(*kept_crop(astronaut, face), 64, 0.85).astype(float)
    assert np.abs(from_picture - from_kept).mean() < 2


def test_quality_measures_light_blur_and_size(astronaut, detector):
    face = detector.find(astronaut)[0]
    good = measure(astronaut, face)
    assert good.hints == ()
    dark = measure((astronaut * 0.25).astype(np.uint8), face)
    assert dark.light == pytest.approx(good.light * 0.25, abs=2)
    blurred = measure(cv2.GaussianBlur(astronaut, (0, 0), 4), face)
    assert blurred.blur < good.blur / 10
    far = scaled(astronaut, 0.4)
    assert measure(far, detector.find(far)[0]).size == pytest.approx(good.size * 0.4, rel=0.15)
    assert good.score > max(dark.score, blurred.score)


def test_blur_does_not_depend_on_how_large_the_face_is(astronaut, detector):
    photo = scaled(astronaut, 3)
    large, small = measure(photo, detector.find(photo)[0]), measure(astronaut, detector.find(astronaut)[0])
    assert large.blur == pytest.approx(small.blur, rel=0.5)


@pytest.mark.parametrize(
    ("shown", "hint"),
    [
        ({"light": 30}, "dark"),
        ({"light": 240}, "bright"),
        ({"size": 50}, "closer"),
        ({"yaw": 40}, "Turn to the camera"),
        ({"yaw": -40}, "Turn to the camera"),
        ({"roll": 35}, "upright"),
        ({"blur": 5}, "blurred"),
        ({}, None),
    ],
)
def test_each_quality_problem_has_its_own_hint(shown, hint):
    fields = {name: getattr(GOOD, name) for name in ("light", "blur", "size", "yaw", "roll")}
    hints = FaceQuality(**fields | shown).hints
    assert (hints == ()) if hint is None else (len(hints) == 1 and hint in hints[0])


@pytest.mark.parametrize("angle", [-30, -10, 0, 10, 30])
def test_yaw_is_measured_from_the_landmarks_of_a_turned_head(angle):
    """Five points of a head in space, turned and seen from the front."""
    points = np.array([[-0.5, 0, 0], [0.5, 0, 0], [0, 0.6, 0.55], [-0.35, 1, 0.1], [0.35, 1, 0.1]])
    a = np.radians(angle)
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    seen = (points @ turn.T)[:, :2] * 50 + 100
    face = Face(50, 60, 100, 120, tuple(map(tuple, seen)), 1.0)
    assert face.yaw == pytest.approx(angle, abs=0.5)
    assert face.roll == pytest.approx(0, abs=1e-6)


def test_face_whose_eyes_coincide_has_a_yaw_of_90_degrees():
    assert Face(0, 0, 9, 9, ((3, 3), (3, 3), (5, 5), (3, 7), (3, 7)), 1.0).yaw == 90


@pytest.mark.parametrize(
    ("dx", "growth", "same"),
    [(0, 1, True), (40, 1, True), (0, 1.3, True), (110, 1, False), (0, 1.7, False), (0, 0.5, False)],
)
def test_the_same_face_may_move_and_come_closer_but_not_jump(dx, growth, same):
    before = Face(100, 100, 100, 100, ((0, 0),) * 5, 1.0)
    side = 100 * growth
    after = Face(150 + dx - side / 2, 150 - side / 2, side, side, ((0, 0),) * 5, 1.0)
    assert same_face(before, after) is same


def test_the_whole_picture_as_a_face_is_upright(astronaut):
    face = face_filling(astronaut)
    assert (face.x, face.y, face.width, face.height) == (0, 0, 512, 512)
    assert face.roll == 0 and face.yaw == pytest.approx(0)


def test_threads_may_share_a_detector(astronaut, empty_room):
    from concurrent.futures import ThreadPoolExecutor

    detector = FaceDetector()
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda i: len(detector.find(empty_room if i % 2 else astronaut)), range(24)))
    assert counts == [1, 0] * 12


def published_weights() -> bytes:
    """The weights as OpenCV's zoo has them, for pictures of 640 x 640 px alone."""
    model = onnx.load(WEIGHTS)
    for size in model.graph.input[0].type.tensor_type.shape.dim[2:]:
        size.dim_value = 640
    for output in model.graph.output:
        cells = 640 // int(output.name.split("_")[1])
        output.type.tensor_type.shape.dim[1].dim_value = cells**2
    return model.SerializeToString()


def test_the_detectors_weights_are_the_published_ones_for_pictures_of_any_size():
    checksum = hashlib.sha256(published_weights()).hexdigest()
    assert checksum in (ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    assert "MIT License" in WEIGHTS.with_name("LICENSE").read_text(encoding="utf-8")


@pytest.mark.parametrize("size", [(320, 160), (320, 240), (317, 200), (96, 96), (640, 480), (200, 70)])
@pytest.mark.parametrize("score", [0.6, 0.2])
def test_faces_are_those_that_opencvs_detector_finds(astronaut, detector, tmp_path, size, score):
    (tmp_path / "yunet.onnx").write_bytes(published_weights())
    opencv = cv2.FaceDetectorYN.create(str(tmp_path / "yunet.onnx"), "", size, score, 0.3, 500)
    two = np.hstack([astronaut, astronaut[:, ::-1]])
    picture = cv2.resize(two, size)
    _, rows = opencv.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert rows is not None
    expected = sorted(rows[np.maximum(rows[:, 2], rows[:, 3]) >= SMALLEST_FACE].tolist())
    found = [
        [face.x, face.y, face.width, face.height, *np.ravel(face.landmarks), face.score]
        for face in detector.find(picture, side=max(size), score=score)
    ]
    np.testing.assert_allclose(sorted(found), expected, atol=0.01)


def test_damaged_weights_are_reported(tmp_path, monkeypatch):
    (tmp_path / "yunet.onnx").write_bytes(WEIGHTS.read_bytes()[:1000])
    monkeypatch.setattr("vibecheck.vision.detector.WEIGHTS", tmp_path / "yunet.onnx")
    with pytest.raises(ModelError, match=r"weights \(yunet\.onnx\) are missing or damaged"):
        FaceDetector()
