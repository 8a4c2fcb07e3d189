"""One picture, read once: which faces are in it, and what the largest of them shows.

It knows no page, no visitor and no record: what is read is not kept here.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from vibecheck.emotions import NAMES, Distribution
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.crops import kept_crop, measure, model_crop
from vibecheck.vision.detector import CLOSE_SIDE, FaceDetector
from vibecheck.vision.faces import Face, FaceQuality, face_filling, same_face
from vibecheck.vision.images import decode, read_file
from vibecheck.vision.manifest import Manifest

# Where no face is found in a still, smaller ones are sought in a copy of this longer side.
STILL_SIDE = 960
# The largest face is the one that is read; the one that was read before stays it until another is
# this many times its area, so that two people side by side do not take turns.
TAKEOVER = 1.25


@dataclass(frozen=True, slots=True)
class Reading:
    """What one picture showed.

    `faces` are in the picture's pixels; the first is the one that was read, the others largest first. Without
    a face the rest is None. `probabilities` are seven, in the order of EMOTIONS. `kept` is what may
    be kept of the picture (see `crops.kept_crop`), `kept_face` the face in it. `at` is when the
    picture was taken, in seconds of a monotonic clock; `took_ms` how long the reading took; `model`
    is what read it.
    """

    at: float
    faces: tuple[Face, ...]
    probabilities: tuple[float, ...] | None
    quality: FaceQuality | None
    kept: np.ndarray | None
    kept_face: Face | None
    took_ms: float
    model: Manifest

    @property
    def face(self) -> Face | None:
        """The face that was read."""
        return self.faces[0] if self.faces else None

    @property
    def mood(self) -> str | None:
        """The name of the most probable mood; None without a face."""
        return NAMES[int(np.argmax(self.probabilities))] if self.probabilities else None

    @property
    def confidence(self) -> float | None:
        """The probability of `mood`, 0 to 1; None without a face."""
        return max(self.probabilities) if self.probabilities else None


@dataclass(frozen=True, slots=True)
class Moment:
    """What one vibe check is made of: what was shown, and the readings of that face, oldest first."""

    distribution: Distribution
    readings: tuple[Reading, ...]

    @classmethod
    def of(cls, still: Reading) -> "Moment | None":
        """The moment of a photo; None if it shows no face."""
        return cls(Distribution.of(still.probabilities), (still,)) if still.probabilities else None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known of a frame of video before it is read.

    `before` is the face that was read in the frame before, if there was one a moment ago. `closely` allows
    the search for small faces, which takes four times as long, where no other is found. With `follow` that
    face is looked for where it was, and the rest of the picture only if it is not there. `mirrored` is as
    in `Classifier.probabilities`.
    """

    before: Face | None = None
    closely: bool = False
    follow: bool = False
    mirrored: bool | None = None


NOTHING_EXPECTED = Expected()


class Reader:
    """Reads pictures with one detector and one model. May be shared by threads.

    Another `classifier` may be set at any time; the next picture is read by it.
    """

    def __init__(self, detector: FaceDetector, classifier: Classifier) -> None:
        self.detector = detector
        self.classifier = classifier

    @classmethod
    def open(cls, model: Path = EMBEDDED, threads: int = 1) -> Self:
        """A reader with the model in this folder, by default the one that ships. Raises ModelError."""
        return cls(FaceDetector(), Classifier.load(model, threads))

    def read(self, picture: str | Path | bytes | np.ndarray) -> Reading:
        """Read a photo: a file, its bytes, or pixels (H x W x 3 uint8 RGB).

        Raises PictureError for what cannot be read as a picture.
        """
        if isinstance(picture, (str, Path)):
            picture = read_file(Path(picture))
        elif isinstance(picture, bytes):
            picture = decode(picture)
        return self.read_still(picture)

    def read_still(self, picture: np.ndarray) -> Reading:
        """Read a photo (H x W x 3 uint8 RGB), with all the care that a single picture is worth."""
        start = time.perf_counter()
        faces = self.detector.find(picture) or self.detector.find(picture, STILL_SIDE)
        if not faces:
            return self._nobody(0.0, start)
        face = self.detector.refine(picture, self.detector.refine(picture, faces[0]))
        return self._reading(picture, (face, *faces[1:]), 0.0, start)

    def read_frame(self, picture: np.ndarray, at: float, expected: Expected = NOTHING_EXPECTED) -> Reading:
        """Read a frame of video (H x W x 3 uint8 RGB) taken at `at` seconds."""
        start = time.perf_counter()
        if faces := self._faces(picture, expected):
            return self._reading(picture, faces, at, start, expected.mirrored)
        return self._nobody(at, start)

    def read_crop(self, picture: np.ndarray) -> Reading:
        """Read a picture that is a face crop already: nothing is sought, the whole of it is the face."""
        start = time.perf_counter()
        return self._reading(picture, (face_filling(picture),), 0.0, start)

    def _faces(self, picture: np.ndarray, expected: Expected) -> tuple[Face, ...]:
        """The faces in a frame, first the one to read."""
        before = expected.before
        if expected.follow and before is not None and (face := self.detector.follow(picture, before)):
            return (face,)
        faces = self.detector.find(picture)
        if not faces and expected.closely:
            faces = self.detector.find(picture, CLOSE_SIDE)
        if not faces:
            return ()
        first = _to_read(faces, before)
        return (self.detector.refine(picture, first), *(other for other in faces if other is not first))

    def _reading(
        self,
        picture: np.ndarray,
        faces: tuple[Face, ...],
        at: float,
        start: float,
        mirrored: bool | None = None,
    ) -> Reading:
        classifier = self.classifier  # another may take its place meanwhile
        model = classifier.manifest
        cut = model_crop(picture, faces[0], classifier.side, model)
        shares = tuple(map(float, classifier.probabilities(cut[np.newaxis], mirrored)[0]))
        kept, kept_face = kept_crop(picture, faces[0])
        return Reading(
            at, faces, shares, measure(picture, faces[0]), kept, kept_face, _ms_since(start), model
        )

    def _nobody(self, at: float, start: float) -> Reading:
        return Reading(at, (), None, None, None, None, _ms_since(start), self.classifier.manifest)


def _to_read(faces: list[Face], before: Face | None) -> Face:
    """The largest face, or the one that was read before while no other is clearly larger."""
    largest = faces[0]
    if before is None:
        return largest
    same = next((face for face in faces if same_face(before, face)), largest)
    return largest if largest.area > TAKEOVER * same.area else same


def _ms_since(start: float) -> float:
    return (time.perf_counter() - start) * 1000
