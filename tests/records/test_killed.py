"""A process that is killed at any moment loses nothing that it acknowledged, and leaves nothing half done."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.databases import open_store
from tests.records.adder import picture_of
from tests.records.examples import EXAMPLE
from tests.records.rows import queued, recent

PROJECT = Path(__file__).parents[2]


def add_until_killed(settings, seconds: float) -> list[str]:
    """Runs the adder, kills it so long after its first prediction, and returns what it acknowledged."""
    command = [sys.executable, "-m", "tests.records.adder", settings.records_url, str(settings.data)]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        first = process.stdout.readline()
        time.sleep(seconds)
        process.kill()
        rest = process.stdout.read()
    # The last line may be cut short: what was not printed in full was not acknowledged.
    return [line.strip() for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]


def test_nothing_acknowledged_is_lost_when_the_process_is_killed(settings):
    acknowledged = []
    for _ in range(4):
        acknowledged += add_until_killed(settings, random.uniform(0, 0.2))
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
