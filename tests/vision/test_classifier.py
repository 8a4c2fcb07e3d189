import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.vision.classifier import BATCH, EMBEDDED, Classifier, label_mapping, mirror_images
from vibecheck.vision.crops import model_crop
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops, face_probes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded model that a test may break."""
    return shutil.copytree(EMBEDDED, tmp_path / "model")


def rewrite(folder: Path, name: str, **fields) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


class Logits:
    """A session of ONNX Runtime with fixed answers."""

    def __init__(self, logits):
        self.logits = np.asarray(logits, np.float32)

    def get_inputs(self):
        class Input:
            name, shape = "pixels", ["n", 8, 8, 3]

        return [Input]

    def run(self, outputs, inputs):
        return [np.repeat(self.logits[None], len(inputs["pixels"]), axis=0)]


def answer(logits, mapping=range(7), **manifest) -> np.ndarray:
    model = Classifier(Logits(logits), tuple(mapping), Manifest(version="test", **manifest))
    return model.probabilities(np.zeros((1, 8, 8, 3), np.uint8))[0]


def crop_of(picture, detector, classifier) -> np.ndarray:
    return model_crop(picture, detector.find(picture)[0], classifier.side, classifier.manifest)


def test_smiling_face_is_classified_as_happy(astronaut, detector, classifier):
    crop = crop_of(astronaut, detector, classifier)
    (shares,) = classifier.probabilities(crop[np.newaxis])
    assert NAMES[shares.argmax()] == "happy"
    assert shares.sum() == pytest.approx(1)


def test_any_number_of_faces_is_classified_in_one_call(classifier):
    crops = np.random.default_rng(0).integers(
        0, 256, (BATCH * 2 + 3, classifier.side, classifier.side, 3), dtype=np.uint8
    )
    together = classifier.probabilities(crops)
    assert together.shape == (len(crops), 7)
    one_by_one = np.concatenate([classifier.probabilities(crop[np.newaxis]) for crop in crops])
    assert together == pytest.approx(one_by_one, abs=1e-5)
    assert classifier.probabilities(crops[:0]).shape == (0, 7)


def test_a_mirrored_model_answers_with_the_mean_for_a_face_and_its_mirror_image(folder):
    crops = face_crops(Manifest.read(folder), Classifier.load(folder).side, 40)

    def logits(*asked, mirrored=True) -> np.ndarray:
        rewrite(folder, "vibecheck.json", mirrored=mirrored)
        said = np.log(Classifier.load(folder).probabilities(*asked))
        return said - said.mean(axis=1, keepdims=True)

    face, mirror = (logits(each, mirrored=False) for each in (crops, mirror_images(crops)))
    assert np.abs(face - mirror).max() > 0.1
    assert logits(crops) == pytest.approx((face + mirror) / 2, abs=1e-4)
    assert logits(crops, False) == pytest.approx(face, abs=1e-4)
    assert logits(crops, True) == pytest.approx(mirror, abs=1e-4)
    assert logits(crops, True, mirrored=False) == pytest.approx(face, abs=1e-4), "not what it is meant for"


def test_threads_can_share_a_classifier(classifier):
    crops = np.random.default_rng(1).integers(
        0, 256, (16, 1, classifier.side, classifier.side, 3), dtype=np.uint8
    )
    expected = [classifier.probabilities(crop) for crop in crops]
    with ThreadPoolExecutor(4) as pool:
        assert np.array_equal(list(pool.map(classifier.probabilities, crops)), expected)


logits = st.lists(st.floats(-30, 30), min_size=7, max_size=7)


@settings(deadline=None)
@given(logits, st.floats(0, 1))
def test_probabilities_sum_to_one(values, strength):
    prior = (0.3, 0.05, 0.05, 0.2, 0.2, 0.1, 0.1)
    shares = answer(values, class_prior=prior, prior_strength=strength)
    assert shares.sum() == pytest.approx(1)
    assert (shares >= 0).all()


def test_the_prior_is_divided_out_by_its_strength():
    prior = np.array((0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1))
    told = answer(np.log(prior), class_prior=tuple(prior), prior_strength=0.0)
    assert told == pytest.approx(prior, rel=1e-5)
    # A model that says no more than its prior knows nothing: corrected in full, all are alike.
    assert answer(np.log(prior), class_prior=tuple(prior), prior_strength=1.0) == pytest.approx(1 / 7)
    half = prior**0.5 / (prior**0.5).sum()
    assert answer(np.log(prior), class_prior=tuple(prior), prior_strength=0.5) == pytest.approx(
        half, rel=1e-5
    )


def test_a_model_without_a_recorded_prior_is_not_corrected():
    assert answer(np.log([0.4] + [0.1] * 6), prior_strength=1.0)[0] == pytest.approx(0.4, rel=1e-5)


def test_labels_of_one_mood_are_added_up():
    # eight labels, of which the second and the last are both disgust
    shares = answer(np.log([0.1, 0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.2]), mapping=[0, 1, 2, 3, 4, 5, 6, 1])
    assert shares == pytest.approx([0.1, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1], rel=1e-5)


def test_order_of_labels_makes_no_difference(folder, astronaut, detector, classifier):
    crop = crop_of(astronaut, detector, classifier)[np.newaxis]
    names = ["anger", "Disgusted", "fearful", "HAPPINESS", "neutral", "sadness", "surprised"]
    rewrite(folder, "config.json", id2label={str(i): name for i, name in enumerate(names)})
    assert Classifier.load(folder).probabilities(crop) == pytest.approx(classifier.probabilities(crop))


def test_labels_that_are_not_moods_are_refused_by_name(folder):
    rewrite(folder, "config.json", id2label={"0": "cat", "1": "angry", "2": "dog"})
    with pytest.raises(ModelError, match="'cat', 'dog'"):
        Classifier.load(folder)


def test_a_graph_with_another_number_of_labels_is_refused(folder):
    names = [*NAMES, "contempt"]
    rewrite(folder, "config.json", id2label={str(i): name for i, name in enumerate(names)})
    with pytest.raises(ModelError, match="was not made by VibeCheck"):
        Classifier.load(folder)


@pytest.mark.parametrize("name", ["vibecheck.json", "model.onnx", "config.json"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ModelError, match=name):
        Classifier.load(folder)


@pytest.mark.parametrize("name", ["vibecheck.json", "model.onnx", "config.json"])
@pytest.mark.parametrize("content", [b"", b"{}", b"\x00\xff" * 100])
def test_a_damaged_file_is_named(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(ModelError, match=name):
        Classifier.load(folder)


def test_a_half_written_graph_is_refused(folder):
    whole = (folder / "model.onnx").read_bytes()
    (folder / "model.onnx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="is damaged"):
        Classifier.load(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("class_prior", [0.5, 0.5]),
        ("class_prior", [0.5] * 7),
        ("class_prior", [0.0, 0.4, 0.2, 0.1, 0.1, 0.1, 0.1]),
        ("prior_strength", 1.5),
        ("temperature", 0),
        ("crop_scale", -1),
        ("version", "no spaces"),
        ("promised_accuracy", 80),
        ("mystery", 1),
    ],
)
def test_a_manifest_with_a_wrong_field_is_refused_by_name(folder, field, value):
    rewrite(folder, "vibecheck.json", **{field: value})
    with pytest.raises(ModelError, match=field):
        Manifest.read(folder)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    manifest = Manifest(version="a/b@c-1", grey=True, class_prior=(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4))
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest


def test_embedded_model_has_the_seven_moods_as_labels():
    assert label_mapping(EMBEDDED) == tuple(range(len(NAMES)))


def test_classifying_does_not_import_torch():
    import subprocess
    import sys

    code = (
        "import sys; from vibecheck.vision.classifier import *; Classifier.load(EMBEDDED)\n"
        "assert not {'torch', 'transformers', 'onnx', 'streamlit'} & set(sys.modules), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_face_probes_are_reproducible_and_vary_in_brightness():
    probes = face_probes(250)
    assert probes.shape == (250, 25, 25, 3) and probes.dtype == np.uint8
    assert len({probe.mean().round(1) for probe in probes}) > 100
    assert np.array_equal(probes, face_probes(250))
