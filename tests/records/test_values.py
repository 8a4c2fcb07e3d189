import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.records.examples import EXAMPLE, NOON, a_prediction
from vibecheck.emotions import NAMES
from vibecheck.records.values import (
    CANT_TELL,
    LABELS,
    Feedback,
    Play,
    as_utc,
    is_prediction_id,
)

ID = "0123456789abcdef" * 2
NAIVE = datetime(2026, 1, 31, 12, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ID, True),
        (ID.upper(), False),
        (ID[:-1], False),
        (ID + "0", False),
        (ID + "\n", False),
        ("../" + ID[3:], False),
        ("", False),
    ],
)
def test_prediction_id_is_32_lowercase_hexadecimal_digits(text, expected):
    assert is_prediction_id(text) is expected


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"id": "1"}, "32 hexadecimal digits"),
        ({"made_at": NAIVE}, "time zone"),
        ({"source": "dream"}, "source must be one of"),
        ({"mood": "bored"}, "mood must be one of"),
        ({"probabilities": (1.0,)}, "seven numbers"),
        ({"probabilities": (0.5,) * 7}, "sum to 1"),
        ({"probabilities": (math.nan,) * 7}, "sum to 1"),
        ({"probabilities": (-1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0)}, "between 0 and 1"),
        ({"confidence": math.nan}, "between 0 and 1"),
        ({"confidence": 1.5}, "between 0 and 1"),
        ({"latency_ms": math.inf}, "finite"),
        ({"latency_ms": 1.7e308}, "less than"),
        ({"quality": replace(EXAMPLE.quality, blur=math.nan)}, "finite"),
        ({"face": replace(EXAMPLE.face, x=math.nan)}, "finite"),
        ({"face": replace(EXAMPLE.face, landmarks=((math.inf, 0.0),) * 5)}, "finite"),
        ({"face": replace(EXAMPLE.face, landmarks=())}, "five landmarks"),
    ],
)
def test_invalid_prediction_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        a_prediction(**changes)


def test_picture_name_contains_the_prediction_id():
    assert a_prediction(id=ID).picture_name == f"input_{ID}.jpg"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prediction_id": "1"}, "32 hexadecimal digits"),
        ({"n": 0}, "counts from 1"),
        ({"label": "bored"}, "label must be one of"),
        ({"source": "dream"}, "source must be one of"),
        ({"given_at": NAIVE}, "time zone"),
        ({"source": "labeller", "queue": "longest"}, "queue must be one of"),
        ({"queue": "random"}, "only a labeller's"),
    ],
)
def test_invalid_feedback_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(Feedback(ID, 1, "sad", "audit", None, NOON), **changes)


def test_cant_tell_label_has_no_mood():
    given = Feedback(ID, 1, CANT_TELL, "labeller", None, NOON, "random")
    assert (given.label, given.mood) == (CANT_TELL, None)
    assert replace(given, label="sad").mood == "sad"
    assert {*NAMES, CANT_TELL} == set(LABELS) and CANT_TELL not in NAMES


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"prediction_id": "1"}, "32 hexadecimal digits"),
        ({"n": 0}, "counts from 1"),
        ({"mode": "shuffle"}, "mode must be one of"),
        ({"found_by": "luck"}, "found_by must be one of"),
        ({"category": "bliss"}, "category must be one of"),
        ({"followed": "can't tell"}, "followed must be one of"),
        ({"suggested_at": NAIVE}, "time zone"),
    ],
)
def test_invalid_play_is_refused(changes, words):
    with pytest.raises(ValueError, match=words):
        replace(Play(ID, 1, "37i9", "Calm", "match", False, "search", NOON), **changes)


@pytest.mark.parametrize("written", ["2026-01-31T12:00", "2026-01-31T12:00Z", "2026-01-31T14:30+02:30"])
def test_a_time_without_a_zone_is_in_utc(written):
    found = as_utc(datetime.fromisoformat(written))
    assert (found, found.tzinfo) == (NAIVE.replace(tzinfo=UTC), UTC)
