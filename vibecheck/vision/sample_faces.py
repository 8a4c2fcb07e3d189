"""Real faces to try a model on: pictures that the caller has, and those of scikit-image."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np

from vibecheck.errors import VibeCheckError
from vibecheck.vision.crops import crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import Face
from vibecheck.vision.manifest import Manifest

# Of the faces of scikit-image, every so many is the astronaut's, in colour and sharp.
SHARP_EVERY = 4


def lfw_faces() -> np.ndarray:
    """The 100 faces of scikit-image's `lfw_subset`, N x 25 x 25 uint8, grey.

    Raises VibeCheckError where scikit-image, which carries the pictures, is not installed.
    """
    faces = _skimage().lfw_subset()[:100]  # the first hundred show faces, the others do not
    return (faces * 255).round().astype(np.uint8)


def face_probes(count: int = 200, seed: int = 0) -> np.ndarray:
    """`count` face crops, N x 25 x 25 x 3 uint8 RGB: the same faces in other light and other tints.

    Raises VibeCheckError as `lfw_faces` does.
    """
    faces = lfw_faces()
    rng = np.random.default_rng(seed)
    picked = np.resize(faces, (count, *faces.shape[1:]))[..., np.newaxis]
    tints = rng.uniform(0.5, 1.1, size=(count, 1, 1, 3))
    return np.clip(picked * tints, 0, 255).round().astype(np.uint8)


def face_crops(
    manifest: Manifest,
    side: int,
    count: int = 200,
    seed: int = 0,
    kept: Iterable[tuple[np.ndarray, Face]] = (),
) -> np.ndarray:
    """`count` faces cut as the model of `manifest` wants them: N x side x side x 3 uint8 RGB.

    The first of `kept` (pictures, H x W x 3 uint8 RGB, each with the face in it); where they are too few,
    faces of scikit-image in other light, tints and crops. Deterministic. Raises VibeCheckError.
    """
    crops = [
        crop(picture, face, side, manifest.crop_scale, manifest.upright)
        for picture, face in islice(kept, count)
    ]
    rest = count - len(crops)
    blurred = [cv2.resize(face, (side, side)) for face in face_probes(rest, seed)] if rest else []
    sharp = _astronauts(manifest, side, -(-rest // SHARP_EVERY), seed)
    blurred[::SHARP_EVERY] = sharp
    return np.stack([*crops, *blurred])


def _astronauts(manifest: Manifest, side: int, count: int, seed: int) -> list[np.ndarray]:
    """The astronaut's face, found a little elsewhere each time, in other light and mirrored at times."""
    picture = _skimage().astronaut()
    face = FaceDetector().find(picture)[0]
    rng = np.random.default_rng(seed + 1)
    crops = []
    for _ in range(count):
        aside, down = rng.normal(0, 0.05, 2) * face.side
        grown = rng.uniform(0.85, 1.2)
        found = replace(
            face, x=face.x + aside, y=face.y + down, width=face.width * grown, height=face.height * grown
        )
        cut = crop(picture, found, side, manifest.crop_scale, manifest.upright)
        lit = np.clip(cut * rng.uniform(0.4, 1.3) * rng.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)
        crops.append(lit[:, ::-1] if rng.random() < 0.5 else lit)
    return crops


def _skimage():
    try:
        from skimage import data
    except ImportError as error:
        raise VibeCheckError(
            "Faces to try the model on are missing: pip install -r requirements.txt."
        ) from error
    return data
