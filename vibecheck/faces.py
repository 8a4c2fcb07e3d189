"""Finds faces in a picture, cuts them out, and says how good they are to read."""
from dataclasses import dataclass


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
