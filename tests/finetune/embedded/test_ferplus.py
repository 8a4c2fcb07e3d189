import numpy as np
import pandas as pd
import pytest

from finetune.embedded.ferplus import VOTES, read
from tests.finetune.conftest import png, votes_for
from vibecheck.emotions import NAMES
from vibecheck.errors import VibeCheckError

GREY = np.full((48, 48), 128, np.uint8)


def split(path, *rows: tuple[list[int], str]):
    pd.DataFrame(
        [
            {"image": {"bytes": png(GREY), "path": ""}, "votes": votes, "fer2013_label": label}
            for votes, label in rows
        ]
    ).to_parquet(path)
    return path


def test_split_is_read_with_pictures_and_labels(ferplus):
    faces = read(ferplus / "test.parquet")
    assert len(faces) == 200
    assert faces.pictures.shape == (200, 48, 48) and faces.pictures.dtype == np.uint8
    assert (faces.truth == faces.label).all()


@pytest.mark.parametrize("mood", NAMES)
def test_true_label_is_the_mood_with_most_votes(tmp_path, mood):
    faces = read(split(tmp_path / "a.parquet", (votes_for(mood, 6, "contempt"), "sad")))
    assert NAMES[faces.truth[0]] == mood
    assert faces.shares[0, NAMES.index(mood)] == 1  # what went to contempt is not shared out
    assert NAMES[faces.label[0]] == "sad"


@pytest.mark.parametrize("other", VOTES[7:])
def test_pictures_with_a_majority_for_no_mood_have_no_label(tmp_path, other):
    faces = read(split(tmp_path / "a.parquet", (votes_for("happy", 3, other), "happy")))
    assert faces.truth[0] == -1


def test_agreed_faces_have_a_majority_after_removing_single_votes(tmp_path):
    # In the order of VOTES: neutral, happy, surprise, sad, angry, disgust, fear, contempt, unknown, no face.
    rows = {
        (5, 1, 1, 1, 1, 1, 0, 0, 0, 0): True,  # half of all, but of two or more votes all
        (5, 5, 0, 0, 0, 0, 0, 0, 0, 0): False,
        (4, 3, 3, 0, 0, 0, 0, 0, 0, 0): False,
        (6, 4, 0, 0, 0, 0, 0, 0, 0, 0): True,
        (2, 0, 0, 0, 0, 0, 0, 8, 0, 0): False,  # most to contempt
    }
    faces = read(split(tmp_path / "a.parquet", *((list(votes), "sad") for votes in rows)))
    assert faces.agreed.tolist() == list(rows.values())


def test_shares_sum_to_one_even_without_a_vote(tmp_path):
    faces = read(
        split(tmp_path / "a.parquet", ([1, 2, 3, 0, 1, 0, 1, 2, 0, 0], "fear"), ([0] * 9 + [10], "sad"))
    )
    assert faces.shares.sum(axis=1) == pytest.approx(1)
    assert faces.shares[0, NAMES.index("surprise")] == pytest.approx(3 / 8)


def test_unusable_file_is_named_in_the_error(tmp_path):
    with pytest.raises(VibeCheckError, match=r"There is no file .*nothing\.parquet: check --data"):
        read(tmp_path / "nothing.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(VibeCheckError, match=r"text\.parquet is not a parquet file"):
        read(tmp_path / "text.parquet")
    pd.DataFrame({"image": [1]}).to_parquet(tmp_path / "bare.parquet")
    with pytest.raises(VibeCheckError, match="fer2013_label, votes"):
        read(tmp_path / "bare.parquet")
    with pytest.raises(VibeCheckError, match="bored"):
        read(split(tmp_path / "labels.parquet", (votes_for("happy"), "bored")))
    with pytest.raises(VibeCheckError, match="3 votes"):
        read(split(tmp_path / "votes.parquet", ([1, 2, 3], "sad")))
