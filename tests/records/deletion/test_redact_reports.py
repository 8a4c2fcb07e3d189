"""A deleted picture is removed from the reports that show it."""

from contextlib import closing
from datetime import UTC, datetime

import pytest

from tests.databases import open_store
from tests.evaluation.test_report import REPORT
from tests.records.examples import JPEG, a_prediction
from vibecheck.errors import RecordsError
from vibecheck.models.registry import Registry
from vibecheck.records.deletion.redact_reports import without_pictures
from vibecheck.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def picture(prediction_id: str) -> str:
    return f'<figure><img data-prediction="{prediction_id}" src="data:image/jpeg;base64,AA"></figure>\n'


@pytest.fixture
def shown(store, engine, tmp_path):
    """Two predictions, and a report that shows both."""
    both = [a_prediction(picture_kept=True, visitor=name) for name in ("one", "two")]
    for each in both:
        store.add(each, JPEG)
    path = tmp_path / "out" / "report.html"
    path.parent.mkdir()
    path.write_text("<p>Proved</p>" + "".join(picture(each.id) for each in both))
    registry = Registry(engine)
    registry.register("tuned", "a test", "here", {}, NOW)
    registry.prove("tuned", REPORT.proof(str(path)))
    return both, path


@pytest.mark.parametrize("how", ["forget", "forget_visitor", "purge"])
def test_deleted_prediction_is_removed_from_reports_and_the_rest_stays(store, shown, how):
    (one, two), path = shown
    assert one.id in path.read_text()
    if how == "forget":
        store.forget([one.id], NOW)
    elif how == "forget_visitor":
        store.forget_visitor("one", NOW)
    else:
        store.purge(datetime.now(UTC))
    left = path.read_text()
    assert one.id not in left and "Proved" in left
    assert (two.id in left) == (how != "purge")
    assert [each.name for each in path.parent.iterdir()] == ["report.html"]


def test_only_reports_are_touched(store, engine, shown, tmp_path):
    (one, _), _ = shown
    other = tmp_path / "mine.txt"
    other.write_text(picture("0" * 32))
    Registry(engine).prove("tuned", REPORT.proof(str(other)))
    store.forget([one.id], NOW)
    assert other.read_text() == picture("0" * 32)


@pytest.mark.parametrize("place", ["jobs/1/out", "fine-tuning/tuned"])
def test_deletion_reaches_a_report_in_a_data_folder_that_was_moved(tmp_path, place):
    before, now = (Settings(data=tmp_path / name, database_url=None, images=None) for name in ("old", "new"))
    one = a_prediction(picture_kept=True)
    with closing(open_store(before)) as store, closing(Registry.open(before)) as registry:
        store.add(one, JPEG)
        path = before.data / place / "report.html"
        path.parent.mkdir(parents=True)
        path.write_text(picture(one.id))
        registry.register("tuned", "a test", "here", {}, NOW)
        registry.prove("tuned", REPORT.proof(str(path)))
    before.data.rename(now.data)
    with closing(open_store(now)) as store:
        store.forget([one.id], NOW)
    assert one.id not in (now.data / place / "report.html").read_text()


def test_reports_of_another_installation_in_the_current_folder_stay(
    store, engine, shown, tmp_path, monkeypatch
):
    (one, _), path = shown
    folder = tmp_path / "current"
    others = folder / path.relative_to(tmp_path.parent)
    others.parent.mkdir(parents=True)
    others.write_text(picture("0" * 32))
    monkeypatch.chdir(folder)
    store.forget([one.id], NOW)
    assert one.id not in path.read_text() and others.read_text() == picture("0" * 32)


def test_missing_report_file_does_not_stop_a_deletion(store, engine, shown):
    (one, _), _ = shown
    Registry(engine).prove("tuned", REPORT.proof("/nowhere/report.html"))
    assert store.forget([one.id], NOW) == {one.id}


def test_a_report_that_cannot_be_changed_keeps_no_face_in_the_others(store, engine, shown, tmp_path):
    (one, _), path = shown
    damaged = tmp_path / "a" / "report.html"
    damaged.parent.mkdir()
    damaged.write_bytes(b"\xff")
    registry = Registry(engine)
    registry.register("another", "a test", "here", {}, NOW)
    registry.prove("another", REPORT.proof(str(damaged)))
    with pytest.raises(RecordsError, match="delete this file"):
        store.forget([one.id], NOW)
    assert one.id not in path.read_text()


def test_a_report_that_cannot_be_replaced_leaves_no_other_file_with_faces(store, shown, monkeypatch):
    (one, _), path = shown

    def refuse(self, target):
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.replace", refuse)
        with pytest.raises(RecordsError, match="delete this file"):
            store.forget([one.id], NOW)
    assert list(path.parent.iterdir()) == [path]


def test_without_pictures_removes_all_or_only_the_given_pictures():
    text = picture("a") + picture("b")
    assert "<img" not in without_pictures(text)
    assert without_pictures(text, {"a"}).count("<img") == 1 and "AA" in without_pictures(text, {"a"})
