"""Squares cut out of pictures round a face, upright: for a model, for keeping, for measuring.

It knows no model and no detector.
"""

import math

import cv2
import numpy as np

from vibecheck.vision.faces import Face, FaceQuality

# Nothing smaller than this can be read: at 24 px there are ten pixels between the eyes.
SMALLEST_FACE = 16

# What is kept of a picture: a square this much wider than the face's box, and at most this many px.
KEEPSAKE_SCALE = 1.6
KEEPSAKE_SIDE = 320

# Blur is measured on a face of this many px, so that a near face and a far one compare.
BLUR_SIDE = 112


def crop(picture: np.ndarray, face: Face, side: int, scale: float = 1.0, upright: bool = True) -> np.ndarray:
    """The face as a `side` x `side` x 3 uint8 RGB square, `scale` times the longer side of its box.

    One affine step from the full picture (turned upright by the eyes if `upright`); where the
    square leaves the picture, its edge is repeated.
    """
    return warp(picture, to_square(face, side, scale, upright), side)


def keepsake(picture: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    """What may be kept of a picture, and where the face is in it.

    An upright square, KEEPSAKE_SCALE times the face's box, never larger than it was, and at most
    KEEPSAKE_SIDE px. Any model's own crop can be cut from it later.
    """
    side = int(min(KEEPSAKE_SIDE, max(SMALLEST_FACE, round(face.side * KEEPSAKE_SCALE))))
    matrix = to_square(face, side, KEEPSAKE_SCALE, upright=True)
    return warp(picture, matrix, side), face.moved(matrix)


def measure(picture: np.ndarray, face: Face) -> FaceQuality:
    """The quality of a face in an H x W x 3 uint8 RGB picture."""
    grey = cv2.cvtColor(crop(picture, face, BLUR_SIDE), cv2.COLOR_RGB2GRAY)
    blur = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return FaceQuality(float(grey.mean()), blur, face.side, face.yaw, face.roll)


def to_square(face: Face, side: int, scale: float, upright: bool) -> np.ndarray:
    """The 2x3 affine matrix from the picture to the square round the face."""
    angle = math.radians(face.roll) if upright else 0.0
    zoom = side / (face.side * scale)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    # Pixel centres lie at whole numbers, so the square's middle is at (side - 1) / 2.
    middle = (side - 1) / 2 - turn @ (np.array(face.centre) - 0.5)
    return np.column_stack([turn, middle])


def warp(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Warp to a `side` px square without aliasing.

    Where the face shrinks, it is warped to a whole multiple of the side and averaged down: bilinear
    sampling alone skips pixels and adds noise that the model reads as texture. Of a quarter of a pixel
    it skips nothing.
    """
    shrink = 1 / math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    multiple = max(1, min(math.ceil(shrink - 0.25), 4096 // side))
    big = matrix * multiple
    big[:, 2] += (multiple - 1) / 2
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    square = cv2.warpAffine(picture, big, (side * multiple,) * 2, flags=flags, borderMode=border)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) if multiple > 1 else square
