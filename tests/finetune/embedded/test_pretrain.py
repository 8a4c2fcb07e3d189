"""These tests import torch, as training does."""

import json
import math
import sys
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from finetune.embedded.ferplus import read
from vibecheck.cli.main import run
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError
from vibecheck.vision.classifier import Classifier, without_prior
from vibecheck.vision.manifest import Manifest

pytestmark = pytest.mark.filterwarnings("default")  # what torch warns of is not ours to mend


def interrupt(*arguments: object) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def pretrain():
    from finetune.embedded import pretrain

    return pretrain


@pytest.fixture(scope="module")
def finishing():
    from finetune.embedded import finishing

    return finishing


@pytest.fixture(scope="module")
def training_set():
    from finetune.embedded import training_set

    return training_set


@pytest.fixture(scope="module")
def small(pretrain):
    """A recipe for a network that learns within seconds."""
    channels = (16, 16, 16, 24, 32)
    return pretrain.PretrainRecipe(
        channels=channels, epochs=3, side=32, small_side=24, small_share=0.4, batch=50, average=0.9
    )


@pytest.fixture(scope="module")
def splits(ferplus):
    return read(ferplus / "train.parquet"), read(ferplus / "valid.parquet")


@pytest.fixture(scope="module")
def trained(pretrain, small, splits, tmp_path_factory):
    """A small model after a short run, and what was told on the way."""
    out, told = tmp_path_factory.mktemp("models") / "small-1", []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vibecheck.export.candidates.FACES", 40)
        patch.setattr("vibecheck.export.candidates.CALIBRATION", 10)
        pretrain.pretrain(*splits, out, replace(small, epochs=6), told.append)
    return out, told


def test_pretraining_learns_what_can_be_learned(trained):
    _, told = trained
    epochs = told[:-1]
    assert [event["epoch"] for event in epochs] == list(range(1, 7))
    assert epochs[-1]["loss"] < epochs[0]["loss"] - 0.3
    assert epochs[-1]["accuracy"] > 0.5  # one in seven by guessing


def test_finished_model_predicts_in_the_app_as_it_did_in_training(finishing, trained, splits, small):
    import torch
    from transformers import AutoModelForImageClassification

    from finetune.embedded.evaluate import as_input

    out, told = trained
    classifier = Classifier.load(out)
    manifest = classifier.manifest
    assert (manifest.version, manifest.grey, classifier.side) == ("small-1", True, 32)
    assert sum(manifest.class_prior) == pytest.approx(1, abs=0.01)
    assert 0 <= manifest.prior_strength <= 1
    assert manifest.origin == "trained on FER+ by python -m finetune pretrain"
    assert told[-1]["finished"] == str(out) and told[-1]["candidates"][0]["agreement"] == 1
    valid = splits[1]
    model = AutoModelForImageClassification.from_pretrained(out, dtype=torch.float32)
    assert manifest.mirrored
    logits = finishing.logits_of(model, finishing.pictures_of(valid), small.side, mirrored=True)
    logits = logits.double() / manifest.temperature
    prior = np.array(manifest.class_prior)
    expected = without_prior(logits.softmax(1).numpy(), prior, manifest.prior_strength)
    answers = classifier.probabilities(as_input(valid.pictures, classifier.side))
    assert (answers.argmax(1) == expected.argmax(1)).mean() > 0.97
    assert np.abs(answers - expected).mean() < 0.02  # two ways to scale 48 px to 32


@pytest.mark.slow
def test_resumed_run_ends_with_the_same_model(pretrain, small, splits, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    pretrain.pretrain(*splits, whole, small)
    for _ in range(small.epochs):
        with pytest.raises(KeyboardInterrupt):
            pretrain.pretrain(*splits, parts, small, interrupt)
    assert not (parts / "model.safetensors").exists()
    pretrain.pretrain(*splits, parts, small)
    assert (whole / "model.safetensors").read_bytes() == (parts / "model.safetensors").read_bytes()
    prior = [Manifest.read(folder).class_prior for folder in (whole, parts)]
    assert prior[0] == prior[1]


def test_a_checkpoint_of_another_recipe_is_refused(pretrain, small, splits, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        pretrain.pretrain(*splits, tmp_path, small, interrupt)
    with pytest.raises(VibeCheckError, match="another recipe or other data"):
        pretrain.pretrain(*splits, tmp_path, replace(small, seed=small.seed + 1))
    train, valid = splits
    with pytest.raises(VibeCheckError, match="another recipe or other data"):
        pretrain.pretrain(train.take(np.arange(60)), valid, tmp_path, small)


def test_a_folder_whose_name_no_version_can_have_is_refused_before_training(
    pretrain, small, splits, tmp_path
):
    with pytest.raises(VibeCheckError, match="becomes the version: 'my run' is not the name of a version"):
        pretrain.pretrain(*splits, tmp_path / "my run", small)
    assert not (tmp_path / "my run").exists()


def test_fewer_faces_than_a_batch_are_refused(pretrain, small, splits, tmp_path):
    train, valid = splits
    with pytest.raises(VibeCheckError, match="fewer than one batch"):
        pretrain.pretrain(train.take(np.arange(10)), valid, tmp_path, small)


def test_the_two_heads_learn_the_votes_and_the_label(training_set, splits):
    train = splits[0]
    votes, label = training_set.both_targets(train).transpose(1, 0, 2)
    assert votes == pytest.approx(train.shares)
    assert (label.argmax(1) == train.label).all() and label.sum(1) == pytest.approx(1)


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_folded_heads_answer_with_the_geometric_mean_of_both(finishing, small, splits, share):
    import torch

    faces = finishing.pictures_of(splits[1])
    torch.manual_seed(0)
    both = finishing.build(small.channels, finishing.OUTPUTS)
    torch.nn.init.normal_(finishing.last_layer(both).weight, std=0.3)
    votes, label = finishing.logits_of(both, faces, small.side).log_softmax(1).split(7, dim=1)
    expected = ((1 - share) * votes.log_softmax(1) + share * label.log_softmax(1)).softmax(1)
    folded = finishing.fold(both, small, share)
    answers = finishing.logits_of(folded, faces, small.side).softmax(1)
    assert answers.numpy() == pytest.approx(expected.numpy(), abs=1e-4)
    assert answers.std(0).max() > 0.01


@pytest.mark.slow
def test_architecture_can_be_built_and_trained_for_one_step(finishing, pretrain):
    import torch

    from finetune.embedded.architectures import build
    from vibecheck.export.torch_model import last_layer

    model = build(pretrain.PretrainRecipe.channels, finishing.OUTPUTS).train()
    assert last_layer(model).out_features == 14
    model(pixel_values=torch.rand(2, 3, 64, 64)).logits.sum().backward()
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(3.9e6, rel=0.02)


def test_rare_expressions_are_drawn_more_often(training_set):
    goals = np.eye(7)[[3] * 90 + [1] * 10][:, np.newaxis].repeat(2, 1)
    even = training_set.draw_weights(goals, 0.0)
    assert even == pytest.approx(np.ones(100))
    full = training_set.draw_weights(goals, 1.0)
    assert full[95] / full[0] == pytest.approx(9, rel=0.05)


def finetune(*arguments: object) -> Result:
    """The command, in this process, where PyTorch is loaded already."""
    from finetune.commands import app

    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.slow
def test_command_prints_json_lines_and_resumes(pretrain, ferplus, small, tmp_path, monkeypatch):
    files = ("--data", ferplus, "--out", tmp_path / "m-1")
    monkeypatch.setattr("finetune.commands.PretrainRecipe", partial(replace, small))
    arguments = ("pretrain", *files, "--epochs", 2, "--batch", 50)
    with monkeypatch.context() as patch:
        patch.setattr(pretrain, "finish", interrupt)
        first = finetune(*arguments)
    events = [json.loads(line) for line in first.stdout.splitlines()]
    assert [(event["epoch"], event["of"]) for event in events] == [(1, 2), (2, 2)]
    second = finetune(*arguments)
    events = [json.loads(line) for line in second.stdout.splitlines()]
    assert [event.get("epoch") for event in events] == [None]


@pytest.mark.slow
def test_evaluate_prints_the_documented_figures(ferplus, trained):
    out, _ = trained
    run = finetune("evaluate", "--model", out, "--data", ferplus / "test.parquet", "--json")
    assert run.exit_code == 0, run.output
    result = json.loads(run.stdout)
    promised = {"n", "accuracy", "balanced_accuracy", "per_class", "ece", "confusion"}
    assert promised <= set(result)
    assert result["n"] == 200 and set(result["per_class"]) == set(NAMES)
    assert result["accuracy"] > 0.5
    assert math.isclose(result["prior"], Manifest.read(out).prior_strength)


@pytest.mark.slow
def test_evaluate_tells_how_altered_faces_are_read(ferplus, trained):
    out, _ = trained
    arguments = ("evaluate", "--model", out, "--data", ferplus / "test.parquet", "--alter")
    rows = json.loads(finetune(*arguments, "--json").stdout)["altered"]
    assert set(rows) >= {"unaltered", "40% darker", "rotated 20° left", "box 15% wider", "warm light"}
    assert all(set(row) == {"accuracy", "balanced_accuracy", "ece"} for row in rows.values())
    assert rows["rotated 20° left"]["ece"] != rows["unaltered"]["ece"]
    assert "warm light" in finetune(*arguments).stdout


def test_missing_file_is_reported_without_a_traceback(tmp_path, monkeypatch, capsys):
    arguments = ("evaluate", "--model", tmp_path, "--data", tmp_path / "none.parquet")
    from finetune.commands import app

    monkeypatch.setattr(sys, "argv", ["finetune", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        run(app)
    error = capsys.readouterr().err
    assert ended.value.code == 1
    assert "none.parquet: check --data" in error and "Traceback" not in error
