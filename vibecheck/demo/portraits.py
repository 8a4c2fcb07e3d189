"""Pictures for a synthetic history: scikit-image's small portraits, relit, narrowed and blurred.

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

        `number` chooses the portrait.
        """
        which = self._cast[truth][number % PER_MOOD]
        side = kept_side(quality.size)
        matrix = _view(quality.yaw, side)
        picture = cv2.warpAffine(
            self._pictures[which], matrix, (side, side), flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE
        )
        if quality.blur < SHARP:
            picture = cv2.GaussianBlur(picture, (0, 0), side / 320 * 4 * (1 - quality.blur / SHARP) + 0.1)
        picture = cv2.convertScaleAbs(picture, alpha=quality.light / LUMA)
        _mark(picture)
        return encode_jpeg(picture, quality=85), self._faces[which].moved(matrix)


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


def _view(yaw: float, side: int) -> np.ndarray:
    """The 2x3 matrix to a kept crop of `side` px, with the face as narrow as if turned by `yaw` degrees."""
    scale = side / KEPT_SIDE
    narrow = scale * np.cos(np.radians(yaw))
    return np.array([[narrow, 0, (side - narrow * KEPT_SIDE) / 2], [0, scale, 0]])


def _mark(picture: np.ndarray) -> None:
    """Write DEMO into the lower corner."""
    scale = picture.shape[0] / 320
    place = round(8 * scale), round(312 * scale)
    thickness = max(1, round(scale))
    cv2.putText(
        picture, "DEMO", place, cv2.FONT_HERSHEY_SIMPLEX, 0.55 * scale, (235,) * 3, thickness, cv2.LINE_AA
    )
