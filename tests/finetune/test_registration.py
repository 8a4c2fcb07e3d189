"""A trained model is kept until it is registered."""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finetune import registration
from finetune.pipeline import FineTuneRequest
from finetune.registration import Trained, finish, read, with_retries
from vibecheck.errors import RecordsError, VibeCheckError
from vibecheck.models.installed import Installed
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.training_runs.run_folder import TRAINED, write_json
from vibecheck.vision.classifier import EMBEDDED

MADE = Trained("ft-1", "embedded-3", "store", None, False, {"mix": 0.5}, ("a" * 32, "b" * 32))


@pytest.fixture
def out(tmp_path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    write_json(folder / TRAINED, asdict(MADE))
    return folder


@pytest.fixture
def pauses(monkeypatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(registration.time, "sleep", slept.append)
    return slept


def test_registration_is_retried_while_the_records_are_unavailable(pauses, capsys):
    answers = [RecordsError("The database is shutting down."), RecordsError("It cannot be reached."), "there"]

    def attempt() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert with_retries(attempt) == "there" and pauses == [1.0, 2.0]
    assert "It cannot be reached. Trying again in 2 s." in capsys.readouterr().err


def test_model_is_kept_for_later_registration_if_records_stay_unavailable(tmp_path, out, pauses, monkeypatch):
    monkeypatch.setattr(registration, "build", lambda *_: Installed("ft-1", EMBEDDED, {}))
    monkeypatch.setattr(registration, "PATIENCE", 0.0)
    (tmp_path / "file").write_text("in the way")
    away, here = (Settings(data=tmp_path / name) for name in ("file", "data"))
    request, told = FineTuneRequest(prove=False), []
    with pytest.raises(VibeCheckError, match=f"model is kept: python -m finetune --register {out}"):
        finish(away, out, request, told.append)
    assert read(out) == MADE and told == []
    finish(here, out, request, told.append)
    finish(here, out, request, told.append)  # and again, which changes nothing
    assert [each["event"] for each in told] == ["exported", "finished"] * 2
    registry = Registry.open(here)
    found = registry.get("ft-1")
    assert registry.aliases()["challenger"] == "ft-1" and found.metrics["fine_tuning"]["mix"] == 0.5
    # Both had a prediction when they were collected, and have none any more.
    assert (found.trained_on, found.deleted) == (2, 2)
    registry.close()


def test_registering_a_model_that_was_promoted_meanwhile_says_so(tmp_path, out, monkeypatch):
    monkeypatch.setattr(registration, "build", lambda *_: Installed("ft-1", EMBEDDED, {}))
    settings, told = Settings(data=tmp_path / "data"), []
    finish(settings, out, FineTuneRequest(prove=False), told.append)
    registry = Registry.open(settings)
    registry.promote("ft-1", "somebody decided", datetime.now(UTC), override=True)
    registry.close()
    (out / "report.html").write_text("the report that was written before the promotion")
    finish(settings, out, FineTuneRequest(promote_if_better=True), told.append)
    assert told[-1]["event"] == "finished" and told[-1]["promoted"] and not told[-1]["proved"]
    assert (told[-1]["report"], told[-1]["html"]) == (None, str(out / "report.html"))


def test_a_folder_without_a_finished_training_is_refused(tmp_path):
    with pytest.raises(VibeCheckError, match="no finished training"):
        read(tmp_path)
