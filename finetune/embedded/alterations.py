"""Image corruptions of fixed strength for evaluation: other cameras, light and detectors.

Unlike `augment`, which is for training, these are deterministic.
"""

from collections.abc import Callable

import cv2
import numpy as np

Alteration = Callable[[np.ndarray], np.ndarray]


def scaled(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture with another side."""
    how = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (side, side), interpolation=how)


def _rotated(degrees: float) -> Alteration:
    def rotate(picture: np.ndarray) -> np.ndarray:
        side = picture.shape[0]
        centre = ((side - 1) / 2, (side - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
        return cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)

    return rotate


def _box(times: float) -> Alteration:
    """The face cropped by a box this many times as wide; what is outside repeats the edge."""

    def cut(picture: np.ndarray) -> np.ndarray:
        side = picture.shape[0]
        beyond = side // 2
        padded = cv2.copyMakeBorder(picture, beyond, beyond, beyond, beyond, cv2.BORDER_REPLICATE)
        centre = (padded.shape[0] - 1) / 2
        new = round(side * times)
        patch = cv2.getRectSubPix(padded, (new, new), (centre, centre))
        return scaled(patch, side)

    return cut


def _compressed(quality: int) -> Alteration:
    def compress(picture: np.ndarray) -> np.ndarray:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR)

    return compress


def _coloured(red: float, green: float, blue: float) -> Alteration:
    def colour(picture: np.ndarray) -> np.ndarray:
        return np.clip(picture * np.array([red, green, blue]), 0, 255).round().astype(np.uint8)

    return colour


# Each maps S x S x 3 uint8 RGB to the same shape; S is 48 for FER+.
ALTERATIONS: dict[str, Alteration] = {
    "unaltered": lambda picture: picture,
    "40% darker": _coloured(0.6, 0.6, 0.6),
    "blurred by 1.5 px": lambda picture: cv2.GaussianBlur(picture, (0, 0), 1.5),
    "rotated 20° left": _rotated(20),
    "rotated 20° right": _rotated(-20),
    "JPEG quality 30": _compressed(30),
    "24 px, upscaled": lambda picture: scaled(scaled(picture, 24), picture.shape[0]),
    "box 15% wider": _box(1.15),
    "box 15% tighter": _box(1 / 1.15),
    "warm light": _coloured(1.15, 1.0, 0.7),
    "cold light": _coloured(0.75, 0.95, 1.2),
}
