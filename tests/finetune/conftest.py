"""Small sets of labelled faces in the form of FER+, made of the faces that scikit-image ships."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from skimage import data

from finetune.embedded.ferplus import VOTES
from vibecheck.emotions import NAMES


def png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).resize((48, 48)).save(file, "PNG")
    return file.getvalue()


def votes_for(mood: str, count: int = 8, other: str = "unknown") -> list[int]:
    """Ten votes, `count` of them for one mood."""
    votes = dict.fromkeys(VOTES, 0)
    votes[mood] += count
    votes[other] += 10 - count
    return list(votes.values())


def write(path: Path, count: int, seed: int = 0) -> Path:
    """A split whose moods can be learned: each has a patch of its own light in a place of its own."""
    rng = np.random.default_rng(seed)
    faces = (data.lfw_subset()[:100] * 255).astype(np.uint8)
    rows = []
    for i in range(count):
        mood = int(rng.integers(len(NAMES)))
        picture = faces[rng.integers(len(faces))].copy()
        picture[3 * mood : 3 * mood + 4, 2:23] = 255
        image = {"bytes": png(picture), "path": f"{i}.png"}
        rows.append(
            {"image": image, "votes": votes_for(NAMES[mood]), "fer2013_label": NAMES[mood], "name": str(i)}
        )
    pd.DataFrame(rows).to_parquet(path)
    return path


@pytest.fixture(scope="session")
def ferplus(tmp_path_factory) -> Path:
    """A folder with train.parquet, valid.parquet and test.parquet."""
    folder = tmp_path_factory.mktemp("ferplus")
    for seed, (name, count) in enumerate({"train": 600, "valid": 200, "test": 200}.items()):
        write(folder / f"{name}.parquet", count, seed)
    return folder
