"""Runs the emotion model: face crops → seven probabilities each. Imports no torch.

A model folder is a Hugging Face one (config.json, preprocessor_config.json, model.safetensors) with two
more files, written by `python -m vibecheck compile`: `model.onnx`, which is what runs, and
`vibecheck.json` (see `manifest`).
"""

import copy
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from vibecheck.emotions import EMOTIONS, map_labels
from vibecheck.errors import ModelError
from vibecheck.vision.crops import model_crop
from vibecheck.vision.faces import Face
from vibecheck.vision.manifest import Manifest, unusable
from vibecheck.vision.temperature_scaling import TemperatureScaling

EMBEDDED = Path(__file__).parents[1] / "models" / "embedded"
ONNX_FILE = "model.onnx"
# Faces per run, which bounds the memory for thousands of them.
BATCH = 32


def label_mapping(folder: Path) -> tuple[int, ...]:
    """For each output of a folder's model, the index of its mood, from config.json's `id2label`.

    Raises ModelError if there are no labels, or as `map_labels` does.
    """
    path = folder / "config.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8"))["id2label"]
        labels = [str(names[str(i)]) for i in range(len(names))]
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} does not say which labels the model has (id2label).") from error
    return map_labels(labels)


class Classifier:
    """A loaded model. May be shared by threads.

    `calibration` is the id of the calibration that its probabilities are made under, None as shipped.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, mapping: Sequence[int], manifest: Manifest
    ) -> None:
        self.manifest = manifest
        self._session = session
        self._input = session.get_inputs()[0].name
        self.side = int(session.get_inputs()[0].shape[1])
        # labels x 7, one-hot rows: probabilities of labels that map to the same mood are added
        self._to_moods = np.eye(len(EMOTIONS))[list(mapping)]
        self._lock = threading.Lock()
        self._scaling: TemperatureScaling | None = None
        self.calibration: str | None = None

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> "Classifier":
        """Open a model folder, to run on `threads` CPU threads.

        Raises ModelError if a file is missing or damaged, or if the labels cannot be mapped to the moods.
        """
        manifest = Manifest.read(folder)
        mapping = label_mapping(folder)
        path = folder / ONNX_FILE
        if not path.is_file():
            raise unusable(path, "is missing. Make it")
        try:
            session = open_session(path, threads)
        except ORT_ERRORS as error:
            raise unusable(path, "is damaged. Make it again") from error
        if not _fits(session, len(mapping)):
            raise unusable(path, "was not made by VibeCheck. Make it")
        noted = session.get_modelmeta().custom_metadata_map
        if not made_with(manifest).items() <= noted.items():  # its confidence would be meaningless
            raise unusable(path, "was made with another temperature than vibecheck.json names. Make it again")
        return cls(session, mapping, manifest)

    def sharing(self) -> "Classifier":
        """A copy of the loaded model with its own lock, so that users of one never wait for the other."""
        other = copy.copy(self)
        other._lock = threading.Lock()  # ONNX Runtime allows concurrent runs; the lock saves memory
        return other

    @property
    def version(self) -> str:
        """The version written with every prediction."""
        return self.manifest.version

    def calibrated(self, scaling: TemperatureScaling | None, calibration: str | None) -> "Classifier":
        """The same loaded model with this calibration and its id; None for both: as shipped."""
        other = copy.copy(self)
        other._scaling, other.calibration = scaling, calibration
        return other

    def probabilities(self, crops: np.ndarray, mirrored: bool | None = None) -> np.ndarray:
        """Seven probabilities a face, N x 7 float64, in the order of EMOTIONS; each row sums to 1.

        `crops` is N x side x side x 3 uint8 RGB. The graph's logits are calibrated; if the manifest has a
        class prior, the probabilities are corrected for it (`without_prior`). The calibration given to
        `calibrated` is applied last.

        A model with `mirrored` in its manifest averages its logits for each face and its mirror image. For
        video, whose readings are averaged anyway, `mirrored` picks one of the two in half the time: the
        mirror images (True) or the faces as they are (False). Other models ignore it.
        """
        if not len(crops):
            return np.empty((0, len(EMOTIONS)))
        if not self.manifest.mirrored:
            logits = self._logits(crops)
        elif mirrored is None:
            both = np.concatenate([crops, mirror_images(crops)])
            logits = self._logits(both).reshape(2, len(crops), -1).mean(axis=0)
        else:
            logits = self._logits(mirror_images(crops) if mirrored else crops)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True)) @ self._to_moods
        prior = self.manifest.class_prior or [1.0] * len(EMOTIONS)
        answers = without_prior(shares, np.asarray(prior), self.manifest.prior_strength)
        return answers if self._scaling is None else self._scaling.apply(answers)

    def read_face(self, picture: np.ndarray, face: Face, mirrored: bool | None = None) -> np.ndarray:
        """The seven `probabilities` of one face in a picture (H x W x 3 uint8 RGB)."""
        crop = model_crop(picture, face, self.side, self.manifest)
        return self.probabilities(crop[np.newaxis], mirrored)[0]

    def _logits(self, crops: np.ndarray) -> np.ndarray:
        """The logits of N crops: N x labels, float64."""
        with self._lock:
            parts = [
                self._session.run(None, {self._input: crops[start : start + BATCH]})[0]
                for start in range(0, len(crops), BATCH)
            ]
        return np.concatenate(parts).astype(np.float64)


def open_session(path: Path, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX file, to run on `threads` CPU threads. Raises one of ORT_ERRORS if it is missing or damaged."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin between two faces would take CPU time from the video.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def mirror_images(crops: np.ndarray) -> np.ndarray:
    """N x H x W x 3 images, flipped horizontally."""
    return np.ascontiguousarray(crops[:, :, ::-1])


def without_prior(shares: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """Post-hoc logit adjustment (Menon et al. 2021, arXiv:2007.07314) of N x 7 unnormalised probabilities.

    Each is divided by its prior ** strength and rows are normalised: strength 0 changes nothing, 1 assumes
    that all moods were equally likely.
    """
    corrected = shares / prior**strength
    return corrected / corrected.sum(axis=1, keepdims=True)


def _fits(session: onnxruntime.InferenceSession, labels: int) -> bool:
    """Whether a graph takes N x S x S x 3 uint8 and gives N x labels."""
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape
    return (
        len(inputs) == 1
        and inputs[0].type == "tensor(uint8)"
        and len(shape) == 4
        and isinstance(shape[1], int)
        and shape[1:] == [shape[1], shape[1], 3]
        and outputs[0].shape[-1] == labels
    )


def made_with(manifest: Manifest) -> dict[str, str]:
    """The manifest's fields that are baked into the graph, as the graph's metadata."""
    return {"vibecheck.temperature": str(manifest.temperature)}


# ONNX Runtime's exceptions share no base class but Exception.
ORT_ERRORS = tuple(
    kind
    for kind in vars(onnxruntime.capi.onnxruntime_pybind11_state).values()
    if isinstance(kind, type) and issubclass(kind, Exception)
)
