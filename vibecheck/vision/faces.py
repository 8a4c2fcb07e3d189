"""A face in a picture: where it is, how it is turned, and how well it can be read.

It looks at no picture: `detector.py` finds faces in one, `crops.py` cuts them out and measures them.
"""

import math
from dataclasses import dataclass

import numpy as np

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
