"""A process killed at an arbitrary moment loses no acknowledged record and leaves none half written."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.databases import open_store, quick_on_sqlite
from tests.records.adder import picture_of
from tests.records.examples import EXAMPLE
from tests.records.rows import queued, recent

PROJECT = Path(__file__).parents[2]


@contextmanager
def adders(settings) -> Iterator[subprocess.Popen]:
    """The process of `adder.py`, which starts adders."""
    command = [sys.executable, "-m", "tests.records.adder", settings.records_url, str(settings.data)]
    with subprocess.Popen(
        command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        yield process
        process.stdin.close()


def add_until_killed(process: subprocess.Popen, seconds: float) -> list[str]:
    """Kills an adder so many seconds after its first prediction; returns the ids that it acknowledged."""
    process.stdin.write("start\n")
    process.stdin.flush()
    adder = int(process.stdout.readline())
    acknowledged: list[str] = []
    for line in iter(process.stdout.readline, "dead\n"):
        assert line, "the process that starts adders has ended"
        if not acknowledged:
            time.sleep(seconds)
            os.kill(adder, signal.SIGKILL)
        acknowledged.append(line.strip())
    return acknowledged


@quick_on_sqlite
def test_nothing_acknowledged_is_lost_when_the_process_is_killed(settings):
    acknowledged = []
    with adders(settings) as process:
        for _ in range(4):
            acknowledged += add_until_killed(process, random.uniform(0, 0.2))
    assert len(acknowledged) >= 4

    store = open_store(settings)
    for prediction_id in acknowledged:
        assert store.get(prediction_id).picture_kept
        assert store.picture(prediction_id) == picture_of(prediction_id)

    # What was under way is there in full or not at all.
    for path in (settings.data / "images").rglob("*.jpg"):
        assert path.read_bytes() == picture_of(path.stem.removeprefix("input_"))
    stored = {prediction.id for prediction in recent(store, EXAMPLE.visitor, 100_000)}
    in_outbox = {row.prediction_id for row in queued(store)}
    # The server may still be busy with the last commit of the dead: the list made later may have it.
    assert set(acknowledged) <= stored <= in_outbox
    assert all(store.picture(prediction_id) for prediction_id in in_outbox)

    # And what was left behind goes with the rest.
    assert store.purge(datetime.now(UTC) + timedelta(days=1)) >= len(in_outbox)
    assert [path for path in (settings.data / "images").rglob("*") if path.is_file()] == []
    store.close()
