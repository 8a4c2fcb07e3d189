"""What one browser can do to the process and to other browsers, against the running app."""

import json
import re
import secrets
import socket
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from google.protobuf.descriptor import FieldDescriptor
from streamlit.proto.BackMsg_pb2 import BackendOperationRequest, BackMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from benchmarks.harness.page_client import Visitor
from benchmarks.harness.running import RunningApp
from tests.databases import open_store
from tests.end_to_end.conftest import FACE, UPLOAD, check_vibe, photo
from tests.records.examples import a_prediction
from tests.waiting import wait_for
from vibecheck.records.values import hash_of
from vibecheck.settings import Settings
from vibecheck.ui.access import websocket_messages

TOKEN = "a-token-of-32-characters-or-more"
LOCKED = "Only people with access can open this page"


@pytest.fixture(scope="module")
def app(run_app) -> RunningApp:
    running = run_app(VIBECHECK_ACCESS_TOKEN=TOKEN)
    running.ready()
    return running


@pytest.fixture
def trainer(app) -> Visitor:
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as tab:
        assert is_open(tab)
        yield tab


def is_open(tab: Visitor) -> bool:
    assert (LOCKED in tab.text()) != ("How good is it, really?" in tab.text())
    return LOCKED not in tab.text()


def cookies_of(tab: Visitor) -> dict[str, str]:
    return {
        name: value for name, value in tab.http.cookies.get_dict().items() if name.startswith("vibecheck")
    }


# What each message that a browser can send does to others.
BACK_MESSAGES = {
    "rerun_script": "runs a page of the sender's session",
    "stop_script": "stops the run of the sender's session",
    "file_urls_request": "names addresses for files of the sender's session",
    "app_heartbeat": "is answered",
    "backend_operation_request": "serves tables and downloads of the sender's session",
    "clear_cache": "dropped: it would empty the caches of all sessions",
    "set_run_on_save": "dropped: a developer's, about source files",
    "load_git_info": "dropped: it would tell about the host's git repository",
    "debug_disconnect_websocket": "dropped: a developer's",
    "debug_shutdown_runtime": "dropped: it would stop the server",
}
OPERATIONS = {
    "deferred_file": "makes a download of the sender's session",
    "dataframe_chunk": "sends rows of a table of the sender's session",
    "install_skills": "dropped: it would write files into the app's folder",
    "dismiss_skills_nudge": "dropped: it would write a file on the host",
}


def test_every_websocket_message_type_is_listed_with_its_effect_on_others():
    fields = {field.name for field in BackMsg.DESCRIPTOR.fields}
    assert fields == set(BACK_MESSAGES), "a new message: find out what it does to others, and say it above"
    allowed = {name for name, does in BACK_MESSAGES.items() if not does.startswith("dropped")}
    assert allowed == websocket_messages.ALLOWED
    payloads = {field.name for field in BackendOperationRequest.DESCRIPTOR.oneofs_by_name["payload"].fields}
    assert payloads == set(OPERATIONS)
    taken = {name for name, does in OPERATIONS.items() if not does.startswith("dropped")}
    assert taken == websocket_messages.ALLOWED_OPERATIONS


def every_message() -> list[bytes]:
    sent = []
    for field in BackMsg.DESCRIPTOR.fields:
        message = BackMsg()
        if field.type == FieldDescriptor.TYPE_BOOL:
            setattr(message, field.name, True)
        else:
            getattr(message, field.name).SetInParent()
        sent.append(message.SerializeToString())
    for name in OPERATIONS:
        message = BackMsg()
        getattr(message.backend_operation_request, name).SetInParent()
        sent.append(message.SerializeToString())
    return sent


def test_no_message_of_a_visitor_changes_anything_for_others(app, trainer):
    with Visitor(app.url) as bystander, Visitor(app.url) as stranger:
        bystander.pick("way", UPLOAD)
        bystander.upload("upload", "me.jpg", photo())
        for message in every_message():
            stranger._socket.send(message)
        stranger.rerun()
        bystander.press("check")
        assert bystander.errors() == [] and bystander.has("answer-"), "what was uploaded is still there"
    trainer.rerun()
    assert is_open(trainer), "the pass still holds"
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as tab:
        assert is_open(tab), "and so does the link"


def test_no_other_address_leads_to_streamlits_websocket_unguarded(app):
    """Its router matches an address with a line break, too."""
    for address in ("/_stcore/stream%0A", "/_stcore/stream"):
        with connect(
            f"{app.url.replace('http', 'ws')}{address}", subprotocols=[Subprotocol("streamlit")]
        ) as socket:
            assert "vibecheck_visitor=" in str(socket.response.headers.get_all("Set-Cookie"))
            socket.send(b"\xff\xff\xff")  # not a message
            with pytest.raises(ConnectionClosed) as closed:
                while True:
                    socket.recv(timeout=10)
            assert closed.value.rcvd.code == 1008


def test_clear_cache_messages_cost_no_memory(app):
    message = BackMsg(clear_cache=True).SerializeToString()
    with Visitor(app.url) as tab:
        before = app.used().resident_mb
        for _ in range(10):
            tab._socket.send(message)
            tab.rerun()
        assert app.used().resident_mb < before + 50


def test_a_session_is_resumed_only_with_the_cookies_of_its_browser(app):
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as tab:
        session, cookies = tab.session, cookies_of(tab)
    with Visitor(app.url, page="Dashboard", session=session) as stranger:
        assert not is_open(stranger) and stranger.session != session
    without_pass = {"vibecheck_visitor": cookies["vibecheck_visitor"]}
    with Visitor(app.url, page="Dashboard", session=session, cookies=without_pass) as stranger:
        assert not is_open(stranger) and stranger.session != session
    with Visitor(app.url, page="Dashboard", session=session, cookies=cookies) as same:
        assert is_open(same) and same.session == session


def test_a_session_that_is_open_is_not_taken_over(app, trainer):
    with Visitor(app.url, page="Dashboard", session=trainer.session) as stranger:
        assert not is_open(stranger) and stranger.session != trainer.session
    trainer.rerun()
    assert is_open(trainer)


def test_files_are_put_into_and_taken_out_of_ones_own_session_only(app):
    with Visitor(app.url) as tab, Visitor(app.url) as stranger:
        xsrf = {"X-Xsrftoken": stranger.http.cookies["_streamlit_xsrf"]}
        for session, status in ((tab.session, 403), ("nobody", 403), (stranger.session, 204)):
            address = f"{app.url}/_stcore/upload_file/{session}/{secrets.token_hex(8)}"
            put = stranger.http.put(address, files={"file": ("a.jpg", photo())}, headers=xsrf)
            assert put.status_code == status
            assert stranger.http.delete(address, headers=xsrf).status_code == status


def test_signing_out_ends_the_pass_in_every_tab_and_every_copy_of_the_cookie(app):
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as first:
        copy = cookies_of(first)
        with Visitor(app.url, page="Dashboard", cookies=copy) as second:
            assert is_open(second)
            first.press("sign_out")
            assert not is_open(first)
            with pytest.raises(EOFError):  # its connection was opened with the pass
                second.rerun()
    with Visitor(app.url, page="Dashboard", cookies=copy) as tab:
        assert not is_open(tab)
        assert set(cookies_of(tab)) == {"vibecheck_visitor"}, "the cookie is taken away"


def test_signing_out_ends_no_other_browsers_pass_unless_all_are_signed_out(app, trainer):
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as other:
        other.press("sign_out")
    trainer.rerun()
    assert is_open(trainer)
    with Visitor(app.url, page="Dashboard", query=f"access={TOKEN}") as other:
        other.press("sign_out_all")
        assert not is_open(other)
    with pytest.raises(EOFError):
        trainer.rerun()


def test_wrong_links_are_slowed_down_and_never_lock_out_the_right_one(app):
    answers = [requests.get(f"{app.url}/?access=wrong{n}", timeout=10) for n in range(15)]
    assert {each.status_code for each in answers[:5]} == {403}
    assert answers[-1].status_code == 429 and int(answers[-1].headers["Retry-After"]) >= 1
    assert all("wrong" not in each.text.replace("Too many wrong links", "") for each in answers)
    for _ in range(12):
        right = requests.get(f"{app.url}/?access={TOKEN}", timeout=10, allow_redirects=False)
        assert right.status_code == 303


@pytest.mark.parametrize(
    ("asked", "leads_to"),
    [
        ("/?access={}", "./"),
        ("/Dashboard?access={}&week=3", "./Dashboard?week=3"),
        ("/Dashboard?week=a%20b&access={}&access={}", "./Dashboard?week=a+b"),
        ("//evil.example?access={}", "./evil.example"),
        ("/a:b%0d%0aX:y?access={}", "./a%3AbX%3Ay"),
    ],
)
def test_the_link_is_traded_for_a_cookie_before_any_page_is_drawn(app, asked, leads_to):
    answer = requests.get(app.url + asked.format(TOKEN, TOKEN), timeout=10, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"], answer.text) == (303, leads_to, "")
    cookie = re.search(r"vibecheck_access_\d+=([^;]+); ([^,]+)", answer.headers["Set-Cookie"])
    assert TOKEN not in str(answer.headers) and len(cookie[1]) >= 43
    assert cookie[2].split("; ") == ["Path=/", "HttpOnly", "SameSite=Strict"]


def test_cookies_are_secure_behind_https(app):
    answer = requests.get(
        f"{app.url}/?access={TOKEN}",
        headers={"X-Forwarded-Proto": "https"},
        timeout=10,
        allow_redirects=False,
    )
    assert answer.headers["Set-Cookie"].count("; Secure") == 2


def test_no_header_opens_a_page(app):
    """Whatever a proxy, a port forward or another account of the machine sends."""
    port = urlsplit(app.url).port
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"):
        with connect(
            f"ws://{host}/_stcore/stream",
            sock=socket.create_connection(("127.0.0.1", port)),
            origin=f"http://{host}",
            subprotocols=["streamlit"],
            max_size=None,
        ) as connection:
            message = BackMsg()
            message.rerun_script.page_name = "Dashboard"
            connection.send(message.SerializeToString())
            seen = b""
            while LOCKED.encode() not in seen:
                seen += connection.recv(timeout=60)
        assert b"How good is it, really?" not in seen


def test_every_answer_has_the_security_headers_and_metrics_are_closed(app):
    paths = (
        "/",
        "/Dashboard",
        "/nothing",
        "/_stcore/health",
        "/_stcore/metrics",
        "/?access=wrong",
        "/static/x.js",
    )
    for path in paths:
        answer = requests.get(app.url + path, timeout=10)
        assert answer.headers["Permissions-Policy"].startswith("camera=(self), microphone=()")
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "frame-src 'self' https://open.spotify.com;" in answer.headers["Content-Security-Policy"]
    for path in ("/_stcore/metrics", "/_stcore/metrics/"):
        shut = requests.get(app.url + path, timeout=10)
        assert shut.status_code == 404 and "memory" not in shut.text


def test_the_visitors_cookie_is_set_over_http_and_renewed_by_each_page(app):
    with requests.Session() as browser:
        first = browser.get(app.url, timeout=10).headers["Set-Cookie"]
        assert first.split("; ")[1:] == ["Path=/", "HttpOnly", "Max-Age=31536000", "SameSite=Lax"]
        for path in ("/About", "/", "/nothing"):
            assert browser.get(app.url + path, timeout=10).headers["Set-Cookie"] == first
    with Visitor(app.url) as tab:
        bodies = "".join(each.html.body for each in tab.elements if each.WhichOneof("type") == "html")
        assert "vibecheck_visitor" not in bodies


def test_connection_without_the_visitor_cookie_receives_it(app):
    """A page from the browser's cache, or one that was open while the visitor's data were deleted."""
    address = f"{app.url.replace('http', 'ws')}/_stcore/stream"
    with connect(address, origin=app.url, subprotocols=["streamlit"], max_size=None) as connection:
        assert connection.response.headers["Set-Cookie"].startswith("vibecheck_visitor=")
    cookie = {"Cookie": f"vibecheck_visitor={secrets.token_hex(16)}"}
    with connect(
        address, origin=app.url, subprotocols=["streamlit"], max_size=None, additional_headers=cookie
    ) as connection:
        assert "Set-Cookie" not in connection.response.headers


def rows(app: RunningApp, visitor: str) -> int:
    """The predictions that are recorded under a visitor's id."""
    with closing(open_store(Settings(data=app.data, model="embedded"))) as store:
        return sum(prediction.visitor == hash_of(visitor) for prediction, _ in store.history())


def test_a_deletion_reaches_every_tab_of_the_visitor(app):
    old = {"vibecheck_visitor": secrets.token_hex(16)}
    with Visitor(app.url, cookies=old) as tab:
        check_vibe(tab, FACE)
        with Visitor(app.url, page="About", cookies=old) as about:
            about.press("delete_my_data")
            about.press("delete_surely")
            about.rerun()
            assert "1 vibe check is deleted" in about.text()
            about.http.get(app.url, timeout=10)  # as a script on the page does
            new = cookies_of(about)
        before, after = old["vibecheck_visitor"], new["vibecheck_visitor"]
        assert after != before and rows(app, before) == 0
        tab.rerun()
        assert not tab.has("answer-"), "the other tab shows nothing of what is deleted"
        check_vibe(tab, FACE, photo(0.9))
        assert (rows(app, before), rows(app, after)) == (0, 1)
    with Visitor(app.url, page="About", cookies=new) as about:
        about.press("delete_my_data")
        about.press("delete_surely")
    assert (rows(app, before), rows(app, after)) == (0, 0)


def test_face_pictures_have_no_url(app):
    with Visitor(app.url) as tab:
        check_vibe(tab, content=photo(0.8))
        assert "imgs" not in [each.WhichOneof("type") for each in tab.elements]
        assert not any(b"/media/" in each.SerializeToString() for each in tab.elements)


def test_a_download_opens_only_in_the_browser_whose_page_made_it(app):
    with Visitor(app.url) as tab:
        check_vibe(tab, content=photo(0.7))
        cookies = cookies_of(tab)
    with Visitor(app.url, page="Corrections", cookies=cookies) as tab:
        asked = BackMsg()
        asked.backend_operation_request.session_id = tab.session
        asked.backend_operation_request.request_id = "download"
        asked.backend_operation_request.deferred_file.file_id = tab.find("my-vibes").deferred_file_id
        tab._socket.send(asked.SerializeToString())
        answers = (
            each.backend_operation_response
            for each in tab._messages()
            if each.WhichOneof("type") == "backend_operation_response"
        )
        address = app.url + next(answers).deferred_file.url
        assert "happy" in tab.http.get(address, timeout=10).text
    assert requests.get(address, timeout=10).status_code == 403
    made_up = requests.get(f"{app.url}/media/{secrets.token_hex(28)}.csv", timeout=10)
    assert made_up.status_code == 403, "no difference between what is there and what is not"


def test_an_upload_never_touches_the_disk(app):
    seen: set[str] = set()
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for each in Path(f"/proc/{app.pid}/fd").iterdir():
                try:
                    target = str(each.readlink())
                except OSError:
                    continue
                if (
                    "/tmp/" in target
                    and "vibecheck.db" not in target
                    and ("deleted" in target or "#" in target)
                ):
                    seen.add(target)

    if not Path("/proc/self/fd").is_dir():
        pytest.skip("open files are seen in /proc only")
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with Visitor(app.url) as tab:
        tab.pick("way", UPLOAD)
        for _ in range(3):
            tab.upload("upload", "me.jpg", photo() + secrets.token_bytes(8_000_000))
    done.set()
    watcher.join()
    assert seen == set()


def put(tab: Visitor, megabytes: int) -> requests.Response:
    address = f"{tab.url}/_stcore/upload_file/{tab.session}/{secrets.token_hex(8)}"
    xsrf = {"X-Xsrftoken": tab.http.cookies["_streamlit_xsrf"]}
    file = {"file": ("a.jpg", b"\xff\xd8" + bytes(megabytes * 1_000_000))}
    return tab.http.put(address, files=file, headers=xsrf)


def test_uploads_of_a_visitor_hold_a_bounded_amount_of_memory(app):
    with Visitor(app.url) as tab:
        tab.pick("way", UPLOAD)
        with Visitor(app.url, cookies=cookies_of(tab)) as second_tab:
            before = app.used().resident_mb
            answers = [put(each, 25) for each in (tab, tab, second_tab, second_tab, tab)]
            assert [each.status_code for each in answers] == [204, 204, 429, 429, 429]
            assert app.used().resident_mb < before + 150
            nameless = tab.http.put(
                answers[0].url,
                data=iter([b"x"]),
                headers={"X-Xsrftoken": tab.http.cookies["_streamlit_xsrf"]},
            )
            assert nameless.status_code == 411
            tab.wait_for_run()
            assert "Your files take 50 MB" in tab.text() and "Your files take" in answers[-1].text
            tab.rerun()
            assert "Your files hold" not in tab.text()
    with Visitor(app.url) as other:
        other.pick("way", UPLOAD)
        other.upload("upload", "me.jpg", photo())


def test_a_flood_of_valid_messages_closes_the_connection_and_delays_nobody(app):
    with Visitor(app.url) as flooder, Visitor(app.url) as other:
        message = BackMsg()
        message.rerun_script.context_info.url = app.url
        with pytest.raises(ConnectionClosed):
            for _ in range(20_000):
                flooder._socket.send(message.SerializeToString())
        began = time.monotonic()
        other.rerun()
        assert time.monotonic() - began < 10 and other.errors() == []


@pytest.mark.parametrize("where", ["in the offer", "beside it", "escaped", "long", "deep"])
def test_an_oversized_webrtc_offer_closes_the_connection_and_delays_nobody(app, where):
    line = "candidate:{} 1 udp 2122260223 127.0.0.1 2000 typ host"
    lines = "".join(f"a={line.format(n)}\r\n" for n in range(1500))
    value = {
        "in the offer": json.dumps({"sdpOffer": {"type": "offer", "sdp": lines[:90_000]}}),
        "beside it": json.dumps({"iceCandidates": {str(n): {} for n in range(101)}}),
        "escaped": json.dumps({"sdpOffer": {"sdp": lines[:50_000]}}).replace("candidate", "c\\u0061ndidate"),
        "long": json.dumps("x" * 100_000),
        "deep": "[" * 50_000,
    }[where]
    with Visitor(app.url) as tab:
        ids = [tab.id_of(each) for each in tab.elements if "webrtc" in str(each).lower() and tab.id_of(each)]
        began = time.monotonic()
        with pytest.raises(EOFError):
            tab.rerun(also=[WidgetState(id=ids[0] if ids else "$$ID-0-nobody", json_value=value)])
        assert requests.get(f"{app.url}/_stcore/health", timeout=10).ok
        assert time.monotonic() - began < 10


def test_expired_records_are_deleted_without_a_visit(run_app, tmp_path):
    with closing(open_store(Settings(data=tmp_path, model="embedded"))) as store:
        old = a_prediction(made_at=datetime.now(UTC) - timedelta(days=100))
        store.add(old, None)
    running = run_app(VIBECHECK_DATA=str(tmp_path))
    running.ready()

    def gone() -> bool:
        with closing(open_store(Settings(data=tmp_path, model="embedded"))) as store:
            return not list(store.history())

    wait_for(gone, "the sweep")


def test_host_paths_are_not_shown_to_visitors(run_app):
    running = run_app(
        VIBECHECK_DATABASE_URL="sqlite:////proc/nowhere/vibecheck.db", VIBECHECK_ACCESS_TOKEN=TOKEN
    )
    running.ready()
    with Visitor(running.url) as tab:
        tab.pick("way", UPLOAD)
        tab.upload("upload", "me.jpg", photo())
        tab.press("check")
        assert "The folder nowhere for the records cannot be created" in tab.text()
        assert "/proc/nowhere" not in tab.text()
    assert "/proc/nowhere" in running.log.read_text(), "the operator finds it in the log"
    with Visitor(running.url, page="Dashboard", query=f"access={TOKEN}") as tab:
        assert "/proc/nowhere" in tab.text()
