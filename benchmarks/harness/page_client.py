"""A visitor without a browser, which sends the running app the messages that a page in a browser sends.

Streamlit's page and server exchange protocol buffers over a WebSocket. A visitor of this kind costs a
hundredth of a Chromium, so that hundreds can come, and it can send what no page would send.
"""

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests
from google.protobuf.message import Message
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Common_pb2 import UploadedFileInfo
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

PATIENCE = 60.0  # s; for one run of a page
WORDS = ("label", "body", "src", "url", "message")
TRIGGERS = ("trigger_value", "string_trigger_value", "json_trigger_value")


class NotThere(LookupError):
    """The page has no such widget."""


class Visitor:
    """One tab: the elements of its page, and the widgets that were used on it.

    `elements` are what the page shows, in its order; `runs` counts how often it has begun to be drawn.
    Every method raises OSError or EOFError when the app goes away, TimeoutError when it takes longer than
    `patience` seconds.
    """

    def __init__(
        self,
        url: str,
        page: str = "",
        query: str = "",
        cookies: Mapping[str, str] | None = None,
        patience: float = PATIENCE,
        session: str = "",
    ) -> None:
        """Opens `page` (its name in the address; Home is empty) of the app at `url`.

        `cookies` are what this browser has from earlier, `session` is the id of a session to take up.
        """
        self.url, self.page, self.patience = url.rstrip("/"), page, patience
        parts = urlsplit(self.url)
        self.http = requests.Session()
        for name, value in (cookies or {}).items():
            self.http.cookies.set(name, value, domain=parts.hostname)
        # As a browser does: the page, which sets cookies and may lead elsewhere, then the connection.
        loaded = self.http.get(f"{self.url}/{page}", params=query, timeout=patience)
        self.status, self.query = loaded.status_code, urlsplit(loaded.url).query
        self.http.get(f"{self.url}/_stcore/health", timeout=patience)  # sets Streamlit's cookie
        self._placed: dict[tuple[int, ...], tuple[Element, str]] = {}
        self._widgets: dict[str, WidgetState] = {}
        self.session, self.runs = "", 0
        token = self.http.cookies.get("_streamlit_xsrf", "")
        jar = self.http.cookies.get_dict()
        self._open = ExitStack()
        self._open.enter_context(self.http)
        self._socket = self._open.enter_context(
            connect(
                f"ws://{parts.netloc}/_stcore/stream",
                origin=Origin(f"{parts.scheme}://{parts.netloc}"),
                subprotocols=[Subprotocol(each) for each in ("streamlit", token or "-", session) if each],
                additional_headers={"Cookie": "; ".join(f"{name}={value}" for name, value in jar.items())},
                max_size=None,
                open_timeout=patience,
                close_timeout=1,
                compression=None,
            )
        )
        try:
            self.rerun()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the tab."""
        self._open.close()

    def __enter__(self) -> "Visitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def elements(self) -> list[Element]:
        """What the page shows now."""
        return [element for _, (element, _) in sorted(self._placed.items())]

    def text(self) -> str:
        """All words of the page, as one piece."""
        words = []
        for element in self.elements:
            kind = element.WhichOneof("type") or "empty"
            if kind != "html":  # style sheets and scripts
                words += [str(getattr(getattr(element, kind), name, "")) for name in WORDS]
        return "\n".join(filter(None, words))

    @staticmethod
    def id_of(element: Element) -> str:
        """The id of an element that is a widget; else nothing."""
        return getattr(getattr(element, element.WhichOneof("type") or "empty"), "id", "")

    def errors(self) -> list[str]:
        """Exceptions that the page shows instead of what should be there."""
        shown = [element for element in self.elements if element.WhichOneof("type") == "exception"]
        return [f"{each.exception.type}: {each.exception.message}" for each in shown]

    def find(self, key: str) -> Message:
        """The widget of this key, or of one that begins so. Raises NotThere."""
        return self._found(key)[0]

    def has(self, key: str) -> bool:
        """Whether the page has a widget of this key, or of one that begins so."""
        try:
            return self.find(key) is not None
        except NotThere:
            return False

    def press(self, key: str) -> None:
        """Press a button."""
        self.use(key, trigger_value=True)

    def pick(self, key: str, number: int) -> str:
        """Choose one of several, by its place; returns what it says."""
        widget = self.find(key)
        if hasattr(widget.options[0], "content"):
            option = widget.options[number]
            choice = " ".join(filter(None, (option.content_icon, option.content)))
            self.use(key, string_array_value={"data": [choice]})
        else:
            choice = widget.options[number]
            self.use(key, string_value=choice)
        return choice

    def use(self, key: str, **value: Any) -> None:
        """Give a widget any value, as a field of WidgetState, and let the page run."""
        widget, fragment = self._found(key)
        self._widgets[widget.id] = WidgetState(id=widget.id, **value)
        self.rerun(fragment)

    def upload(self, key: str, name: str, content: bytes) -> None:
        """Choose a file in an uploader."""
        widget, fragment = self._found(key)
        asked = secrets.token_hex(8)
        request = BackMsg()
        request.file_urls_request.request_id = asked
        request.file_urls_request.session_id = self.session
        request.file_urls_request.file_names.append(name)
        with _plain_errors():
            self._socket.send(request.SerializeToString())
        for message in self._messages():
            if message.WhichOneof("type") == "file_urls_response":
                urls = message.file_urls_response.file_urls[0]
                break
        answer = self.http.put(
            self.url + urls.upload_url,
            files={"file": (name, content)},
            headers={"X-Xsrftoken": self.http.cookies.get("_streamlit_xsrf", "")},
            timeout=self.patience,
        )
        answer.raise_for_status()
        info = UploadedFileInfo(name=name, size=len(content), file_id=urls.file_id, file_urls=urls)
        state = WidgetState(id=widget.id)
        state.file_uploader_state_value.uploaded_file_info.append(info)
        self._widgets[widget.id] = state
        self.rerun(fragment)

    def rerun(self, fragment: str = "", also: Sequence[WidgetState] = ()) -> None:
        """Let the page run, or only a fragment of it, and wait for its end.

        `also` are states of widgets that the page does not have, as a slow browser may send them.
        """
        request = BackMsg()
        state = request.rerun_script
        state.query_string, state.page_name, state.fragment_id = self.query, self.page, fragment
        state.context_info.timezone = "UTC"
        state.context_info.url = f"{self.url}/{self.page}"
        state.widget_states.widgets.extend([*self._widgets.values(), *also])
        self.send(request.SerializeToString())
        for name, used in list(self._widgets.items()):
            if used.WhichOneof("value") in TRIGGERS:
                del self._widgets[name]

    def send(self, message: bytes) -> None:
        """Send any bytes as if they were a message, and wait until a run of the page is over."""
        with _plain_errors():
            self._socket.send(message)
        self.wait_for_run()

    def wait_for_run(self) -> None:
        """Wait until a run of the page is over, also one that the server began."""
        for answer in self._messages():
            match answer.WhichOneof("type"):
                case "new_session":
                    self.session = self.session or answer.new_session.initialize.session_id
                    self.runs += 1
                    self._forget(list(answer.metadata.run.fragment_ids))
                case "delta":
                    self._place(answer)
                case "script_finished" if answer.script_finished != ForwardMsg.FINISHED_EARLY_FOR_RERUN:
                    self._drop_unused()
                    return

    def _messages(self) -> Iterator[ForwardMsg]:
        with _plain_errors():
            while True:
                message = ForwardMsg()
                message.ParseFromString(self._socket.recv(timeout=self.patience))
                yield message

    def _forget(self, fragments: list[str]) -> None:
        for path, (_, fragment) in list(self._placed.items()):
            if not fragments or fragment in fragments:
                del self._placed[path]

    def _drop_unused(self) -> None:
        """Forget the state of widgets that are no longer on the page, as a browser does."""
        shown = {self.id_of(each) for each in self.elements}
        self._widgets = {name: state for name, state in self._widgets.items() if name in shown}

    def _place(self, message: ForwardMsg) -> None:
        path = tuple(message.metadata.delta_path)
        if message.delta.WhichOneof("type") == "new_element":
            self._placed[path] = (message.delta.new_element, message.delta.fragment_id)
        else:
            self._placed.pop(path, None)

    def _found(self, key: str) -> tuple[Message, str]:
        found = []
        for element, fragment in self._placed.values():
            kind = element.WhichOneof("type")
            widget = getattr(element, kind) if kind else None
            own = getattr(widget, "id", "").split("-", 2)
            if len(own) == 3 and own[2].startswith(key):
                found.append((own[2] != key, widget, fragment))
        if not found:
            raise NotThere(f"There is no {key} on the page, but: {json.dumps(self.text())}")
        _, widget, fragment = min(found, key=lambda each: each[0])
        return widget, fragment


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Raises EOFError where the connection ends."""
    from websockets.exceptions import ConnectionClosed

    try:
        yield
    except ConnectionClosed as error:
        raise EOFError("the app closed the connection") from error
