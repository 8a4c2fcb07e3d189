"""A session of a Streamlit page without a browser, over the page's WebSocket.

It sends what the frontend sends and keeps what the page shows, so that many visitors cost this machine
little and the app all that they would.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

WEBRTC = "webrtc_streamer"


class Session:
    """One open page. What it shows is kept by kind: the arguments of components, and texts."""

    def __init__(self, socket: ClientConnection, url: str) -> None:
        self._socket = socket
        self._url = url
        self._states: dict[str, WidgetState] = {}
        self._repeats: dict[str, asyncio.Task] = {}
        self._webrtc = self._page = ""
        self._drawn = False  # streamlit-webrtc's component, in this run of the page
        self._news = asyncio.Event()
        self.arguments: dict[str, Any] = {}  # of streamlit-webrtc's component
        self.data: dict[str, Any] = {}  # of our own components, by name
        self.texts: dict[tuple[int, ...], str] = {}  # by place
        self.ended = False
        self.runs = 0  # of the whole page, that ended
        self.wrong: list[str] = []  # what the page called an exception

    async def listen(self) -> None:
        """Receive what the app sends, until the session ends."""
        try:
            async for data in self._socket:
                self._take(ForwardMsg.FromString(data))
                self._news.set()
        finally:
            self.ended = True
            self._news.set()

    async def until(self, condition: Callable[[], object], seconds: float = 60.0) -> None:
        """Wait until what is shown fulfils a condition.

        Raises TimeoutError, or RuntimeError when the session has ended or the page shows an exception.
        """
        async with asyncio.timeout(seconds):
            while not condition():
                if self.ended or self.wrong:
                    raise RuntimeError(f"The app did not answer: {self.wrong or 'it closed the session'}")
                self._news.clear()
                await self._news.wait()

    async def run(self, fragment: str = "") -> None:
        """Ask for a run of the page, or of one fragment because it is due."""
        message = BackMsg()
        message.rerun_script.page_script_hash = self._page
        message.rerun_script.fragment_id = fragment
        message.rerun_script.is_auto_rerun = bool(fragment)
        message.rerun_script.context_info.url = self._url
        message.rerun_script.widget_states.widgets.extend(self._states.values())
        await self._socket.send(message.SerializeToString())

    async def stop(self) -> None:
        """Ask for the end of the run in progress, as Streamlit itself does when the connection is lost."""
        await self._socket.send(BackMsg(stop_script=True).SerializeToString())

    async def say(self, value: dict) -> None:
        """Set the value of streamlit-webrtc's component, which runs the page."""
        self._states[self._webrtc] = WidgetState(id=self._webrtc, json_value=json.dumps(value))
        await self.run()

    def close(self) -> None:
        """End the repeated runs of fragments."""
        for task in self._repeats.values():
            task.cancel()

    def _take(self, message: ForwardMsg) -> None:
        kind = message.WhichOneof("type")
        if kind == "delta" and message.delta.WhichOneof("type") == "new_element":
            self._show(tuple(message.metadata.delta_path), message.delta.new_element)
        elif kind == "navigation":
            self._page = message.navigation.page_script_hash
        elif kind == "new_session" and not message.metadata.run.fragment_ids:
            self._drawn = False
        elif kind == "auto_rerun":
            self._repeat(message.auto_rerun.fragment_id, message.auto_rerun.interval)
        elif kind == "stop_auto_rerun":
            if task := self._repeats.pop(message.stop_auto_rerun.fragment_id, None):
                task.cancel()
        elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
            self.runs += 1
            if not self._drawn:
                self._states.clear()

    def _show(self, place: tuple[int, ...], element) -> None:
        kind = element.WhichOneof("type")
        if kind == "component_instance" and WEBRTC in element.component_instance.component_name:
            self._webrtc = element.component_instance.id
            self._drawn = True
            self.arguments = json.loads(element.component_instance.json_args)
        elif kind == "bidi_component":
            self.data[element.bidi_component.component_name] = json.loads(element.bidi_component.json or "{}")
        elif kind == "markdown":
            self.texts[place] = element.markdown.body
        elif kind == "exception":
            self.wrong.append(f"{element.exception.type}: {element.exception.message}")

    def _repeat(self, fragment: str, interval: float) -> None:
        async def again() -> None:
            while True:
                await asyncio.sleep(interval)
                await self.run(fragment)

        if old := self._repeats.pop(fragment, None):
            old.cancel()
        self._repeats[fragment] = asyncio.create_task(again())


@asynccontextmanager
async def open_session(url: str, cookie: str = "") -> AsyncIterator[Session]:
    """Open a page of a running app, run for the first time; `cookie` is what the browser would send."""
    address = url.replace("http://", "ws://") + "/_stcore/stream"
    headers = {"Cookie": cookie} if cookie else {}
    protocols = [Subprotocol("streamlit")]
    async with connect(address, subprotocols=protocols, additional_headers=headers, max_size=None) as socket:
        session = Session(socket, url)
        listening = asyncio.create_task(session.listen())
        try:
            await session.run()
            await session.until(lambda: session.runs > 0)
            yield session
        finally:
            session.close()
            listening.cancel()
