"""Altered copies of faces to learn from. Imports torch."""

import numpy as np
import pytest

from vibecheck.vision.sample_faces import face_probes


@pytest.fixture(scope="module")
def torch():
    import torch

    return torch


@pytest.fixture(scope="module")
def augment():
    from finetune.training.augment import augment

    return augment


@pytest.fixture(scope="module")
def altered(torch, augment):
    return lambda faces, seed=0: augment(faces, torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def faces(torch):
    grey = face_probes(60).mean(axis=3) / 255
    batch = torch.from_numpy(grey).float().unsqueeze(1)
    return torch.nn.functional.interpolate(batch, size=(64, 64), mode="bilinear")


def test_augmented_faces_keep_their_size_and_value_range(torch, altered, faces):
    out = altered(faces)
    assert out.shape == faces.shape and out.dtype == faces.dtype
    assert out.min() >= 0 and out.max() <= 1
    assert torch.isfinite(out).all()


def test_augmentation_does_not_change_the_originals(torch, altered, faces):
    before = faces.clone()
    altered(faces)
    assert torch.equal(before, faces)


def test_augmentation_is_reproducible_with_the_same_seed(torch, altered, faces):
    assert torch.equal(altered(faces, 1), altered(faces, 1))
    assert not torch.equal(altered(faces, 1), altered(faces, 2))


def test_augmented_faces_differ_and_still_resemble_their_original(torch, altered, faces):
    out = altered(faces)
    change = (out - faces).abs().mean(dim=(1, 2, 3))
    assert (change > 0.005).all()

    def sketch(batch):
        small = torch.nn.functional.interpolate(batch, size=(8, 8), mode="bilinear", antialias=True).flatten(
            1
        )
        return (small - small.mean(1, keepdim=True)) / small.std(1, keepdim=True)

    mirrored = torch.maximum(
        (sketch(out) * sketch(faces)).mean(1), (sketch(out) * sketch(faces.flip(3))).mean(1)
    )
    strangers = (sketch(out) * sketch(faces.roll(7, 0))).mean(1)
    assert np.median(mirrored) > np.median(strangers) + 0.15


def test_faces_outside_the_augmented_share_are_only_mirrored(torch, augment, faces):
    out = augment(faces, torch.Generator().manual_seed(0), share=0.5)
    half = len(faces) // 2
    kept = [torch.equal(a, b) for a, b in zip(out, faces, strict=True)]
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(out, faces, strict=True)]
    assert not any(kept[:half]) and not any(mirrored[:half])
    assert all(a or b for a, b in zip(kept[half:], mirrored[half:], strict=True))
    assert any(kept[half:]) and any(mirrored[half:])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_batches_may_be_small(altered, faces, count):
    assert altered(faces[:count]).shape == faces[:count].shape


def test_faces_and_their_targets_are_mixed_in_the_same_proportion(torch, faces):
    from finetune.training.augment import mixed

    goals = torch.arange(len(faces)).float().view(-1, 1)
    coded = goals.view(-1, 1, 1, 1).expand_as(faces) / len(faces)
    pictures, answers = mixed(coded, goals, 0.2, torch.Generator().manual_seed(0))
    assert torch.allclose(pictures[:, 0, 0, 0] * len(faces), answers[:, 0], atol=1e-3)
    # at least half of each is its own
    strange = (answers - goals).abs().max()
    assert 0 < strange < len(faces) / 2


def test_mixing_of_zero_changes_nothing(torch, faces):
    from finetune.training.augment import mixed

    goals = torch.rand(len(faces), 2, 7)
    pictures, answers = mixed(faces, goals, 0.0, torch.Generator())
    assert pictures is faces and answers is goals


def test_single_face_may_stay_unmixed(torch, augment):
    face = torch.rand(1, 1, 24, 24)
    same = augment(face, torch.Generator().manual_seed(0), share=0.5)
    assert torch.equal(same, face) or torch.equal(same, face.flip(3))


def test_colour_faces_are_tinted(torch, augment):
    faces = torch.full((40, 3, 24, 24), 0.5)
    altered = augment(faces, torch.Generator().manual_seed(0))
    assert altered.shape == faces.shape and altered.min() >= 0 and altered.max() <= 1
    assert (altered.mean((2, 3)).std(1) > 0.01).float().mean() > 0.9
