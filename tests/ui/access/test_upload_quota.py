"""How much uploads may hold in memory, and what a page says of one that was refused."""

from types import SimpleNamespace

import pytest
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from vibecheck.access.browsers import Browser
from vibecheck.ui.access import upload_quota
from vibecheck.ui.access.access_link import session_owners
from vibecheck.ui.access.upload_quota import Upload, UploadQuota


@pytest.fixture
def files(monkeypatch) -> MemoryUploadedFileManager:
    """What Streamlit holds; `rerun` notes the sessions whose page is run again."""
    manager = MemoryUploadedFileManager("/upload")
    manager.rerun = []
    sessions = SimpleNamespace(
        get_active_session_info=lambda session: SimpleNamespace(
            session=SimpleNamespace(
                _client_state=ClientState(), request_rerun=lambda _: manager.rerun.append(session)
            )
        )
    )
    runtime = SimpleNamespace(uploaded_file_mgr=manager, _session_mgr=sessions)
    monkeypatch.setattr(upload_quota.Runtime, "instance", lambda: runtime)
    return manager


@pytest.fixture
def quota(monkeypatch) -> UploadQuota:
    for name, size in {"PER_VISITOR": 60, "PER_ADDRESS": 100, "FOR_ALL": 120}.items():
        monkeypatch.setattr(upload_quota, name, size)
    return UploadQuota()


def upload(visitor: str, size: int, address: str = "10.0.0.1") -> Upload:
    """An upload into the session of this visitor."""
    session_owners().bind(visitor, Browser(visitor))
    return Upload(visitor, Browser(visitor), address, size)


def keep(quota: UploadQuota, files: MemoryUploadedFileManager, wanted: Upload) -> str:
    """Uploads a file, if it is not refused; returns why it is."""
    if sentence := quota.refuse(wanted):
        return sentence
    with quota.arriving(wanted):
        pass
    number = len(files.file_storage.get(wanted.session, ()))
    files.add_file(wanted.session, UploadedFileRec(f"{number}", "a.jpg", "", bytes(wanted.size)))
    return ""


def test_upload_quota_is_shared_by_all_tabs_of_a_visitor(quota, files):
    assert keep(quota, files, upload("a", 30)) == ""
    assert keep(quota, files, upload("a", 30)) == ""
    assert "Remove a file" in keep(quota, files, upload("a", 1))
    assert keep(quota, files, upload("b", 40)) == ""
    files.remove_session_files("a")
    assert keep(quota, files, upload("a", 60)) == ""


def test_new_visitors_of_one_address_leave_room_for_those_of_another(quota, files):
    for visitor in ("a", "b"):
        assert keep(quota, files, upload(visitor, 50)) == ""
    assert "Files from your network" in keep(quota, files, upload("c", 1))
    assert keep(quota, files, upload("d", 20, "10.0.0.2")) == ""
    assert "Other people's files" in keep(quota, files, upload("e", 1, "10.0.0.3")), "the most for all"


def test_uploads_in_progress_count(quota, files):
    with quota.arriving(upload("a", 50)), quota.arriving(upload("b", 50)):
        assert "Remove a file" in quota.refuse(upload("a", 11))
        assert "Files from your network" in quota.refuse(upload("c", 1))
        assert quota.refuse(upload("c", 20, "10.0.0.2")) == ""
    assert quota.refuse(upload("c", 60)) == ""


def test_address_of_an_upload_is_kept_while_others_arrive(quota, files):
    first = upload("a", 50)
    with quota.arriving(first):
        assert keep(quota, files, upload("b", 50)) == ""
        files.add_file(first.session, UploadedFileRec("0", "a.jpg", "", bytes(50)))
    assert "Files from your network" in quota.refuse(upload("c", 1))


def test_refusal_is_shown_once_and_only_on_its_own_page(quota, files):
    sentence = quota.refuse(upload("a", 61))
    assert files.rerun == ["a"]
    assert quota.refusal("b") == ""
    assert quota.refusal("a") == sentence != ""
    assert quota.refusal("a") == ""
