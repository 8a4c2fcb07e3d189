"""Real faces to try a model on: those of scikit-image, and variants of them."""

import numpy as np

from vibecheck.errors import VibeCheckError


def lfw_faces() -> np.ndarray:
    """The 100 faces of scikit-image's `lfw_subset`, N x 25 x 25 uint8, grey.

    Raises VibeCheckError where scikit-image, which carries the pictures, is not installed.
    """
    try:
        from skimage import data
    except ImportError as error:
        raise VibeCheckError(
            "Faces to try the model on are missing: pip install -r requirements-dev.txt."
        ) from error
    faces = data.lfw_subset()[:100]  # the first hundred show faces, the others do not
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
