"""Square face crops: for a model's input, for keeping, and for measuring quality."""

import math
from collections.abc import Iterable

import cv2
import numpy as np

from vibecheck.vision.faces import Face, FaceQuality, fills_picture
from vibecheck.vision.manifest import Manifest

# px; smaller faces are not readable: at 24 px the eyes are ten pixels apart.
SMALLEST_FACE = 16

# The kept crop: a square this many times the longer side of the face box, at most KEPT_SIDE px.
# A model that crops no wider (`crop_scale`, usually 0.85 to 1.0) sees the same as in the picture itself.
KEPT_SCALE = 1.25
KEPT_SIDE = 320

# The ellipse in which another face is obscured: this many times its box, to cover hair and chin.
OBSCURED_SCALE = 1.4

# px; blur is measured at one face size, so that near and far faces are comparable.
BLUR_SIDE = 112


def crop(picture: np.ndarray, face: Face, side: int, scale: float = 1.0, upright: bool = True) -> np.ndarray:
    """A `side` x `side` x 3 uint8 RGB square around the face, `scale` times the longer side of its box.

    Sampled from the full picture in one affine step, rotated so that the eyes are level if `upright`.
    Beyond the picture's edge, edge pixels are replicated.
    """
    return warp(picture, to_square(face, side, scale, upright), side)


def model_crop(picture: np.ndarray, face: Face, side: int, manifest: Manifest) -> np.ndarray:
    """The face as input for the model of `manifest`: `side` x `side` x 3 uint8 RGB.

    A picture that is a face crop already (see `faces.face_filling`) is used whole.
    """
    if fills_picture(face):
        return crop(picture, face, side, upright=False)
    return crop(picture, face, side, manifest.crop_scale, manifest.upright)


def kept_crop(picture: np.ndarray, face: Face, others: Iterable[Face] = ()) -> tuple[np.ndarray, Face]:
    """The part of a picture that may be kept, and the face in its coordinates.

    An upright square of KEPT_SCALE times the face box, never enlarged, at most KEPT_SIDE px. Any model's
    input can be cropped from it later. `others` are the faces of other people in the picture: what the square
    shows of them is made unrecognisable.
    """
    side = int(min(KEPT_SIDE, max(SMALLEST_FACE, round(face.side * KEPT_SCALE))))
    matrix = to_square(face, side, KEPT_SCALE, upright=True)
    kept, kept_face = warp(picture, matrix, side), face.moved(matrix)
    obscure(kept, [other.moved(matrix) for other in others], kept_face)
    return kept, kept_face


def obscure(picture: np.ndarray, faces: Iterable[Face], spared: Face) -> None:
    """Replace faces in an H x W x 3 uint8 picture by a few colours each, in place; `spared` is not changed.

    Each face, with hair and chin, is reduced to nine average colours: too little to recognise anybody.
    """
    mask = np.zeros(picture.shape[:2], np.uint8)
    smooth = picture.copy()
    for face in faces:
        axes = face.width / 2 * OBSCURED_SCALE, face.height / 2 * OBSCURED_SCALE
        left, right = (int(np.clip(face.centre[0] + way * axes[0], 0, picture.shape[1])) for way in (-1, 1))
        top, bottom = (int(np.clip(face.centre[1] + way * axes[1], 0, picture.shape[0])) for way in (-1, 1))
        if right - left < 1 or bottom - top < 1:
            continue
        few = cv2.resize(picture[top:bottom, left:right], (3, 3), interpolation=cv2.INTER_AREA)
        smooth[top:bottom, left:right] = cv2.resize(few, (right - left, bottom - top))
        _ellipse(mask, face, OBSCURED_SCALE, 1)
    _ellipse(mask, spared, 1.0, 0)
    picture[mask > 0] = smooth[mask > 0]


def _ellipse(mask: np.ndarray, face: Face, scale: float, value: int) -> None:
    centre = round(face.centre[0]), round(face.centre[1])
    axes = max(1, round(face.width / 2 * scale)), max(1, round(face.height / 2 * scale))
    cv2.ellipse(mask, centre, axes, 0, 0, 360, value, cv2.FILLED)


def measure(picture: np.ndarray, face: Face) -> FaceQuality:
    """Measure the quality of a face in an H x W x 3 uint8 RGB picture."""
    grey = cv2.cvtColor(crop(picture, face, BLUR_SIDE), cv2.COLOR_RGB2GRAY)
    _, edges = cv2.meanStdDev(cv2.Laplacian(grey, cv2.CV_32F))
    return FaceQuality(cv2.mean(grey)[0], edges.item() ** 2, face.side, face.yaw, face.roll)


def to_square(face: Face, side: int, scale: float, upright: bool) -> np.ndarray:
    """The 2x3 affine matrix from picture coordinates to a square around the face."""
    angle = math.radians(face.roll) if upright else 0.0
    zoom = side / (face.side * scale)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    # Pixel centres lie at whole numbers, so the square's middle is at (side - 1) / 2.
    middle = (side - 1) / 2 - turn @ (np.array(face.centre) - 0.5)
    return np.column_stack([turn, middle])


def warp(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Warp to a `side` px square without aliasing, which the model would read as texture.

    Bilinear sampling skips pixels when it shrinks a picture by more than a factor of 1.25. So the picture is
    warped to an integer multiple of `side`, and averaged down.
    """
    multiple = _multiple(matrix, side)
    big = matrix * multiple
    big[:, 2] += (multiple - 1) / 2
    square = _sampled(picture, big, side * multiple)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) if multiple > 1 else square


def quick_warp(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Like `warp`, but a large face takes half the time and is slightly softer: good enough to follow it.

    The part of the picture that the square shows is averaged down before it is warped.
    """
    multiple, back = _multiple(matrix, side), cv2.invertAffineTransform(matrix)
    corners = np.array([(0, 0), (side, 0), (0, side), (side, side)]) @ back[:, :2].T + back[:, 2]
    left, top = np.maximum(corners.min(axis=0).astype(int) - multiple, 0)
    right, bottom = corners.max(axis=0).astype(int) + multiple
    part = picture[top:bottom, left:right]
    height, width = part.shape[0] // multiple, part.shape[1] // multiple
    if multiple == 1 or not (height and width):
        return warp(picture, matrix, side)
    part = part[: height * multiple, : width * multiple]
    small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
    # A pixel's centre in the small picture is the middle of `multiple` pixels in the picture.
    shift = matrix @ (left + (multiple - 1) / 2, top + (multiple - 1) / 2, 1.0)
    return _sampled(small, np.column_stack([matrix[:, :2] * multiple, shift]), side)


def _multiple(matrix: np.ndarray, side: int) -> int:
    """The factor by which `matrix` shrinks a picture, as a whole number: rounded up beyond a quarter."""
    shrink = 1 / math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    return max(1, min(math.ceil(shrink - 0.25), 4096 // side))


def _sampled(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    return cv2.warpAffine(
        picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
