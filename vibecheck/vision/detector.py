"""Face detection."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from vibecheck.errors import ModelError
from vibecheck.vision.classifier import ORT_ERRORS, open_session
from vibecheck.vision.crops import SMALLEST_FACE, quick_warp, to_square, warp
from vibecheck.vision.faces import Face, same_face

WEIGHTS = Path(__file__).with_name("yunet") / "yunet_2023mar_any_size.onnx"

# Longer side of the copy that is searched, px: 1.6 ms on one thread, where 640 px takes 7.
DETECTOR_SIDE = 320
# In that copy, faces under about 25 px are found only by chance; at this side they are found reliably.
CLOSE_SIDE = 640
# A photo is searched again at this side if no face was found in it.
PHOTO_SIDE = 960
# Minimum score: below it, hands and patterned cloth are sometimes detected as faces.
DETECTOR_SCORE = 0.6
# Other people near a face are searched for in a square of this many times its box, down to this score.
NEAR_SCALE = 3.0
NEAR_SCORE = 0.35
# Of two boxes whose intersection over union is larger than this, the one with the lower score is dropped.
OVERLAP = 0.3
# The sides of the network's grid cells, px.
STRIDES = (8, 16, 32)
# Landmarks are refined on a crop of this many px. For faces under 150 px YuNet returns those of an average
# face: a head rolled by 20 degrees is measured as 4. At this size three quarters of the roll are measured, so
# nearly all of it after two refinements.
LANDMARK_SIDE = 256
# A face found a moment ago is followed: searched for in an upright crop of this many px that spans
# FOLLOW_SCALE times its box, which yields box and landmarks in one pass. On a recorded actor the box jitters
# as with a full search of each frame, and the probabilities differ by 0.05 on average.
FOLLOW_SIDE = 160
FOLLOW_SCALE = 1.6


class FaceDetector:
    """YuNet (Wu, Peng, Yu 2023), run by ONNX Runtime in a third of the time of OpenCV's `FaceDetectorYN`.

    Thread-safe: one search at a time. Raises ModelError if its weights are missing or damaged.
    """

    def __init__(self) -> None:
        # For all of OpenCV in this process: for small pictures, a second thread costs more than it saves.
        cv2.setNumThreads(1)
        try:
            self._net = open_session(WEIGHTS)
        except ORT_ERRORS as error:
            raise ModelError(
                f"The face detector's weights ({WEIGHTS.name}) are missing or damaged: reinstall VibeCheck."
            ) from error
        self._names = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]
        self._release = onnxruntime.RunOptions()
        self._release.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
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
        faces = [_face(row, width / size[0], height / size[1]) for row in self._rows(small, score)]
        return sorted((f for f in faces if f.side >= SMALLEST_FACE), key=lambda f: f.area, reverse=True)

    def _rows(self, picture: np.ndarray, score: float) -> np.ndarray:
        """N x 15: x, y, width, height, five points and score of each face, in the picture's px."""
        height, width = picture.shape[:2]
        below, right = (-side % STRIDES[-1] for side in (height, width))
        padded = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_CONSTANT)
        # Do not keep the memory of a large picture.
        run = self._release if max(height, width) > DETECTOR_SIDE else None
        # 1 x 3 x H x W, BGR. OpenCV's blobFromImage takes five times as long.
        blob = np.ascontiguousarray(padded.transpose(2, 0, 1)[np.newaxis, ::-1], np.float32)
        with self._lock:
            outputs = self._net.run(self._names, {"input": blob}, run)
        # Each kind of output for all cells, those of the smallest first.
        classes, objects, boxes, points = (np.concatenate(outputs[kind::4], axis=1)[0] for kind in range(4))
        scores = np.sqrt(np.clip(classes, 0, 1) * np.clip(objects, 0, 1))[:, 0]
        good = scores >= score
        cells, strides = (each[good] for each in _grid(*padded.shape[:2]))
        sizes = np.exp(boxes[good, 2:])
        corners = cells + boxes[good, :2] - sizes / 2
        marks = np.tile(cells, 5) + points[good]
        rows = np.column_stack([strides * np.hstack([corners, sizes, marks]), scores[good]])
        rows = rows[np.isfinite(rows).all(axis=1)]
        if len(rows) < 2:
            return rows
        best = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), score, OVERLAP)
        return rows[np.asarray(best, int)]

    def find_in_photo(self, picture: np.ndarray) -> list[Face]:
        """Like `find`, but more thorough and slower, and with accurate landmarks of the largest face."""
        found = self.find(picture) or self.find(picture, PHOTO_SIDE)
        return [self.refine(picture, self.refine(picture, each)) for each in found[:1]] + found[1:]

    def refine(self, picture: np.ndarray, face: Face) -> Face:
        """The same face with more accurate landmarks, measured on an enlarged crop (see LANDMARK_SIDE)."""
        square = to_square(face, LANDMARK_SIDE, 1.0, upright=True)
        found = self._find_in(warp(picture, square, LANDMARK_SIDE), square)
        return replace(face, landmarks=found[0].landmarks) if found else face

    def bystanders(self, picture: np.ndarray, face: Face, found: Sequence[Face]) -> list[Face]:
        """Faces of other people that a crop around `face` may show: those in `found`, and all that are close.

        The surroundings are searched once more, enlarged and with a lower threshold: obscuring something
        that is no face does less harm than keeping somebody's face.
        """
        square = to_square(face, DETECTOR_SIDE, NEAR_SCALE, upright=False)
        near = self._find_in(warp(picture, square, DETECTOR_SIDE), square, NEAR_SCORE)
        return [each for each in (*found, *near) if not face.contains(each.centre)]

    def follow(self, picture: np.ndarray, before: Face) -> Face | None:
        """Find the face that was at `before` a moment ago, near that place; None if it is not found.

        Takes a sixth of the time of `find` and `refine`, and does not see other faces.
        """
        square = to_square(before, FOLLOW_SIDE, FOLLOW_SCALE, upright=True)
        near = self._find_in(quick_warp(picture, square, FOLLOW_SIDE), square)
        return next((face for face in near if same_face(before, face)), None)

    def _find_in(self, cut: np.ndarray, square: np.ndarray, score: float = DETECTOR_SCORE) -> list[Face]:
        """The faces in the `square` (see `crops.to_square`) cut out of a picture, in the picture's pixels."""
        back = cv2.invertAffineTransform(square)
        return [each.moved(back) for each in self.find(cut, len(cut), score)]


@lru_cache(maxsize=16)
def _grid(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """The network's grid cells in a picture of this size: columns and rows (N x 2), sides in px (N x 1)."""
    grids = [np.indices((height // side, width // side)).reshape(2, -1)[::-1].T for side in STRIDES]
    return np.concatenate(grids), np.repeat(STRIDES, [len(grid) for grid in grids])[:, np.newaxis]


def _face(row: np.ndarray, across: float, down: float) -> Face:
    """One row of YuNet's output, scaled to the full picture's pixels."""
    points = row[:14].reshape(7, 2) * (across, down)
    (x, y), (width, height), *landmarks = points.tolist()
    return Face(x, y, width, height, tuple((px, py) for px, py in landmarks), float(row[14]))
