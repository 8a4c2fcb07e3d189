"""The model that runs follows the registry: real records, real files, real processes."""

import gc
import logging
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pytest

from tests.standins.hub import REPO, SHA, VERSION, serving_hub
from tests.standins.models import end, install, small_vit
from tests.waiting import running, wait_for
from vibecheck.emotions import NAMES
from vibecheck.models import live_model
from vibecheck.models.installed import InstalledModels
from vibecheck.models.live_model import LiveModel
from vibecheck.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path / "data", model="embedded")


@pytest.fixture
def live(settings) -> Iterator[LiveModel]:
    live = LiveModel(settings)
    yield live
    end(live)


def test_a_new_installation_starts_at_once_on_the_embedded_model(live, registry, astronaut):
    assert live.manifest.version == "embedded-3"
    assert live.reader.read_still(astronaut).model.version == "embedded-3"
    live.look()
    assert registry.champion().version == "embedded-3"
    live.look()
    assert live.change is None and len(registry.promotions()) == 1


def test_no_frame_is_lost_when_the_model_changes(live, registry, settings, astronaut):
    live.look()
    install(settings, registry, "second")
    readings = []

    def stream(stop: threading.Event) -> None:
        while not stop.is_set():
            readings.append(live.reader.read_frame(astronaut, time.monotonic()))

    with running(stream):
        wait_for(lambda: len(readings) > 3, "the first frames")
        registry.promote("second", "a test", NOW, override=True)
        live.look()
        assert live.manifest.version == "second"
        count = len(readings)
        wait_for(lambda: len(readings) > count + 3, "frames read by it")
        registry.rollback(NOW)
        live.look()
        assert live.manifest.version == "embedded-3"
    assert all(max(reading.probabilities) > 0.5 for reading in readings)
    versions = [version for version, _ in groupby(reading.model.version for reading in readings)]
    assert versions in (["embedded-3", "second"], ["embedded-3", "second", "embedded-3"])


def test_replaced_model_is_freed_and_the_rest_is_frozen_for_the_garbage_collector(live, registry, settings):
    live.look()
    install(settings, registry, "second")
    registry.promote("second", "a test", NOW, override=True)
    old = weakref.ref(live.reader.classifier)
    gc.freeze()
    live.look()
    assert live.manifest.version == "second" and live.report["version"] == "second"
    assert old() is None
    assert gc.get_freeze_count() > 0


def test_damaged_model_that_cannot_be_rebuilt_does_not_run(live, registry, settings):
    live.look()
    folder = install(settings, registry, "second")
    for name in ("model.onnx", "model.safetensors"):  # with the weights whole, it would be made from them
        (folder / name).write_bytes(b"damaged")
    registry.promote("second", "a test", NOW, override=True)
    live.look()
    assert live.change.wanted == "second" and live.change.state.running
    wait_for(lambda: live.look() or not live.change.state.running, "the end of it", 180)
    assert live.change.state.step == "failed" and "is not a folder" in live.change.state.sentence
    assert live.manifest.version == "embedded-3"
    live.look()
    assert live.change.state.step == "failed", "it is not tried again and again"
    registry.rollback(NOW)
    live.look()
    assert live.change is None


def test_champion_that_could_not_be_built_runs_as_soon_as_it_is_installed(live, registry, settings):
    registry.register("second", "a test", str(settings.data / "gone"), {}, NOW)
    registry.promote("second", "a test", NOW, override=True)
    wait_for(lambda: live.look() or not live.change.state.running, "the end of the build", 180)
    assert live.change.state.step == "failed" and not live.change.state.later
    install(settings, registry, "third")
    live.look()
    assert live.change.state.running, "it is tried again when a model was installed"
    wait_for(lambda: live.look() or not live.change.state.running, "the end of the build", 180)
    install(settings, registry, "second")
    live.look()
    assert live.manifest.version == "second" and live.change is None


def test_without_records_the_embedded_model_runs_on(tmp_path, astronaut, caplog, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    caplog.set_level(logging.DEBUG, logger="vibecheck.models.live_model")
    monkeypatch.setattr(live_model, "LOOK_EVERY", 0.05)
    live = LiveModel(Settings(data=tmp_path / "file", model="embedded")).follow()
    wait_for(lambda: caplog.text.count("The registry cannot be read") > 1, "two looks at the registry")
    assert live.reader.read_still(astronaut).model.version == "embedded-3"
    assert live.change is None


def test_embedded_champion_missing_from_this_release_is_not_loaded(live, registry):
    live.look()  # in this release's installation, a copy of another release promotes its own
    registry.register("embedded-99", "ships with VibeCheck", "embedded", {}, NOW)
    registry.promote("embedded-99", "It came with an update.", NOW, override=True)
    live.look()
    assert live.manifest.version == "embedded-3"
    assert "embedded-99 did not come with this version" in live.change.state.sentence
    assert registry.champion().version == "embedded-99"


def test_offline_start_keeps_the_embedded_model_and_explains_why(tmp_path, monkeypatch, registry, astronaut):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("VIBECHECK_MODEL", raising=False)
    live = LiveModel(Settings(data=tmp_path / "data"))
    try:
        assert live.reader.read_still(astronaut).model.version == "embedded-3"
        wait_for(lambda: live.look() or not live.change.state.running, "the answer", 180)
        failed = live.change
        assert failed.state.later and "\n" not in failed.state.sentence
        assert failed.state.sentence.startswith("The Hub cannot be reached for dima806/facial_emotions")
        live.look()
        assert live.change is failed, "it is not tried again at once"
        assert registry.champion().version == "embedded-3" and registry.champion_is_provisional()
        assert live.reader.read_still(astronaut).model.version == "embedded-3"
    finally:
        end(live)


@pytest.mark.slow
def test_first_hub_model_is_downloaded_built_and_run(tmp_path, monkeypatch, registry, astronaut):
    """As in a new installation with a network; the web process imports no torch all the while."""
    served = small_vit(tmp_path / "served", [*reversed(NAMES)])
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    with serving_hub(served) as hub:
        hub.pause = 0.05
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        code = (
            "import sys, time; from pathlib import Path\n"
            "from vibecheck.models.live_model import LiveModel; from vibecheck.settings import Settings\n"
            "from skimage import data\n"
            "c = LiveModel(Settings(data=Path(sys.argv[1]), model=sys.argv[2]))\n"
            "while c.look() or c.manifest.version == 'embedded-3':\n"
            "    if c.change: print(c.change.state.step)\n"
            "    assert not c.change or c.change.state.step != 'failed', c.change\n"
            "    time.sleep(0.01)\n"
            "print(c.reader.read_still(data.astronaut()).model.version, c.change)\n"
            "assert not {'torch', 'transformers', 'onnx', 'huggingface_hub'} & set(sys.modules)"
        )
        run = subprocess.run(
            [sys.executable, "-c", code, tmp_path / "data", REPO],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=900,
        )
    assert run.returncode == 0, run.stderr
    *steps, last = run.stdout.splitlines()
    told = [step for step, _ in groupby(steps)]
    in_order = ["starting", "fetching", "compiling", "checking", "ready"]
    assert told == [step for step in in_order if step in told], "a short step may pass between two looks"
    assert {"fetching", "compiling"} <= set(told)
    assert last == f"{VERSION} None"
    assert registry.champion().source == f"{REPO}@{SHA}"
    assert registry.aliases() == {"champion": VERSION, "previous": "embedded-3"}
    # Another app with the same records, and no network, runs it from its files.
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    live = LiveModel(Settings(data=tmp_path / "data", model=REPO))
    live.look()
    assert live.manifest.version == VERSION
    # A damaged file is made again from the weights beside it, without a network too.
    end(live)
    (InstalledModels(tmp_path / "data").folder(VERSION) / "model.onnx").write_bytes(b"damaged")
    live = LiveModel(Settings(data=tmp_path / "data", model=REPO))
    wait_for(lambda: live.look() or live.manifest.version == VERSION, "the model made again", 600)
    end(live)
