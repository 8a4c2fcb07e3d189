"""Pictures for a synthetic history: scikit-image's small portraits, relit, turned and blurred.

They are 100 faces of Labeled Faces in the Wild (Huang et al. 2007), 25 px each, which scikit-image
ships under a free licence. They are grey and blurred, and each is marked DEMO.
"""

from functools import cache

import cv2
import numpy as np

from vibecheck.vision.crops import KEPT_SCALE, KEPT_SIDE
from vibecheck.vision.faces import Face, FaceQuality
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Reader
from vibecheck.vision.sample_faces import lfw_faces

# The portrait's side as a fraction of the picture's.
SHARE = 1 / KEPT_SCALE
# Portraits per mood: those to which the model gives its highest probability.
PER_MOOD = 16
# Brightness of an average portrait, 0 to 255.
LUMA = 110.0
# Faces at least this sharp are not blurred; see FaceQuality.blur.
SHARP = 60.0


class Portraits:
    """Portraits, rendered with the light, blur and turn that a FaceQuality gives."""

    def __init__(self, reader: Reader) -> None:
        """Raises VibeCheckError where scikit-image is not installed."""
        self._pictures = [_framed(face) for face in lfw_faces()]
        self._faces: list[Face] = []
        shares = []
        for picture in self._pictures:
            found = reader.detector.find(picture)
            face = found[0] if found else average_face(KEPT_SIDE)
            self._faces.append(face)
            shares.append(reader.classifier.read_face(picture, face))
        # moods x PER_MOOD: indices of the portraits most like each mood
        self._cast = np.argsort(-np.array(shares), axis=0, kind="stable")[:PER_MOOD].T

    def take(self, truth: int, number: int, quality: FaceQuality) -> tuple[bytes, Face]:
        """A picture (JPEG) of a face in the mood `truth` (an index into EMOTIONS), and the face in it.

        `number` chooses the portrait, and whether it is mirrored.
        """
        which = self._cast[truth][number % PER_MOOD]
        side = kept_side(quality.size)
        matrix = _view(quality.yaw, side, mirror=number // PER_MOOD % 2 == 1)
        picture = cv2.warpPerspective(
            self._pictures[which], matrix, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        if quality.blur < SHARP:
            picture = cv2.GaussianBlur(picture, (0, 0), side / 320 * 4 * (1 - quality.blur / SHARP) + 0.1)
        picture = cv2.convertScaleAbs(picture, alpha=quality.light / LUMA)
        _mark(picture)
        return encode_jpeg(picture, quality=85), _moved(self._faces[which], matrix)


def kept_side(size: float) -> int:
    """Side of the kept crop of a face of this size, px (see `crops.kept_crop`)."""
    return int(min(KEPT_SIDE, max(32, round(size * KEPT_SCALE))))


def average_face(side: int) -> Face:
    """An average face in the middle of a picture of this side, as the detector boxes the portraits."""
    width, height = 0.46 * side, 0.62 * side
    places = ((0.28, 0.4), (0.72, 0.4), (0.5, 0.6), (0.33, 0.77), (0.67, 0.77))
    x, y = (side - width) / 2, (side - height) / 2
    landmarks = tuple((x + across * width, y + down * height) for across, down in places)
    return Face(x, y, width, height, landmarks, 0.9)


def _framed(face: np.ndarray) -> np.ndarray:
    """A portrait (25 x 25 uint8) as a kept crop: an oval on a plain background, slightly tinted."""
    inner = round(KEPT_SIDE * SHARE)
    border = (KEPT_SIDE - inner) // 2
    large = cv2.resize(face, (inner, inner), interpolation=cv2.INTER_CUBIC)
    padded = cv2.copyMakeBorder(large, border, border, border, border, cv2.BORDER_REPLICATE)
    oval = _oval()
    grey = padded * oval + (0.5 * face.mean() + 12) * (1 - oval)
    return np.clip(grey[..., np.newaxis] * (1.08, 1.0, 0.9), 0, 255).astype(np.uint8)


@cache
def _oval() -> np.ndarray:
    """1 in the middle of a kept crop, 0 outside an oval, with a soft edge."""
    y, x = np.mgrid[-1 : 1 : KEPT_SIDE * 1j, -1 : 1 : KEPT_SIDE * 1j]
    away = np.hypot(x / 0.56, y / 0.68)
    return np.clip((1.06 - away) / 0.16, 0, 1).astype(np.float32)


def _view(yaw: float, side: int, mirror: bool) -> np.ndarray:
    """The 3x3 matrix that turns a kept crop by `yaw` degrees and makes it `side` px wide."""
    end = KEPT_SIDE - 1.0
    corners = np.array([(0, 0), (end, 0), (end, end), (0, end)], np.float32)
    if mirror:
        corners = corners[[1, 0, 3, 2]]
    near, squeeze = 0.16 * np.sin(np.radians(yaw)), 0.5 * (1 - np.cos(np.radians(yaw)))
    left, right = squeeze, 1 - squeeze
    goal = np.array([(left, -near), (right, near), (right, 1 - near), (left, 1 + near)], np.float32)
    return cv2.getPerspectiveTransform(corners, goal * (side - 1))


def _moved(face: Face, matrix: np.ndarray) -> Face:
    """The face after the 3x3 `matrix` was applied to its picture."""
    box = ((face.x, face.y), (face.x + face.width, face.y + face.height))
    points = np.array([*box, *face.landmarks], np.float64).reshape(-1, 1, 2)
    moved = cv2.perspectiveTransform(points, matrix).reshape(-1, 2)
    (x0, x1), (y0, y1) = np.sort(moved[:2, 0]), np.sort(moved[:2, 1])
    eyes = sorted(map(tuple, moved[2:4].tolist()))  # in a mirror, the right eye is the left one
    mouth = sorted(map(tuple, moved[5:7].tolist()))
    landmarks = (*eyes, tuple(moved[4].tolist()), *mouth)
    return Face(float(x0), float(y0), float(x1 - x0), float(y1 - y0), landmarks, face.score)


def _mark(picture: np.ndarray) -> None:
    """Write DEMO into the lower corner."""
    scale = picture.shape[0] / 320
    place = round(8 * scale), round(312 * scale)
    thickness = max(1, round(scale))
    cv2.putText(
        picture, "DEMO", place, cv2.FONT_HERSHEY_SIMPLEX, 0.55 * scale, (235,) * 3, thickness, cv2.LINE_AA
    )
