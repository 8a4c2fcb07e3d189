"""The sending process is killed at arbitrary moments: every acknowledged record arrives once."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from tests.records.examples import JPEG, NOON, a_prediction
from tests.records.rows import queued
from tests.waiting import wait_for
from vibecheck.comet import layout
from vibecheck.comet.layout import FEEDBACK_LOG
from vibecheck.comet.rollup import roll_up
from vibecheck.records.outbox.queue import TASKS

PROJECT = Path(__file__).parents[2]


class Victim:
    """The process of `victim.py`, and the sender that it runs."""

    def __init__(self, settings, comet) -> None:
        command = [
            sys.executable,
            "-m",
            "tests.comet.victim",
            settings.records_url,
            str(settings.data),
            comet.url,
        ]
        self._process = subprocess.Popen(
            command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._line() == "ready"

    def _line(self) -> str:
        return self._process.stdout.readline().strip()

    def start(self) -> int:
        self._process.stdin.write("start\n")
        self._process.stdin.flush()
        return int(self._line())

    def kill(self, pid: int) -> None:
        os.kill(pid, signal.SIGKILL)
        assert self._line() == "dead"

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(60)


def add(store, rng, at):
    """Some news: a prediction, perhaps with a picture, perhaps with a label. Returns the names to expect."""
    prediction = a_prediction(made_at=at, picture_kept=rng.random() < 0.5)
    store.add(prediction, JPEG * 2000 if prediction.picture_kept else None)
    names = [layout.prediction_name(prediction.id, prediction.picture_kept)]
    if rng.random() < 0.5:
        store.label(prediction.id, "sad", "audit", None, at)
        names.append(f"feedback_{prediction.id}_1.json")
    return names


def unsent(store):
    return [row for row in queued(store, 10_000) if row.kind not in TASKS]


@pytest.mark.parametrize(
    ("database_url", "kills", "seed"),
    [
        ("sqlite", 5, 1),
        pytest.param("sqlite", 40, 20260131, marks=pytest.mark.slow),
        pytest.param("postgres", 10, 20260131, marks=[pytest.mark.slow, pytest.mark.postgres]),
    ],
    indirect=["database_url"],
)
def test_acknowledged_records_arrive_once_although_the_sender_is_killed_repeatedly(
    settings, store, comet, kills, seed
):
    rng = random.Random(seed)
    acknowledged: list[str] = []
    victim = Victim(settings, comet)
    try:
        arrived = 0
        for _ in range(kills):
            for _ in range(rng.randint(1, 3)):
                acknowledged += add(store, rng, NOON + timedelta(seconds=len(acknowledged)))
            there = len(comet.names())
            # Counted in requests, not in time: so it is any moment of the work on any machine.
            enough, end = len(comet.log) + rng.randint(1, 20), time.monotonic() + 10
            sender = victim.start()
            while len(comet.log) < enough and time.monotonic() < end:
                time.sleep(0.001)
            time.sleep(rng.uniform(0, 0.02))
            victim.kill(sender)
            arrived += len(comet.names()) > there
        assert arrived >= max(1, kills // 5), "it was killed before it could do anything"
        sender = victim.start()
        wait_for(lambda: not unsent(store), "the rest to arrive")
        victim.kill(sender)
    finally:
        victim.close()
    assert unsent(store) == []
    assert [name for name in comet.names() if name != FEEDBACK_LOG] == sorted(acknowledged)
    predictions = [name for name in acknowledged if not name.startswith("feedback")]
    assert len(comet.points("confidence")) == len(predictions)
    assert len(comet.points("correct")) == len(acknowledged) - len(predictions)


def test_rollup_removes_assets_that_were_uploaded_twice(settings, store, comet):
    """What no look beforehand can prevent: the upload of a sender that died arrives after its heir's."""
    from vibecheck.comet.client import Comet
    from vibecheck.records.outbox.messages import payload_of

    day = layout.day_of(NOON)
    comet.experiment(layout.experiment_key("main", day), "vibecheck")
    opened = Comet.open(settings)
    prediction = a_prediction(picture_kept=True)
    for _ in range(3):
        opened.put(day, prediction.picture_name, JPEG, payload_of(prediction), "image")
    roll_up(opened, store, day)
    assert comet.names() == ["feedback_log.csv", prediction.picture_name]
