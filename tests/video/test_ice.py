import base64
import json

import pytest
from pydantic import SecretStr

from tests.standins.http import serving
from vibecheck.settings import Settings
from vibecheck.video.ice import PUBLIC_STUN, find_relay

SERVER = {"urls": ["turn:relay.example:3478"], "username": "u", "credential": "c"}
CLOUDFLARE = {"cloudflare_turn_key_id": "key/1", "cloudflare_turn_key_api_token": SecretStr("token-1")}
TWILIO = {"twilio_account_sid": "AC1", "twilio_auth_token": SecretStr("token-2")}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch, tmp_path):
    """Neither the environment nor a file of the machine has a say."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "CLOUDFLARE_TURN_KEY_ID",
        "CLOUDFLARE_TURN_KEY_API_TOKEN",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
    ):
        monkeypatch.delenv(name, raising=False)


def ask(standin, **settings):
    return find_relay(Settings(**settings), f"{standin.url}/cf/{{key}}", f"{standin.url}/tw/{{sid}}")


def test_without_turn_settings_public_stun_is_used_and_the_settings_are_named():
    with serving(lambda asked: (500, {})) as standin:
        relay = ask(standin)
        assert standin.asked == []
    assert relay.servers == PUBLIC_STUN
    assert relay.works
    assert "CLOUDFLARE_TURN_KEY_ID" in relay.state and "TWILIO_AUTH_TOKEN" in relay.state


def test_hugging_face_token_is_not_used_for_a_relay(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    with serving(lambda asked: (500, {})) as standin:
        assert ask(standin).servers == PUBLIC_STUN
        assert standin.asked == []


def test_cloudflare_is_asked_with_its_token():
    with serving(lambda asked: (201, {"iceServers": [SERVER | {"junk": 1}]})) as standin:
        relay = ask(standin, **CLOUDFLARE, **TWILIO)
        (asked,) = standin.asked
    assert relay.servers == (SERVER,)
    assert (asked.method, asked.path) == ("POST", "/cf/key%2F1")
    assert asked.headers["Authorization"] == "Bearer token-1"
    assert json.loads(asked.body)["ttl"] == 24 * 3600, "for a page that stays open all day"


def test_twilio_is_asked_with_its_token():
    with serving(lambda asked: (201, {"ice_servers": [SERVER]})) as standin:
        relay = ask(standin, **TWILIO)
        (asked,) = standin.asked
    assert relay.servers == (SERVER,)
    assert asked.path == "/tw/AC1"
    assert base64.b64decode(asked.headers["Authorization"].split()[1]) == b"AC1:token-2"


def test_twilio_stands_in_for_a_cloudflare_that_refuses():
    def answer(asked):
        return (403, {}) if asked.path.startswith("/cf") else (201, {"ice_servers": [SERVER]})

    with serving(answer) as standin:
        assert ask(standin, **CLOUDFLARE, **TWILIO).servers == (SERVER,)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {}),
        (500, b""),
        (200, b"not json"),
        (200, []),
        (200, {"iceServers": None}),
        (200, {"iceServers": []}),
        (200, {"iceServers": [1]}),
        (200, {"iceServers": [{"username": "u"}]}),
    ],
)
def test_failed_relay_request_falls_back_to_public_stun_and_is_reported(status, body):
    with serving(lambda asked: (status, body)) as standin:
        relay = ask(standin, **CLOUDFLARE)
    assert relay.servers == PUBLIC_STUN
    assert not relay.works
    assert "Cloudflare gave no credentials" in relay.state
    assert "token-1" not in relay.state and "key" not in relay.state.lower().replace("key_", "")


def test_unreachable_relay_service_is_reported():
    relay = find_relay(Settings(**CLOUDFLARE), "http://127.0.0.1:9/{key}")
    assert "ConnectionError" in relay.state and not relay.works


def test_incomplete_twilio_settings_are_reported():
    relay = find_relay(Settings(twilio_account_sid="AC1"))
    assert "Twilio has only one of its two settings" in relay.state
