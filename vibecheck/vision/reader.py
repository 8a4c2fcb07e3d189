"""Reads one picture: finds its faces, and classifies the expression of one of them."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Self

import numpy as np

from vibecheck.emotions import NAMES, Distribution
from vibecheck.errors import UnreadablePicture
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.crops import kept_crop, measure
from vibecheck.vision.detector import CLOSE_SIDE, FaceDetector
from vibecheck.vision.faces import Face, FaceQuality, face_filling, same_face
from vibecheck.vision.images import decode, read_file
from vibecheck.vision.manifest import Manifest

# Faces in photographs usually score 0.85 to 0.95, a pencil drawing 0.8, outlines alone 0.7. A painting or a
# cartoon that is shaded like a photograph cannot be told from one.
DOUBTFUL_SCORE = 0.75
# The largest face is read. In video, the face that was read before stays the one until another has this many
# times its area, so that two people side by side do not alternate.
TAKEOVER = 1.25


@dataclass(frozen=True, slots=True)
class Reading:
    """What one model read in one picture.

    `faces` are in the picture's pixels: first the face that was read, then the others, largest first. Without
    a face, `probabilities` (seven, in the order of EMOTIONS), `quality` and `kept` are None. `kept` returns
    the crop that may be kept, without other people's faces, and the face in it (see `crops.kept_crop`). It
    is made on the first call, since few frames become a vibe check. It is None for a frame of which only a
    part was searched for faces. `at` is when the picture was taken, in seconds of a monotonic clock;
    `took_ms` how long the reading took; `model` is the model that read it, `calibration` the id of the
    calibration it ran under, None as shipped.
    """

    at: float
    faces: tuple[Face, ...]
    probabilities: tuple[float, ...] | None
    quality: FaceQuality | None
    kept: Callable[[], tuple[np.ndarray, Face]] | None
    took_ms: float
    model: Manifest
    calibration: str | None = None

    @property
    def hints(self) -> tuple[str, ...]:
        """What to do for a better reading, or why to doubt this one; most useful first."""
        if self.face is None or self.quality is None:
            return ()
        doubt = ("This may not be a real face, or little of it is visible: do not rely on the mood.",)
        return self.quality.hints + (doubt if self.face.score < DOUBTFUL_SCORE else ())

    @property
    def made_by(self) -> tuple[str, str | None]:
        """The model version and its calibration; only readings with the same ones are averaged."""
        return self.model.version, self.calibration

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
    """The input of one vibe check: what was shown, and the readings of that face, oldest first."""

    distribution: Distribution
    readings: tuple[Reading, ...]

    @classmethod
    def of(cls, still: Reading) -> "Moment | None":
        """The moment of a photo; None if it shows no face."""
        return cls(Distribution.of(still.probabilities), (still,)) if still.probabilities else None


@dataclass(frozen=True, slots=True)
class Expected:
    """What is known about a frame of video before it is read.

    `before` is the face that was read in the frame before, if that was a moment ago. `closely`: if no face is
    found, search for small ones too, which takes four times as long. `follow`: search for `before` near its
    old position, and in the whole picture only if it is not there. `mirrored` is as in
    `Classifier.probabilities`.
    """

    before: Face | None = None
    closely: bool = False
    follow: bool = False
    mirrored: bool | None = None


NOTHING_EXPECTED = Expected()


class Reader:
    """Reads pictures with one detector and one model. Thread-safe.

    Another `classifier` may be set at any time; the next picture is read by it.
    """

    def __init__(self, detector: FaceDetector, classifier: Classifier) -> None:
        self.detector = detector
        self.classifier = classifier

    @classmethod
    def open(cls, model: str | Path = EMBEDDED, threads: int = 1) -> Self:
        """A reader with the model in this folder, by default the one that ships. Raises ModelError."""
        return cls(FaceDetector(), Classifier.load(Path(model), threads))

    def read(self, picture: str | Path | bytes | bytearray | memoryview | np.ndarray) -> Reading:
        """Read a photo: a file, its bytes, or pixels (H x W x 3 uint8 RGB).

        Raises PictureError for what cannot be read as a picture.
        """
        if isinstance(picture, (str, Path)):
            picture = read_file(Path(picture))
        elif isinstance(picture, bytes | bytearray | memoryview):
            picture = decode(bytes(picture))
        elif not (getattr(picture, "dtype", None) == np.uint8 and picture.shape[2:] == (3,) and picture.size):
            raise UnreadablePicture(
                "This is not a picture as H x W x 3 uint8 RGB. Convert it, or send a file."
            )
        return self.read_still(picture)

    def read_still(self, picture: np.ndarray) -> Reading:
        """Read a photo (H x W x 3 uint8 RGB); more thorough and slower than `read_frame`."""
        start = time.perf_counter()
        faces = self.detector.find_in_photo(picture)
        kept = partial(self._kept, picture, faces[0], faces[1:]) if faces else None
        return self._reading(picture, tuple(faces), 0.0, start, kept=kept)

    def read_frame(self, picture: np.ndarray, at: float, expected: Expected = NOTHING_EXPECTED) -> Reading:
        """Read a frame of video (H x W x 3 uint8 RGB) taken at `at` seconds."""
        start = time.perf_counter()
        before = expected.before
        if expected.follow and before is not None and (face := self.detector.follow(picture, before)):
            return self._reading(picture, (face,), at, start, expected.mirrored)
        faces = self.detector.find(picture)
        if not faces and expected.closely:
            faces = self.detector.find(picture, CLOSE_SIDE)
        if not faces:
            return self._reading(picture, (), at, start)
        first = _to_read(faces, before)
        others = [face for face in faces if face is not first]
        face = self.detector.refine(picture, first)
        kept = partial(self._kept, picture, face, others)
        return self._reading(picture, (face, *others), at, start, expected.mirrored, kept)

    def read_crop(self, picture: np.ndarray) -> Reading:
        """Read a picture that is already a face crop: all of it is used as the face."""
        start = time.perf_counter()
        face = face_filling(picture)
        return self._reading(picture, (face,), 0.0, start, kept=partial(kept_crop, picture, face))

    def _kept(self, picture: np.ndarray, face: Face, others: Sequence[Face]) -> tuple[np.ndarray, Face]:
        return kept_crop(picture, face, self.detector.bystanders(picture, face, others))

    def _reading(
        self,
        picture: np.ndarray,
        faces: tuple[Face, ...],
        at: float,
        start: float,
        mirrored: bool | None = None,
        kept: Callable[[], tuple[np.ndarray, Face]] | None = None,
    ) -> Reading:
        """The reading of the first of `faces`, or one without a face."""
        classifier = self.classifier  # another one may be set meanwhile
        model = classifier.manifest
        shares = quality = None
        if faces:
            shares = tuple(classifier.read_face(picture, faces[0], mirrored).tolist())
            quality = measure(picture, faces[0])
        took = (time.perf_counter() - start) * 1000
        once = cache(kept) if kept else None
        return Reading(at, faces, shares, quality, once, took, model, classifier.calibration)


def _to_read(faces: list[Face], before: Face | None) -> Face:
    """The largest face, or the one that was read before unless another is clearly larger."""
    largest = faces[0]
    if before is None:
        return largest
    same = next((face for face in faces if same_face(before, face)), largest)
    return largest if largest.area > TAKEOVER * same.area else same
