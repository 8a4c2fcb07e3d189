"""Whatever the training command prints is parsed into well-formed events or ignored."""

import io
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.training_runs.events import (
    LONGEST_LINE,
    LONGEST_TEXT,
    MOST_POINTS,
    Collected,
    Epoch,
    Failed,
    RunProgress,
    TrainingStep,
    lines,
    parse,
    read_progress,
)


def heard(*events: dict) -> RunProgress:
    progress = RunProgress()
    for event in events:
        progress = progress.heard(parse(json.dumps(event).encode()))
    return progress


@pytest.mark.parametrize(
    "line",
    [
        b"", b"null", b"[]", b"3", b'"step"', b"{}", b'{"event":null}', b'{"event":"unknown"}', b"\xff\xfe",
        b'{"event":"step","done":2}', b'{"event":"step","done":NaN}', b'{"event":"step","loss":Infinity}',
        b'{"event":"epoch"}', b'{"event":"epoch","epoch":-1}', b'{"event":"epoch","epoch":1e400}',
        b'{"event":["judged"]}', b'{"event":"finished"}', b'{"event":"collected","rows":"many"}',
        b'{"event":"step","done":0.5', b"{" * 10_000, b"9" * 60_000, b'{"event":"failed","error":{"a":1}}',
    ],
)  # fmt: skip
def test_invalid_line_is_ignored(line):
    assert parse(line) is None


@given(st.binary(max_size=300))
def test_parsing_arbitrary_bytes_raises_nothing(line):
    parse(line)


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5), st.lists, max_leaves=5))
def test_events_with_arbitrary_values_raise_nothing(value):
    for name in ("collected", "started", "step", "epoch", "blend", "judged", "finished", "failed"):
        event = {"event": name, "rows": value, "epoch": value, "done": value, "loss": value, "error": value}
        told = parse(json.dumps(event).encode())
        if told:
            RunProgress.model_validate_json(RunProgress().heard(told).model_dump_json())


def test_invalid_optional_fields_do_not_spoil_an_event():
    told = parse(b'{"event":"collected","rows":3,"left_out":{"twice":"x"},"more":{"a":[]}}')
    assert told == Collected(rows=3)


def test_text_is_cut_and_has_no_control_characters():
    told = parse(json.dumps({"event": "failed", "error": "a\x1b[31m\nb" + "x" * 5000}).encode())
    assert told.error.startswith("a [31m b") and len(told.error) == LONGEST_TEXT


def test_progress_is_collected_from_the_events():
    progress = heard(
        {"event": "collected", "rows": 10, "train": 8},
        {"event": "started", "epochs": 2, "device": "cpu"},
        {"event": "step", "stage": "head", "done": 0.25, "loss": 2.0, "minutes_left": 3},
        {"event": "epoch", "stage": "head", "epoch": 1, "of": 2, "accuracy": 0.5},
        {"event": "step", "stage": "all", "done": 0.75, "loss": 1.0},
    )
    assert progress.losses == ((0.25, 2.0), (0.75, 1.0)) and progress.done == 0.75
    assert progress.epochs == (Epoch(stage="head", epoch=1, accuracy=0.5),)
    assert read_progress(progress.model_dump(mode="json")) == progress


@pytest.mark.parametrize(
    ("events", "stage"),
    [
        ([], "Collecting labels"),
        ([{"event": "collected", "rows": 1}], "Opening the base model"),
        ([{"event": "started"}], "Beginning to train"),
        ([{"event": "started"}, {"event": "step", "stage": "head"}], "head"),
        ([{"event": "blend", "mix": 0.5}], "Making the model ready to run"),
        ([{"event": "exported"}], "Judging it against the champion"),
        ([{"event": "judged", "proved": False}], "Writing the report"),
    ],
)
def test_stage_follows_the_latest_event(events, stage):
    assert heard(*events).stage == stage


def test_a_long_curve_is_thinned_and_keeps_its_ends():
    progress = RunProgress()
    for number in range(5000):
        progress = progress.heard(TrainingStep(done=number / 5000, loss=math.exp(-number / 5000)))
    assert MOST_POINTS / 2 <= len(progress.losses) <= MOST_POINTS
    assert progress.losses[0][0] == 0 and progress.losses[-1][0] == 4999 / 5000
    assert list(progress.losses) == sorted(progress.losses)


class ByteByByte(io.BytesIO):
    def readinto(self, buffer) -> int:
        return super().readinto(memoryview(buffer)[:1])


def test_lines_are_complete_however_the_bytes_arrive():
    one_by_one = list(lines(io.BufferedReader(ByteByByte(b'{"a":1}\n\n{"b":2}\r\n{"half":'))))
    assert one_by_one == [b'{"a":1}', b"", b'{"b":2}\r', b'{"half":']


def test_overlong_line_is_skipped_and_the_next_is_read():
    long = b"x" * (3 * LONGEST_LINE)
    assert list(lines(io.BytesIO(b"a\n" + long + b"\nb\n" + long))) == [b"a", b"b"]


def test_failure_event_carries_its_reason():
    assert heard({"event": "failed", "error": "no labels"}).failed == Failed(error="no labels")
