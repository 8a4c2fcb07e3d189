"""The network in training: its answers, its loss, and which weights may change. Imports torch."""

import numpy as np
import pytest

from tests.standins.models import small_vit
from vibecheck.emotions import NAMES
from vibecheck.training_runs.estimate import size_of
from vibecheck.vision.classifier import EMBEDDED, Classifier, label_mapping
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.sample_faces import face_crops

SIDE = size_of(EMBEDDED).side
pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


def student_of(folder, manifest, distill=0.5, share=0.5, weights=(1.0,) * 7):
    from finetune.training.student import Student
    from vibecheck.export.torch_model import open_folder

    inner, side = open_folder(folder, manifest)
    mapping = label_mapping(folder)
    return Student(inner, mapping, manifest, weights, distill, share), side


@pytest.fixture
def embedded():
    return student_of(EMBEDDED, Manifest.read(EMBEDDED))[0]


def test_student_predicts_the_same_as_the_app(torch, embedded):
    manifest = Manifest.read(EMBEDDED)
    faces = face_crops(manifest, SIDE, 12)
    expected = Classifier.load(EMBEDDED).probabilities(faces)
    with torch.inference_mode():
        answers = embedded.eval().answers(torch.from_numpy(faces)).exp().numpy()
    assert answers == pytest.approx(expected, abs=0.03)  # it computes in 8 bits


def test_probabilities_of_labels_of_one_mood_are_added(torch, tmp_path):
    labels = [*NAMES, "contempt"]
    student, side = student_of(small_vit(tmp_path / "vit", labels), Manifest(version="m-1"))
    faces = torch.randint(0, 255, (4, side, side, 3), dtype=torch.uint8)
    with torch.inference_mode():
        answers = student.eval().answers(faces).exp()
        plain = student.inner(faces).softmax(1)
    assert answers.sum(1).numpy() == pytest.approx(np.ones(4), abs=1e-5)
    assert answers[:, 1].numpy() == pytest.approx((plain[:, 1] + plain[:, 7]).numpy(), abs=1e-5)


def test_distillation_weighs_the_champions_answer_against_the_label(torch, embedded):
    faces = torch.from_numpy(face_crops(Manifest.read(EMBEDDED), SIDE, 8))
    labels = torch.arange(8) % 7
    teacher = torch.full((8, 7), 1 / 7)
    losses = {}
    for distill in (0.0, 0.5, 1.0):
        embedded.distill, embedded.share = distill, 0.0
        torch.manual_seed(0)
        losses[distill] = embedded.train()(faces, labels, teacher)["loss"].item()
    assert losses[0.5] == pytest.approx((losses[0.0] + losses[1.0]) / 2, rel=1e-4)
    assert losses[0.0] != pytest.approx(losses[1.0])
    # Judged by the labels alone.
    embedded.eval()
    assert embedded(faces, labels, teacher)["loss"] == embedded(faces, labels)["loss"]


def test_rare_moods_have_more_weight(torch):
    from finetune.training.student import class_weights

    counts = [10, 0, 40, 50, 0, 0, 0]
    assert class_weights(counts, 0.0) == pytest.approx(np.ones(7))
    weights = class_weights(counts, 1.0)
    assert weights[0] / weights[3] == pytest.approx(5)
    assert (weights * counts).sum() == pytest.approx(100)
    assert class_weights(counts, 0.5)[0] / class_weights(counts, 0.5)[3] == pytest.approx(5**0.5)
    assert weights[1] == weights[4] == pytest.approx(weights[0] * 10)  # no more than at one in a hundred


def test_batch_norm_statistics_do_not_change_in_training(torch, embedded):
    before = {name: value.clone() for name, value in embedded.named_buffers()}
    assert before
    faces = torch.from_numpy(face_crops(Manifest.read(EMBEDDED), SIDE, 8))
    embedded.train()(faces, torch.arange(8) % 7)["loss"].backward()
    assert all(torch.equal(value, before[name]) for name, value in embedded.named_buffers())


def test_head_is_trained_first_then_all_blocks_that_are_not_frozen(torch, embedded):
    from finetune.training.student import freeze_first, train_head_only

    model = embedded.inner.model

    def may_change():
        return {name for name, parameter in model.named_parameters() if parameter.requires_grad}

    everything = {name for name, _ in model.named_parameters()}
    train_head_only(model)
    assert may_change() == {"classifier.1.weight", "classifier.1.bias"}
    freeze_first(model, 0.0)
    assert may_change() == everything
    freeze_first(model, 0.5)
    stays = everything - may_change()
    assert any("embedder" in name for name in stays)
    assert {name.split("stages.")[1][0] for name in stays if "stages." in name} == {"0", "1"}


def test_first_blocks_of_a_transformer_can_be_frozen(torch, tmp_path):
    from finetune.training.student import blocks, freeze_first

    folder = small_vit(tmp_path / "vit", NAMES, num_hidden_layers=4)
    student, _ = student_of(folder, Manifest(version="m-1"))
    model = student.inner.model
    assert len(blocks(model)) == 4
    freeze_first(model, 0.5)
    stays = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert any("patch_embeddings" in name for name in stays)
    assert any("cls_token" in name for name in stays) and not any("classifier" in name for name in stays)


@pytest.mark.parametrize("grey", [True, False])
def test_pictures_are_altered_in_grey_or_in_colour(torch, embedded, grey):
    embedded.grey, embedded.share = grey, 1.0
    faces = torch.full((40, 80, 80, 3), 100, dtype=torch.uint8)
    faces[:, 20:60, 20:60] = torch.tensor([200, 150, 50], dtype=torch.uint8)
    torch.manual_seed(0)
    altered = embedded._augmented(faces)
    assert altered.shape == faces.shape and altered.min() >= 0 and altered.max() <= 255
    apart = (altered[..., 0] - altered[..., 2]).abs().mean()
    assert (apart == 0) if grey else (apart > 20)
    torch.manual_seed(0)
    assert torch.equal(altered, embedded._augmented(faces))


def test_faces_beyond_the_augmented_share_are_only_mirrored(torch, embedded):
    embedded.grey, embedded.share = False, 0.5
    faces = torch.randint(0, 255, (40, 80, 80, 3), dtype=torch.uint8)
    altered = embedded._augmented(faces)
    plain = faces.float()
    same = [
        bool(torch.allclose(after, before, atol=0.01) or torch.allclose(after, before.flip(1), atol=0.01))
        for after, before in zip(altered, plain, strict=True)
    ]
    assert sum(same) == 20


def test_blended_weights_lie_between_both_models(torch, embedded):
    from finetune.training.blend import between

    old = {"w": torch.zeros(3), "n": torch.tensor(3)}
    new = {"w": torch.ones(3), "n": torch.tensor(5)}
    assert between(old, new, 0.0)["w"].sum() == 0 and between(old, new, 1.0)["w"].sum() == 3
    assert between(old, new, 0.3)["w"][0] == pytest.approx(0.3) and between(old, new, 0.3)["n"] == 5


def test_temperature_only_divides_the_logits(torch, embedded):
    from finetune.training.challenger import rescaled

    manifest = Manifest.read(EMBEDDED)
    faces = torch.from_numpy(face_crops(manifest, SIDE, 30))
    changed = rescaled(manifest.temperature, manifest.prior_strength, 1.7)
    student, _ = student_of(EMBEDDED, manifest.model_copy(update=changed))
    with torch.inference_mode():
        before, after = (each.eval().answers(faces) for each in (embedded, student))
    assert after.numpy() == pytest.approx((before / 1.7).log_softmax(1).numpy(), abs=1e-3)


def test_blend_with_the_highest_likelihood_is_chosen(torch, embedded):
    from datasets import Dataset

    from finetune.data.dataset import FEATURES
    from finetune.training import blend

    faces = face_crops(Manifest.read(EMBEDDED), SIDE, 8)
    old = {name: value.clone() for name, value in embedded.state_dict().items()}
    with torch.inference_mode():
        labels = embedded.eval().answers(torch.from_numpy(faces)).argmax(1).tolist()
    rows = [
        {"prediction_id": str(i), "label": label, "pixels": face.tobytes(), "teacher": [1 / 7] * 7}
        for i, (face, label) in enumerate(zip(faces, labels, strict=True))
    ]
    valid = Dataset.from_list(rows, features=FEATURES)
    with torch.no_grad():
        for parameter in embedded.parameters():
            parameter.mul_(0.5)  # what was learned is nonsense
    told = []
    mix, accuracy = blend.choose(embedded, old, valid, told.append)
    assert [each["mix"] for each in told[:-1]] == list(blend.MIXES)
    assert told[-1] == {"event": "blend", "mix": mix, "accuracy": accuracy, "chosen": True}
    assert mix < 0.5 and accuracy > 0.8


def losses_of(means: list[float], spread: float) -> np.ndarray:
    """So unlikely are 100 labels on average by each mix; `spread` is the deviation of each."""
    noise = np.random.default_rng(0).normal(0, 1, (len(means), 100))
    noise -= noise.mean(axis=1, keepdims=True)
    return np.array(means)[:, None] + spread * noise


@pytest.mark.parametrize(
    ("means", "spread", "expected"),
    [
        ([1.0, 0.9, 0.8, 0.7, 0.6], 0.0, 4),  # better all the way, and by the same for every label
        ([1.0, 0.9, 0.62, 0.61, 0.6], 0.5, 2),  # the last steps are within the error
        ([1.0, 0.61, 0.61, 0.61, 0.6], 0.5, 2),  # but never less than half as far
        ([0.5, 0.9, 0.9, 0.9, 0.9], 0.0, 0),  # nothing learned
    ],
)
def test_smallest_step_within_the_error_is_chosen(torch, means, spread, expected):
    from finetune.training.blend import smallest_step

    assert smallest_step(losses_of(means, spread)) == expected


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (0.1, 0.5),  # a little better beyond halfway, perhaps by chance
        (1.5, 1.0),  # wrong nearly everywhere before
    ],
)
def test_blend_beyond_halfway_is_chosen_only_for_a_large_gain(torch, gain, expected):
    from finetune.training.blend import HALFWAY, MIXES, choose_mix

    falling = [3.0 - 0.3 * step for step in range(HALFWAY + 1)]
    beyond = [falling[-1] - gain * step / 5 for step in range(1, 6)]
    assert MIXES[choose_mix(losses_of(falling + beyond, 0.5))] == pytest.approx(expected, abs=0.11)
