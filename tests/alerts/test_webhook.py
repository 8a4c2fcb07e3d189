import json
import socket
from contextlib import closing

import pytest

from tests.standins.http import Reply, serving
from vibecheck.alerts import webhook
from vibecheck.alerts.webhook import Alert
from vibecheck.errors import AlertNotSent

SECRET = "/services/T000/B000/a-secret-path"
ALERT = Alert("drift", "drift Light", "Drift in light (Dark: 10% → 30%).")


def refusal(url: str) -> AlertNotSent:
    """The error of an alert that cannot be sent; it never tells the address."""
    with pytest.raises(AlertNotSent) as caught:
        webhook.post(url, ALERT, "main")
    assert SECRET not in str(caught.value) and caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return caught.value


def test_alert_is_one_json_post_with_the_text_field_of_slack():
    with serving(lambda asked: (200, b"ok")) as server:
        webhook.post(server.url + SECRET, ALERT, "main")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", SECRET)
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {
        "text": f"VibeCheck (main): {ALERT.text}",
        "event": "drift",
        "id": "main drift Light",
    }


@pytest.mark.parametrize(
    ("reply", "said", "wait"),
    [
        (Reply(500, b"no"), "does not take alerts at the moment (500)", None),
        (Reply(429, b"", {"Retry-After": "120"}), "does not take alerts at the moment (429)", 120.0),
        (Reply(429, b"", {"Retry-After": "999999999"}), "(429)", 3600.0),
        (Reply(503, b"", {"Retry-After": "Fri, 31 Dec 2100 23:59:59 GMT"}), "(503)", 3600.0),
        (Reply(404, b"no_team"), "refuses alerts (404): check VIBECHECK_ALERT_URL", None),
    ],
    ids=["500", "429", "429 for ever", "503 with a date", "404"],
)
def test_refusal_is_reported_in_a_sentence_without_the_url(reply, said, wait):
    with serving(lambda asked: reply) as server:
        error = refusal(server.url + SECRET)
    assert said in str(error) and error.retry_after == wait


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status):
    with serving(lambda asked: (200, b"secrets")) as private:
        elsewhere = Reply(status, b"", {"Location": private.url + "/latest/meta-data"})
        with serving(lambda asked: elsewhere) as server:
            assert "redirects" in str(refusal(server.url + SECRET))
        assert private.asked == []


def test_server_that_does_not_answer_times_out(monkeypatch):
    monkeypatch.setattr(webhook, "TIMEOUT", (0.2, 0.2))
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}{SECRET}"
        assert "did not answer in time" in str(refusal(url))


def test_unreachable_server_and_failed_tls_are_reported_in_a_sentence():
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        gone = f"http://127.0.0.1:{free.getsockname()[1]}{SECRET}"
    assert "127.0.0.1 cannot be reached" in str(refusal(gone))
    with serving(lambda asked: (200, b"")) as server:
        assert "certificate" in str(refusal(server.url.replace("http:", "https:") + SECRET))


def test_a_huge_answer_is_not_read():
    with serving(lambda asked: Reply(200, b"x" * 5_000_000, pause=0.5)) as server:
        webhook.post(server.url + SECRET, ALERT, "main")


def test_check_connects_to_the_server_without_calling_the_webhook():
    with serving(lambda asked: (404, b"")) as server:
        assert "127.0.0.1 answers" in webhook.reachable(server.url + SECRET)
    assert [(asked.method, asked.path) for asked in server.asked] == [("HEAD", "/")]
