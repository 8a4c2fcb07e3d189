"""Only Comet's own answers are accepted, and no request lasts longer than its time-out."""

import time

import pytest

from tests.comet.conftest import FAST
from tests.records.examples import JPEG, NOON, a_prediction
from tests.waiting import running, wait_for
from vibecheck.comet.client import SDK, Comet
from vibecheck.comet.sender import Sender
from vibecheck.comet.status import comet_state
from vibecheck.errors import CometUnavailable

PAGE = {"body": b"<html><h1>Sign in to the network</h1></html>", "headers": {"Content-Type": "text/html"}}


PATHS = ("account-details", "experiment/metadata", "upload-asset", "write/experiment/metric")


@pytest.mark.parametrize(
    ("path", "status"),
    [*((path, 404) for path in PATHS), *((PATHS[2], status) for status in (200, 401, 402, 403, 407, 451))],
)
def test_answer_of_a_proxy_neither_sets_rows_aside_nor_stops_the_sender(settings, store, comet, path, status):
    prediction = a_prediction(picture_kept=True)
    store.add(prediction, JPEG)
    comet.fault(path, times=3, status=status, **PAGE)
    sender = Sender(settings, store, FAST)
    with running(lambda stop: sender.run(), sender.stop):
        wait_for(lambda: comet.points("confidence") == [prediction.confidence])
        assert comet_state(store).waiting.set_aside == {}
        assert comet.names() == [prediction.picture_name]


def test_proxy_error_message_names_what_to_check(settings, comet):
    comet.fault("account-details", status=407, **PAGE)
    with pytest.raises(
        CometUnavailable, match=r"Something other than Comet answered \(status 407\): check the proxy"
    ):
        Comet.open(settings)


@pytest.mark.parametrize("path", ["account-details", "logger/add/run"])
def test_slow_trickling_response_is_cut_off_by_the_timeout(settings, store, comet, monkeypatch, path):
    for name in ("COMET_TIMEOUT_API", "COMET_TIMEOUT_HTTP"):
        monkeypatch.setitem(SDK, name, "1")
        monkeypatch.setenv(name, "1")
    comet.fault(path, times=2, status=200, body={"userName": "x" * 1000}, trickle=0.2)
    start = time.monotonic()
    with pytest.raises(CometUnavailable):
        Comet.open(settings).experiment(NOON.date())
    assert time.monotonic() - start < 60, "at 0.2 s a byte it would take 200 s"
