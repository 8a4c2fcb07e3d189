"""What a browser may send over its WebSocket."""

import json

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg

from vibecheck.ui.access.websocket_messages import (
    AT_ONCE,
    MOST_BYTES,
    MOST_CANDIDATES,
    MOST_FILES,
    MOST_JSON,
    MOST_WIDGETS,
    PER_SECOND,
    Allowance,
    TooMuch,
    is_allowed,
)


def with_value(text: str, field: str = "json_value") -> bytes:
    message = BackMsg()
    setattr(message.rerun_script.widget_states.widgets.add(id="x"), field, text)
    return message.SerializeToString()


def offer(candidates: int, beside: int = 0) -> str:
    line = "a=candidate:1 1 udp 2122260223 192.168.0.9 50000 typ host generation 0\r\n"
    return json.dumps(
        {
            "playing": False,
            "sdpOffer": {"type": "offer", "sdp": "v=0\r\n" + line * candidates},
            "iceCandidates": {str(n): {"candidate": line, "sdpMid": "0"} for n in range(beside)},
        }
    )


@pytest.mark.parametrize("field", ["json_value", "json_trigger_value"])
@pytest.mark.parametrize(
    "text",
    [
        offer(12, 12),
        offer(MOST_CANDIDATES, MOST_CANDIDATES),
        json.dumps("x" * (MOST_JSON - 2)),
        "",
        "{",
        "null",
        '{"sdpOffer": 7, "iceCandidates": "yes"}',
        '{"sdpOffer": {"sdp": ["candidate:"]}}',
    ],
)
def test_websocket_messages_within_the_limits_are_accepted(text, field):
    assert is_allowed(with_value(text, field))


@pytest.mark.parametrize("field", ["json_value", "json_trigger_value"])
@pytest.mark.parametrize(
    "text",
    [
        offer(MOST_CANDIDATES + 1),
        offer(0, MOST_CANDIDATES + 1),
        offer(MOST_CANDIDATES + 1).replace("candidate", "c\\u0061ndidate"),
        offer(MOST_CANDIDATES + 1).replace("sdpOffer", "sdp\\u004fffer"),
        json.dumps("x" * MOST_JSON),
        "[" * MOST_JSON,
    ],
)
def test_websocket_messages_over_the_limits_close_the_connection(text, field):
    with pytest.raises(TooMuch):
        is_allowed(with_value(text, field))


def test_size_of_a_message_and_number_of_its_widgets_are_limited():
    message = BackMsg()
    for _ in range(MOST_WIDGETS):
        message.rerun_script.widget_states.widgets.add()
    assert is_allowed(message.SerializeToString())
    message.rerun_script.widget_states.widgets.add()
    with pytest.raises(TooMuch):
        is_allowed(message.SerializeToString())
    with pytest.raises(TooMuch):
        is_allowed(with_value("x" * MOST_BYTES, "string_value"))


def test_number_of_file_urls_in_a_message_is_limited():
    message = BackMsg()
    message.file_urls_request.file_names.extend(["a.jpg"] * MOST_FILES)
    assert is_allowed(message.SerializeToString())
    message.file_urls_request.file_names.append("a.jpg")
    with pytest.raises(TooMuch):
        is_allowed(message.SerializeToString())


def test_malformed_message_closes_the_connection_and_an_empty_one_is_dropped():
    assert not is_allowed(b"")
    with pytest.raises(TooMuch):
        is_allowed(b"\xff\xff\xff")


def test_messages_may_come_in_a_burst_and_then_at_a_rate():
    allowance, now = Allowance(0.0), 0.0
    for _ in range(AT_ONCE):
        allowance.take(now)
    with pytest.raises(TooMuch):
        allowance.take(now)
    allowance, now = Allowance(0.0), 0.0
    for _ in range(10 * AT_ONCE):
        now += 1 / PER_SECOND
        allowance.take(now)
