"""What a browser may send over its WebSocket. Streamlit itself trusts every message of every session."""

import json
from typing import Any

from google.protobuf.message import DecodeError
from streamlit.proto.BackMsg_pb2 import BackMsg

# These affect only the sender's session. The others are for developers, and affect the process: they empty
# all caches, stop the server, read the git repository, or write files.
ALLOWED = {"rerun_script", "stop_script", "file_urls_request", "app_heartbeat", "backend_operation_request"}
ALLOWED_OPERATIONS = {"deferred_file", "dataframe_chunk"}
MOST_FILES = 20  # addresses asked for at once
# Limits of one message. Pages send a few kB, with a few dozen widgets. A message of 2 MB can hold a million
# empty widgets, and parsing them would block all visitors for seconds.
MOST_BYTES = 200_000
MOST_WIDGETS = 1000
# A component's value. WebRTC's offer is the largest: about 8 kB with a dozen candidates. aiortc's time to
# take in candidates grows with their square, on the event loop of all visitors.
MOST_JSON = 100_000  # characters
MOST_CANDIDATES = 100
# Messages of one connection: at once, and then each second. Pages send a few a second, and dozens at once
# while a person is quick. Streamlit handles each on the event loop of all visitors.
AT_ONCE = 200
PER_SECOND = 50


class TooMuch(ValueError):
    """None of our pages sends this: the connection is closed."""


class Allowance:
    """How many messages a connection may send at this moment (a token bucket)."""

    def __init__(self, now: float) -> None:
        self._left, self._at = float(AT_ONCE), now  # `_at` in s, as `now`

    def take(self, now: float) -> None:
        """Count a message. Raises TooMuch."""
        self._left = min(AT_ONCE, self._left + (now - self._at) * PER_SECOND) - 1
        self._at = now
        if self._left < 0:
            raise TooMuch(f"more than {PER_SECOND} messages a second")


def is_allowed(data: bytes) -> bool:
    """Whether to hand a message to Streamlit; False to drop it. Raises TooMuch."""
    if len(data) > MOST_BYTES:
        raise TooMuch("a message is too long")
    message = BackMsg()
    try:
        message.ParseFromString(data)
    except DecodeError as error:
        raise TooMuch("not a message") from error
    kind = message.WhichOneof("type")
    if kind == "backend_operation_request":
        return message.backend_operation_request.WhichOneof("payload") in ALLOWED_OPERATIONS
    if kind == "file_urls_request" and len(message.file_urls_request.file_names) > MOST_FILES:
        raise TooMuch("too many files")
    if kind == "rerun_script":
        if len(message.rerun_script.widget_states.widgets) > MOST_WIDGETS:
            raise TooMuch("too many widgets")
        for state in message.rerun_script.widget_states.widgets:
            which = state.WhichOneof("value")
            if which in ("json_value", "json_trigger_value"):
                _check_json(getattr(state, which))
    return kind in ALLOWED


def _check_json(text: str) -> None:
    """Raises TooMuch for a component's value that is too long, or a WebRTC offer with too many candidates."""
    if len(text) > MOST_JSON:
        raise TooMuch("a component's value is too long")
    try:
        value = json.loads(text)
    except ValueError:  # not JSON: Streamlit tells the sender
        return
    except RecursionError as error:
        raise TooMuch("a component's value is nested too deeply") from error
    if isinstance(value, dict) and _candidates(value) > MOST_CANDIDATES:
        raise TooMuch("a WebRTC offer has too many candidates")


def _candidates(value: dict[str, Any]) -> int:
    """The ICE candidates of streamlit-webrtc's value, in the offer and beside it."""
    offer, beside = value.get("sdpOffer"), value.get("iceCandidates")
    sdp = offer.get("sdp") if isinstance(offer, dict) else None
    inside = sdp.count("candidate:") if isinstance(sdp, str) else 0
    return max(inside, len(beside) if isinstance(beside, dict | list) else 0)
