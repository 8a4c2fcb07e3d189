"""A face in a picture: its position, its pose, and the quality of its image."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vibecheck.errors import NoFace

# How far the tip of the nose protrudes from the line of the eyes, in interpupillary distances (35 mm to
# 63 mm in an average adult).
NOSE_DEPTH = 0.55
# If another face has this share of the largest one's area, it is unclear to whom a label belongs.
RIVAL = 0.5


@dataclass(frozen=True, slots=True)
class Face:
    """One face, in pixels of its picture: x to the right, y down.

    `landmarks` are (x, y) of the right eye, left eye, nose tip, right and left corner of the mouth
    (the person's right and left). `score` is the detector's confidence, 0 to 1.
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
        """Centre of the box, px."""
        return self.x + self.width / 2, self.y + self.height / 2

    def contains(self, point: tuple[float, float]) -> bool:
        """Whether a point, in px of the same picture, lies in the box."""
        return 0 <= point[0] - self.x <= self.width and 0 <= point[1] - self.y <= self.height

    @property
    def roll(self) -> float:
        """In-plane rotation, from the line between the eyes, degrees; positive is clockwise."""
        (x0, y0), (x1, y1) = self.landmarks[:2]
        return math.degrees(math.atan2(y1 - y0, x1 - x0))

    @property
    def yaw(self) -> float:
        """Rotation of the head to the side, degrees; positive is towards the picture's right.

        With eyes d apart, a head rotated by a shows them d·cos(a) apart, and the tip of the nose, which
        protrudes by NOSE_DEPTH·d, shifted by NOSE_DEPTH·d·sin(a).
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

        The box is moved and scaled but not rotated, so it stays axis-aligned.
        """
        scale = math.sqrt(abs(np.linalg.det(matrix[:, :2])))
        points = np.array([self.centre, *self.landmarks]) @ matrix[:, :2].T + matrix[:, 2]
        (cx, cy), *landmarks = points.tolist()
        width, height = self.width * scale, self.height * scale
        places = tuple((x, y) for x, y in landmarks)
        return Face(cx - width / 2, cy - height / 2, width, height, places, self.score)


@dataclass(frozen=True, slots=True)
class FaceQuality:
    """Image quality of a face, measured.

    `light`: mean luma of the face, 0 to 255. `blur`: variance of the Laplacian at a fixed face
    size (low is blurred). `size`: longer side of the box, px. `yaw` and `roll`: degrees, estimated
    from the landmarks, with the signs of `Face.yaw` and `Face.roll`.
    """

    light: float
    blur: float
    size: float
    yaw: float
    roll: float

    @property
    def hints(self) -> tuple[str, ...]:
        """What the person could do for a better reading, most useful first; may be empty."""
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
        """0 (unreadable) to 1 (ideal): to choose among frames of the same face."""
        light = 1 - min(abs(self.light - 130) / 130, 1)
        sharp = self.blur / (self.blur + 60)
        size = min(self.size / 160, 1)
        frontal = max(math.cos(math.radians(self.yaw)), 0) * max(math.cos(math.radians(self.roll)), 0)
        return (light * sharp * size * frontal) ** 0.25


def same_face(before: Face, after: Face) -> bool:
    """Whether two boxes, a moment apart in one video, belong to the same person.

    Between two readings a head moves by less than 0.6 of its size and grows by less than half; heads side
    by side are a full size apart.
    """
    moved = math.dist(before.centre, after.centre)
    small, large = sorted((before.side, after.side))
    return moved < 0.6 * large and large < 1.5 * small


def only_face(faces: Sequence[Face]) -> Face:
    """The face that a picture's label refers to: the largest, unless another is nearly as large.

    `faces`: those of the picture, the largest first. Raises NoFace.
    """
    if not faces:
        raise NoFace("No face was found in it. If the pictures are already face crops, add --crops.")
    if len(faces) > 1 and faces[1].area > RIVAL * faces[0].area:
        raise NoFace(f"It shows {len(faces)} faces: crop the one that the label is for.")
    return faces[0]


def face_filling(picture: np.ndarray) -> Face:
    """An upright face that fills the picture, with average landmarks: for pictures that are face crops."""
    height, width = picture.shape[:2]
    places = ((0.31, 0.39), (0.69, 0.39), (0.5, 0.6), (0.35, 0.79), (0.65, 0.79))
    return Face(0.0, 0.0, float(width), float(height), tuple((x * width, y * height) for x, y in places), 1.0)


def fills_picture(face: Face) -> bool:
    """Whether a face was made by `face_filling`: no detected face has a score of exactly 1 and level eyes."""
    return face.score == 1.0 and face.roll == 0.0
