"""The folder of a run: it can be resumed, belongs to one run at a time, and keeps no pictures."""

import stat
from dataclasses import replace

import pytest

from finetune.data.collect import collect
from finetune.training import plan
from tests.finetune.corrected import fill
from vibecheck.errors import VibeCheckError
from vibecheck.models.installed import Installed
from vibecheck.settings import Settings
from vibecheck.training_runs.run_folder import PICTURES, remove_pictures
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest

PLAN = plan.RunPlan("ft-1", {"source": "store"}, "2026-01-31T12:00:00+00:00", {"a": "sad"}, {"b": "fear"})


def test_plan_is_read_as_it_was_written_and_foreign_folders_are_refused(tmp_path):
    assert plan.read(tmp_path) is None
    plan.write(tmp_path, PLAN)
    assert plan.read(tmp_path) == PLAN
    (tmp_path / plan.PLAN).write_text('{"format": 1}')
    with pytest.raises(VibeCheckError, match="cannot be used: delete"):
        plan.read(tmp_path)
    (tmp_path / plan.PLAN).rename(tmp_path / "letters.txt")
    with pytest.raises(VibeCheckError, match="something else"):
        plan.read(tmp_path)


def test_a_folder_belongs_to_one_run_at_a_time(tmp_path):
    out = tmp_path / "out"
    with plan.locked(out):
        assert stat.S_IMODE(out.stat().st_mode) == 0o700
        plan.write(out, PLAN)
        with pytest.raises(VibeCheckError, match="Another run is under way"), plan.locked(out):
            pass
    with plan.locked(out):
        assert plan.read(out) == PLAN
    with plan.locked(tmp_path / "nothing came of it"):
        pass
    assert not (tmp_path / "nothing came of it").exists()


def test_training_pictures_are_private_and_deleted_once_loaded(tmp_path):
    settings = Settings(data=tmp_path / "data")
    ids = fill(settings, 30, visitors=15)
    collected = collect(settings, "store")
    labels = [{row.prediction_id: row.label for row in part} for part in (collected.train, collected.valid)]
    wanted = plan.RunPlan("ft-1", {}, "", *labels)
    # Meanwhile one is deleted and another gets a new label: training uses the label of the plan.
    gone, changed, *_ = collected.train
    other = replace(changed, label="fear", copies=("of another visitor",))
    rows = [other if row == changed else row for row in collected.rows if row != gone]
    out = tmp_path / "out"
    out.mkdir()
    base = Installed(Manifest.read(EMBEDDED).version, EMBEDDED, {})
    plan.write_data(out, wanted, replace(collected, rows=tuple(rows)), base, 80, Classifier.load(EMBEDDED))
    files = list((out / PICTURES).iterdir())
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600} and len(files) == 2
    assert stat.S_IMODE((out / PICTURES).stat().st_mode) == 0o700
    train, valid = plan.open_data(out)
    plan.discard_data(out)
    assert [each.name for each in out.iterdir()] == [plan.TRAINED_ON]
    assert plan.note_trained_on(out, []) == ["of another visitor"], "the copy may not judge the model either"
    assert train["prediction_id"] == [each for each in labels[0] if each != gone.prediction_id]
    assert len(train[0]["pixels"]) == 80 * 80 * 3 and len(valid) == len(labels[1])
    names = train.features["label"].names
    assert names[train[train["prediction_id"].index(changed.prediction_id)]["label"]] == changed.label
    assert set(train["prediction_id"]) <= set(ids)


def test_every_picture_that_entered_a_checkpoint_is_recorded(tmp_path):
    assert plan.note_trained_on(tmp_path, ["b", "a"]) == ["a", "b"]
    assert plan.note_trained_on(tmp_path, ["c", "a"]) == ["a", "b", "c"]


def test_pictures_of_killed_runs_are_deleted_and_those_of_live_runs_stay(tmp_path):
    killed, live, page = (
        tmp_path / "fine-tuning" / "killed",
        tmp_path / "fine-tuning" / "live",
        tmp_path / "jobs" / "a" / "out",
    )
    for out in (killed, live, page):
        (out / PICTURES).mkdir(parents=True)
        (out / PICTURES / "train.arrow").write_bytes(b"faces")
    with plan.locked(live):
        plan.write(live, PLAN)
        remove_pictures(tmp_path)
        assert (live / PICTURES).exists()
    assert not (killed / PICTURES).exists() and not (page / PICTURES).exists()
