"""Image corruptions of fixed strength for evaluation: other cameras, light and detectors.

Unlike `augment`, which is for training, these are deterministic.
"""

from collections.abc import Callable

import cv2
import numpy as np


def scaled(picture: np.ndarray, side: int) -> np.ndarray:
    """A square picture with another side."""
    how = cv2.INTER_AREA if side < picture.shape[0] else cv2.INTER_LINEAR
    return cv2.resize(picture, (side, side), interpolation=how)


def _rotated(picture: np.ndarray, degrees: float) -> np.ndarray:
    side = picture.shape[0]
    centre = ((side - 1) / 2, (side - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    return cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def _boxed(picture: np.ndarray, times: float) -> np.ndarray:
    """The face cropped by a box this many times as wide; what is outside repeats the edge."""
    side = picture.shape[0]
    beyond = side // 2
    padded = cv2.copyMakeBorder(picture, beyond, beyond, beyond, beyond, cv2.BORDER_REPLICATE)
    centre = (padded.shape[0] - 1) / 2
    new = round(side * times)
    return scaled(cv2.getRectSubPix(padded, (new, new), (centre, centre)), side)


def _compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def _lit(picture: np.ndarray, red: float, green: float, blue: float) -> np.ndarray:
    return np.clip(picture * np.array([red, green, blue]), 0, 255).round().astype(np.uint8)


# Each maps S x S x 3 uint8 RGB to the same shape; S is 48 for FER+.
ALTERATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "unaltered": lambda picture: picture,
    "40% darker": lambda picture: _lit(picture, 0.6, 0.6, 0.6),
    "blurred by 1.5 px": lambda picture: cv2.GaussianBlur(picture, (0, 0), 1.5),
    "rotated 20° left": lambda picture: _rotated(picture, 20),
    "rotated 20° right": lambda picture: _rotated(picture, -20),
    "JPEG quality 30": lambda picture: _compressed(picture, 30),
    "24 px, upscaled": lambda picture: scaled(scaled(picture, 24), picture.shape[0]),
    "box 15% wider": lambda picture: _boxed(picture, 1.15),
    "box 15% tighter": lambda picture: _boxed(picture, 1 / 1.15),
    "warm light": lambda picture: _lit(picture, 1.15, 1.0, 0.7),
    "cold light": lambda picture: _lit(picture, 0.75, 0.95, 1.2),
}
