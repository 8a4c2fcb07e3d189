"""Real faces to test a model with: the caller's pictures, and those of scikit-image."""

from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

import cv2
import numpy as np

from vibecheck.errors import VibeCheckError
from vibecheck.vision.crops import model_crop
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.faces import Face
from vibecheck.vision.manifest import Manifest

# Among scikit-image's faces, one in this many is the astronaut's, in colour and sharp.
SHARP_EVERY = 4


def lfw_faces() -> np.ndarray:
    """The 100 faces of scikit-image's `lfw_subset`, N x 25 x 25 uint8, grey.

    Raises VibeCheckError if scikit-image is not installed.
    """
    faces = _skimage().lfw_subset()[:100]  # the rest are not faces
    return (faces * 255).round().astype(np.uint8)


def face_probes(count: int = 200, seed: int = 0) -> np.ndarray:
    """`count` face crops, N x 25 x 25 x 3 uint8 RGB: `lfw_faces` in varied light and tint.

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
    """`count` faces as input for the model of `manifest`: N x side x side x 3 uint8 RGB.

    The first of `kept` (pictures, H x W x 3 uint8 RGB, each with the face in it), filled up with faces of
    scikit-image in varied light, tint and crop. Deterministic. Raises VibeCheckError as `lfw_faces` does.
    """
    crops = [model_crop(picture, face, side, manifest) for picture, face in islice(kept, count)]
    rest = count - len(crops)
    blurred = [cv2.resize(face, (side, side)) for face in face_probes(rest, seed)] if rest else []
    sharp = _astronauts(manifest, side, -(-rest // SHARP_EVERY), seed)
    blurred[::SHARP_EVERY] = sharp
    return np.stack([*crops, *blurred])


def _astronauts(manifest: Manifest, side: int, count: int, seed: int) -> list[np.ndarray]:
    """The astronaut's face with jitter in position, size and light, half of them mirrored."""
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
        cut = model_crop(picture, found, side, manifest)
        lit = np.clip(cut * rng.uniform(0.4, 1.3) * rng.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)
        crops.append(lit[:, ::-1] if rng.random() < 0.5 else lit)
    return crops


def _skimage():
    try:
        from skimage import data
    except ImportError as error:
        raise VibeCheckError(
            "Faces to test the model with are missing: pip install -r requirements.txt."
        ) from error
    return data
