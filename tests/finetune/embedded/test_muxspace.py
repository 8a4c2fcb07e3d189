import numpy as np
import pandas as pd
import pytest

from finetune.embedded.muxspace import read
from tests.finetune.conftest import png
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError


def parquet(path, labels, people):
    """Faces whose grey value is the person's number."""
    pictures = [{"bytes": png(np.full((48, 48), number, np.uint8)), "path": ""} for number in people]
    names = [f"person {number}" for number in people]
    pd.DataFrame({"image": pictures, "label": labels, "person": names}).to_parquet(path)
    return path


def people_in(faces):
    return set(faces.pictures[:, 0, 0].tolist())


def test_label_counts_as_one_vote(tmp_path):
    labels = list(NAMES * 10)
    faces = read(parquet(tmp_path / "faces.parquet", labels, range(70)))
    assert faces.pictures.shape[1:] == (48, 48) and faces.pictures.dtype == np.uint8
    assert [labels[person] for person in faces.pictures[:, 0, 0]] == [NAMES[i] for i in faces.label]
    assert (faces.truth == faces.label).all() and (faces.votes.sum(axis=1) == 1).all()
    assert faces.shares == pytest.approx(np.eye(7)[faces.label])


def test_who_is_held_out_does_not_depend_on_the_rest_of_the_file(tmp_path):
    training = read(parquet(tmp_path / "all.parquet", ["sad"] * 300, [*range(100)] * 3))
    held_out = set(range(100)) - people_in(training)
    assert 3 <= len(held_out) <= 25 and len(training) == 3 * (100 - len(held_out))
    some = [*sorted(held_out)[:2], *sorted(people_in(training))[:2]]
    assert people_in(read(parquet(tmp_path / "some.parquet", ["sad"] * 4, some))) == set(some[2:])


def test_unusable_file_is_named_in_the_error(tmp_path):
    with pytest.raises(VibeCheckError, match=r"nothing\.parquet is missing"):
        read(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(VibeCheckError, match=r"text\.parquet is not a parquet file"):
        read(tmp_path / "text.parquet")
    pd.DataFrame({"image": [1]}).to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(VibeCheckError, match="label, person"):
        read(tmp_path / "bare.parquet")
    with pytest.raises(VibeCheckError, match="bored"):
        read(parquet(tmp_path / "labels.parquet", ["bored"], [1]))
