"""Pictures in object storage, by the real driver against a real server on this machine."""

import signal
import socket
import time
from datetime import UTC, datetime, timedelta

import pytest

from tests.databases import open_store
from tests.records.examples import JPEG, a_prediction
from tests.standins.object_storage import ObjectStorage, object_storage
from vibecheck.errors import RecordsError
from vibecheck.records.pictures import S3_PATIENCE, Pictures
from vibecheck.settings import Settings


@pytest.fixture(scope="module")
def storage():
    with object_storage() as running:
        yield running


def forget_drivers() -> None:
    """Drivers are remembered with the server they first had."""
    from s3fs import S3FileSystem

    S3FileSystem.clear_instance_cache()


@pytest.fixture
def images(storage: ObjectStorage, monkeypatch) -> Pictures:
    for name, value in storage.environment.items():
        monkeypatch.setenv(name, value)
    forget_drivers()
    return Pictures(Settings.load().images_url)


def test_picture_is_stored_as_its_own_object_and_can_be_read_and_deleted(images, storage):
    prediction = a_prediction()
    images.put(prediction.id, JPEG)
    name = f"faces/{prediction.id[:2]}/{prediction.picture_name}"
    assert name in storage.names() and storage.get(name) == JPEG
    assert images.get(prediction.id) == JPEG and images.exists(prediction.id)
    images.delete(prediction.id)
    images.delete(prediction.id)
    assert images.get(prediction.id) is None and not images.exists(prediction.id)
    assert name not in storage.names()


def test_check_writes_and_reads_an_object_and_leaves_nothing_behind(images, storage):
    before = storage.names()
    assert images.check() == "s3://vibes/faces can be written and read."
    assert storage.names() == before


def test_store_keeps_and_purges_pictures_in_object_storage(images, storage, tmp_path):
    settings = Settings.load().model_copy(update={"data": tmp_path, "database_url": None})
    store = open_store(settings)
    kept, lost = a_prediction(made_at=datetime.now(UTC), picture_kept=True), a_prediction()
    store.add(kept, JPEG)
    images.put(lost.id, JPEG)
    assert store.picture(kept.id) == JPEG
    assert not (tmp_path / "images").exists()
    assert len(storage.names()) == 2
    assert store.purge(datetime.now(UTC) + timedelta(hours=1)) == 1
    assert storage.names() == []
    store.close()


def test_missing_bucket_is_reported_with_the_setting(images):
    with pytest.raises(RecordsError, match=r"written at s3://nowhere/faces .*VIBECHECK_IMAGES_URL"):
        Pictures("s3://nowhere/faces").put(a_prediction().id, JPEG)


def test_hanging_or_unreachable_storage_is_reported_within_seconds(images, storage, monkeypatch):
    monkeypatch.setitem(S3_PATIENCE, "read_timeout", 1)
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
    forget_drivers()
    elsewhere = Pictures("s3://vibes/elsewhere")
    began = time.monotonic()
    with pytest.raises(RecordsError, match=r"could not be written .*VIBECHECK_IMAGES_URL"):
        elsewhere.put(a_prediction().id, JPEG)
    assert time.monotonic() - began < 30

    monkeypatch.setenv("AWS_ENDPOINT_URL", storage.url)
    forget_drivers()
    storage.process.send_signal(signal.SIGSTOP)  # it still accepts, and answers nothing
    try:
        began = time.monotonic()
        with pytest.raises(RecordsError, match=r"could not be read .*VIBECHECK_IMAGES_URL"):
            Pictures("s3://vibes/faces").get(a_prediction().id)
        assert time.monotonic() - began < 30
    finally:
        storage.process.send_signal(signal.SIGCONT)
