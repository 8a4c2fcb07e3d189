"""The folder of a synthetic history: marked, readable as any other, and never mixed with a real one."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.databases import open_store
from tests.records.examples import a_prediction
from tests.records.rows import rows_in
from vibecheck.demo.folder import build
from vibecheck.demo.portraits import Portraits
from vibecheck.demo.world import VERSIONS, Plan
from vibecheck.errors import RecordsError
from vibecheck.settings import Settings
from vibecheck.vision.images import decode

PLAN = Plan(datetime(2026, 11, 22, 18, tzinfo=UTC), checks=400, days=30, pictures=40)


@pytest.fixture(scope="module")
def portraits(reader) -> Portraits:
    return Portraits(reader)


@pytest.fixture(scope="module")
def made(tmp_path_factory, portraits) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo") / "history"
    return folder, build(folder, PLAN, portraits)


@pytest.fixture
def history(tmp_path) -> Path:
    """A small history of one's own to do things to."""
    build(tmp_path / "history", replace(PLAN, checks=20), None)
    return tmp_path / "history"


def test_demo_folder_contains_the_planned_records_and_pictures(made):
    folder, holds = made
    predictions, labels, plays = (
        rows_in(folder, f"SELECT count(*) FROM {table}")[0][0]
        for table in ("predictions", "feedback", "plays")
    )
    pictures = len(list(folder.rglob("input_*.jpg")))
    assert holds == f"{predictions} predictions, {labels} labels, {plays} playlists, {pictures} pictures"
    assert predictions == PLAN.checks < plays and labels > 30 and 10 < pictures <= PLAN.pictures
    assert f"Holds {holds}." in (folder / "DEMO").read_text()
    assert sorted(each.name for each in folder.parent.iterdir()) == ["history"]


def test_every_demo_record_is_marked_as_synthetic(made):
    folder, _ = made
    everybody = (
        "SELECT visitor FROM predictions UNION SELECT given_by FROM feedback UNION "
        "SELECT model_version FROM predictions UNION SELECT version FROM model_versions"
    )
    assert all(name.startswith("demo") for (name,) in rows_in(folder, everybody))
    assert rows_in(folder, "SELECT count(*) FROM outbox") == [(0,)]
    assert open_store(Settings(data=folder)).synthetic()


def test_store_reads_the_demo_folder_like_any_other(made):
    folder, _ = made
    store = open_store(Settings(data=folder))
    assert [each.version for each in store.model_versions()] == list(VERSIONS)
    ids = [each for (each,) in rows_in(folder, "SELECT id FROM predictions ORDER BY id")]
    sources = set()
    for prediction_id in ids:
        prediction = store.get(prediction_id)
        assert prediction.made_at <= PLAN.until
        labels = store.feedback_of(prediction_id)
        assert all(prediction.made_at < each.given_at <= PLAN.until for each in labels)
        assert [each.n for each in labels] == list(range(1, len(labels) + 1))
        sources |= {each.source for each in labels}
        assert [each.again for each in store.plays_of(prediction_id)][:2] in ([False], [False, True])
        if prediction.picture_kept:
            picture, face = decode(store.picture(prediction_id)), prediction.face
            assert picture.shape[0] == picture.shape[1] <= 320
            assert face.x >= 0 and face.x + face.width <= picture.shape[1] + 1
            assert abs(face.roll) < 25, "what is kept is upright"
    assert sources == {"audit", "volunteered", "labeller"}
    store.close()


def test_demo_pictures_show_faces_and_dark_ones_are_dark(made, detector):
    folder, _ = made
    store = open_store(Settings(data=folder))
    bright = [
        each for (each,) in rows_in(folder, "SELECT id FROM predictions WHERE picture_kept AND light > 90")
    ]
    found = [bool(detector.find(decode(store.picture(each)))) for each in bright]
    assert sum(found) > 0.8 * len(found)
    ordered = rows_in(folder, "SELECT id FROM predictions WHERE picture_kept ORDER BY light")
    darkest, lightest = (decode(store.picture(each)).mean() for (each,) in (ordered[0], ordered[-1]))
    assert darkest < lightest / 2
    store.close()


def test_the_same_plan_makes_the_same_history(made, portraits, tmp_path):
    folder, _ = made
    build(tmp_path / "again", PLAN, portraits)
    for table in ("predictions", "feedback", "plays", "model_versions"):
        query = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert rows_in(folder, query) == rows_in(tmp_path / "again", query)
    for path in folder.rglob("input_*.jpg"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(folder)).read_bytes()


def test_real_records_are_never_overwritten_or_mixed_with_synthetic_ones(tmp_path):
    real = tmp_path / "real"
    store = open_store(Settings(data=real))
    store.add(a_prediction(), None)
    for replacing in (False, True):
        with pytest.raises(RecordsError, match="holds something other than"):
            build(real, PLAN, None, replace=replacing)
    (real / "DEMO").touch()  # a name alone does not make it one
    with pytest.raises(RecordsError, match="holds something other than"):
        build(real, PLAN, None, replace=True)
    assert store.count() == 1


@pytest.mark.parametrize("name", ["file", "DEMO"])
def test_folder_that_is_not_empty_is_refused(tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(RecordsError, match="does not exist yet"):
        build(tmp_path, PLAN, None, replace=True)
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordsError, match="does not exist yet"):
        build(tmp_path / "file", PLAN, None)
    with pytest.raises(RecordsError, match="cannot be written"):
        build(tmp_path / "file" / "below", PLAN, None)


def test_history_is_replaced_only_on_request_and_other_files_stay(history):
    with pytest.raises(RecordsError, match="--replace"):
        build(history, PLAN, None)
    (history / "models").mkdir()
    build(history, replace(PLAN, checks=30), None, replace=True)
    assert rows_in(history, "SELECT count(*) FROM predictions") == [(30,)]
    assert (history / "models").is_dir()
    assert [each.name for each in history.parent.iterdir()] == ["history"]


def test_interrupted_replacement_keeps_the_old_history(history):
    def interrupt(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(history, replace(PLAN, checks=30), None, replace=True, progress=interrupt)
    assert rows_in(history, "SELECT count(*) FROM predictions") == [(20,)]
    assert [each.name for each in history.parent.iterdir()] == ["history"]


def test_database_named_in_the_settings_is_not_touched(tmp_path, monkeypatch):
    monkeypatch.setenv("VIBECHECK_DATABASE_URL", f"sqlite:///{tmp_path / 'real.db'}")
    build(tmp_path / "history", replace(PLAN, checks=5), None)
    assert not (tmp_path / "real.db").exists()


def test_history_in_a_folder_of_any_name_is_replaced(tmp_path):
    folder = tmp_path / "100%20 what? #1"
    build(folder, replace(PLAN, checks=20), None)
    build(folder, replace(PLAN, checks=30), None, replace=True)
    assert [each.name for each in tmp_path.iterdir()] == [folder.name]
