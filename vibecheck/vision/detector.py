"""Face detection."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from vibecheck.errors import ModelError
from vibecheck.vision.crops import SMALLEST_FACE, to_square, warp
from vibecheck.vision.faces import Face, same_face

WEIGHTS = Path(__file__).with_name("yunet") / "face_detection_yunet_2023mar.onnx"

# Longer side of the copy that is searched, px: 4.5 ms on one thread, where 640 px takes 19.
DETECTOR_SIDE = 320
# In that copy, faces under about 25 px are found only by chance; at this side they are found reliably.
CLOSE_SIDE = 640
# Minimum score: below it, hands and patterned cloth begin to pass for faces.
DETECTOR_SCORE = 0.6
# Other people near a face are searched for in a square of this many times its box, down to this score.
NEAR_SCALE = 3.0
NEAR_SCORE = 0.35
# px; YuNet returns uninitialised memory for thinner pictures, so these are padded.
SMALLEST_PICTURE = 64
# Landmarks are refined on a crop of this many px. For faces under 150 px YuNet returns those of an average
# face: a head rolled by 20 degrees is measured as 4. At this size three quarters of the roll are measured, so
# nearly all of it after two refinements.
LANDMARK_SIDE = 256
# A face found a moment ago is followed: searched for in an upright crop of this many px that spans
# FOLLOW_SCALE times its box, which yields box and landmarks in one pass. On a recorded actor, with a full
# search every half second, the box jitters as before (1.7% of its side; 1.6% with a full search of each
# frame) and the probabilities differ by 0.05 on average, less than the 0.07 between full searches at 480 and
# 320 px. Other sizes and scales did worse.
FOLLOW_SIDE = 160
FOLLOW_SCALE = 1.6


class FaceDetector:
    """YuNet (Wu, Peng, Yu 2023), run by OpenCV. Thread-safe: one search at a time.

    Raises ModelError if its weights are missing or damaged.
    """

    def __init__(self) -> None:
        try:
            self._net = cv2.FaceDetectorYN.create(str(WEIGHTS), "", (32, 32), DETECTOR_SCORE, 0.3, 500)
        except cv2.error as error:
            raise ModelError(
                f"The face detector's weights ({WEIGHTS.name}) are missing or damaged: reinstall VibeCheck."
            ) from error
        self._lock = threading.Lock()

    def find(
        self, picture: np.ndarray, side: int = DETECTOR_SIDE, score: float = DETECTOR_SCORE
    ) -> list[Face]:
        """All faces in an H x W x 3 uint8 RGB picture, largest first, in its own pixels.

        It searches a copy whose longer side is at most `side` px, for faces of at least `score`.
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
            self._net.setScoreThreshold(score)
            self._net.setInputSize((small.shape[1], small.shape[0]))
            _, rows = self._net.detect(small)
        faces = [_face(row, ratio) for row in (rows if rows is not None else []) if np.isfinite(row).all()]
        return sorted((f for f in faces if f.side >= SMALLEST_FACE), key=lambda f: f.area, reverse=True)

    def refine(self, picture: np.ndarray, face: Face) -> Face:
        """The same face with more accurate landmarks, measured on an enlarged crop.

        Each call brings roll and yaw closer to the truth (see LANDMARK_SIDE).
        """
        matrix = to_square(face, LANDMARK_SIDE, 1.0, upright=True)
        found = self.find(warp(picture, matrix, LANDMARK_SIDE))
        if not found:
            return face
        back = cv2.invertAffineTransform(matrix)
        return replace(face, landmarks=found[0].moved(back).landmarks)

    def bystanders(self, picture: np.ndarray, face: Face, found: Sequence[Face]) -> list[Face]:
        """Faces of other people that a crop around `face` may show: those `found`, and all that are close.

        The surroundings are searched once more, enlarged and with a lower threshold: to obscure what is no
        face costs less than to keep somebody's.
        """
        matrix = to_square(face, DETECTOR_SIDE, NEAR_SCALE, upright=False)
        back = cv2.invertAffineTransform(matrix)
        near = self.find(warp(picture, matrix, DETECTOR_SIDE), score=NEAR_SCORE)
        faces = (*found, *(each.moved(back) for each in near))
        return [each for each in faces if not face.contains(each.centre)]

    def follow(self, picture: np.ndarray, before: Face) -> Face | None:
        """The face that was at `before` a moment ago, searched for near there; None if it is not found.

        Takes a sixth of the time of `find` and `refine`, and does not see other faces.
        """
        matrix = to_square(before, FOLLOW_SIDE, FOLLOW_SCALE, upright=True)
        back = cv2.invertAffineTransform(matrix)
        near = (face.moved(back) for face in self.find(warp(picture, matrix, FOLLOW_SIDE), FOLLOW_SIDE))
        return next((face for face in near if same_face(before, face)), None)


def _face(row: np.ndarray, ratio: np.ndarray) -> Face:
    """One row of YuNet's output (box, five points, score), scaled to the full picture's pixels."""
    points = row[:14].astype(float).reshape(7, 2) * ratio
    (x, y), (width, height) = points[:2]
    return Face(
        float(x), float(y), float(width), float(height),
        tuple((float(px), float(py)) for px, py in points[2:]),
        float(row[14]),
    )  # fmt: skip
