import json
from dataclasses import replace

import pytest

from vibecheck.emotions import Distribution
from vibecheck.video.overlay_channel import FASTEST, SLOWEST, mark, pace


@pytest.fixture(scope="module")
def seen(reader, astronaut):
    return reader.read_frame(astronaut, 0.0)


REST = {"hint": "", "frames_in": 14.96, "readings": 14.04, "age": 0.0521, "keep": 1.0667, "frames": 15}


def test_mark_contains_mood_probabilities_and_faces(seen):
    other = replace(seen.face, x=0.0, y=256.0, width=128.0, height=64.0)
    shares = (0.05, 0.05, 0.31, 0.05, 0.05, 0.37, 0.12)
    text = mark(7, Distribution.of(shares), (seen.face, other), (512, 512), **REST)
    told = json.loads(text)
    assert len(text) < 550
    assert told["number"] == 7
    assert told["probabilities"] == list(shares)
    assert (told["mood"], told["runner_up"], told["clear"]) == ("sad", "fear", False)
    assert (told["text"], told["colour"]) == ("Sad or afraid?", "#6EA8FF")
    assert told["faces"][1] == [0.0, 0.5, 0.25, 0.125], "in shares of the picture"
    assert [told[each] for each in ("frames_in", "readings", "age", "keep")] == [15.0, 14.0, 0.052, 1.07]


def test_mark_without_a_face_is_empty():
    told = json.loads(mark(8, None, (), (400, 600), **REST))
    assert [told[each] for each in ("probabilities", "mood", "text", "faces")] == [[], "", "", []]


@pytest.mark.parametrize(
    ("asked", "came", "read", "wanted"),
    [
        (15, 15, 15, 15),
        (15, 15, 8, 9),
        (15, 15, 3, SLOWEST),
        (15, 15, 13.5, 15),  # nearly all are read
        (10, 10, 9, 10),
        (10, 10, 10, 11),
        (14, 14, 14, FASTEST),
        (5, 5, 5, 6),
        (15, 30, 15, 15),  # a camera that sends more than it was asked for
        (10, 0, 0, 10),
    ],
)
def test_camera_is_asked_for_a_few_more_frames_than_are_read(asked, came, read, wanted):
    assert pace(asked, came, read) == wanted


@pytest.mark.parametrize("able", [6, 8, 10, 12, 14])
def test_a_busy_machine_reads_nearly_as_many_frames_as_it_can(able):
    """It can read all of `able` frames a second. Each frame beyond costs as much as 0.8 readings."""
    asked, readings = FASTEST, []
    for _ in range(40):
        read = max(1.0, min(asked, able - 0.8 * (asked - able)))
        readings.append(read)
        asked = pace(asked, asked, read)
    assert sum(readings[10:]) / 30 > 0.89 * able
