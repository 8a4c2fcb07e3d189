"""Live video on the page: this visitor's stream, and the connection that feeds it."""

from functools import partial
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit_webrtc import VideoSinkTrack, WebRtcMode, WebRtcStreamerContext, webrtc_streamer
from streamlit_webrtc.component import generate_frontend_component_key
from streamlit_webrtc.eventloop import get_global_event_loop
from streamlit_webrtc.webrtc import SignallingTimeoutError

from vibecheck.access import roles
from vibecheck.errors import PictureError
from vibecheck.ui.access.browser_guard import NO_COOKIE, VIDEO
from vibecheck.ui.home import stage
from vibecheck.ui.home.video_route import tickets
from vibecheck.ui.shared import app
from vibecheck.ui.shared.configuration import base_path
from vibecheck.ui.shared.presses import remember
from vibecheck.ui.shared.process_state import ProcessValue
from vibecheck.ui.shared.visitor import visitor
from vibecheck.video.analyser import Analyser
from vibecheck.video.ice import Relay, find_relay
from vibecheck.video.stream import Stream
from vibecheck.video.webrtc import DataChannel, receiver, refuse_large_frames, relay_newest_only
from vibecheck.vision.reader import Moment

# Enough for a mood: half the frames cost half as much, and 640 px show a face at two metres.
CONSTRAINTS = {
    "video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 15, "max": 30}},
    "audio": False,
}
KEY = "live"
NEVER = -2  # no component was last drawn in this run

# While the video plays: on a poor network, or with a camera that delivers nothing.
NOTHING_COMES = "No pictures arrive at the moment. Live video continues automatically as soon as they do."


@ProcessValue
def analyser() -> Analyser:
    """The one analyser of this process."""
    return Analyser(app.live_model().reader)


@ProcessValue
def _prepare() -> None:
    """Once per process, before the first connection."""
    relay_newest_only()
    refuse_large_frames()


def _leave(stream: Stream) -> None:
    tickets().withdraw(stream)
    stream.close()


@st.cache_resource(show_spinner=False, scope="session", on_release=_leave)
def _stream() -> Stream:
    mine: Stream | None = st.session_state.get("stream")
    if mine is None:
        mine = Stream(analyser())
        remember(stream=mine)  # or the analyser would keep one that nobody closes
    return mine


def stream() -> Stream:
    """This visitor's stream.

    It is closed when the page's connection ends, and opened again if the page connects again: video over
    WebRTC has gone on meanwhile.
    """
    channel = st.session_state.get("channel")  # before `open`, as the run may end here
    mine = _stream()
    if mine.open() and channel:
        mine.subscribe(channel.send)
    return mine


@partial(ProcessValue, max_age=600.0)
def relay() -> Relay:
    """The ICE servers; their credentials are valid for longer than they are cached."""
    return find_relay(app.settings())


def video() -> bool:
    """Draw the stage with the visitor's video; returns whether it is playing."""
    playing = _webrtc().state.playing or stage.uses_socket()
    if not playing:
        stream().forget()
    stage.stage(_route())
    return playing


def _route() -> dict[str, Any]:
    """How the page may send its video: the setting, and a ticket that has not been used; and for whom."""
    if "ticket" not in st.session_state or tickets().is_used(st.session_state.ticket):
        # For this browser alone, unless the host drops cookies.
        browser = "" if NO_COOKIE in st.context.headers else visitor()
        st.session_state.ticket = tickets().issue(stream(), browser)
    context = get_script_run_ctx()
    return {
        "session": context.session_id if context else "",
        "mode": app.settings().video,
        "path": base_path() + VIDEO,
        "ticket": st.session_state.ticket,
        "constraints": CONSTRAINTS,
    }


def _webrtc() -> WebRtcStreamerContext:
    """WebRTC in one direction: the browser sends its camera; marks go back over a data channel."""
    try:
        context = _streamer()
    except SignallingTimeoutError:  # a machine that is too busy; the stage sees that nothing connects
        context = st.session_state[KEY]
    worker = context._get_worker()  # there is no public access to the connection
    channel = st.session_state.get("channel")
    if worker is None and channel is not None:
        stream().unsubscribe(channel.send)
        del st.session_state.channel
    elif worker is not None and (channel is None or channel.connection is not worker.pc):
        mine, channel = stream(), DataChannel(worker.pc, get_global_event_loop())
        mine.subscribe(channel.send)
        remember(channel=channel)  # if this run ended here, the next one would open a second channel
    return context


def _tell_whether_drawn() -> None:
    """Tell streamlit-webrtc whether its component was drawn in the last run.

    If it was not, its connection is stale and has to be closed. streamlit-webrtc (0.79) decides that by the
    number of runs that have ended since. But Streamlit counts a run as ended only when it sends that: of two
    runs in quick succession the second still sees the old count, and the run after that stopped a playing
    video. What is reliable: Streamlit keeps a component's value exactly as long as every run draws it.
    """
    context = st.session_state.get(KEY)
    if context is not None:
        drawn = generate_frontend_component_key(KEY) in st.session_state
        context._last_rendered_run_count = None if drawn else NEVER


def _streamer() -> WebRtcStreamerContext:
    _tell_whether_drawn()
    _prepare()
    return webrtc_streamer(
        key=KEY,
        mode=WebRtcMode.SENDONLY,
        # Made in each run; used in the run that opens the connection.
        sink_video_track=VideoSinkTrack(receiver(stream())),
        # Always given: without it, streamlit-webrtc would send a token for models to a relay service.
        rtc_configuration={"iceServers": [] if _on_this_machine() else list(relay().servers)},
        media_stream_constraints=CONSTRAINTS,
        media_toggle_controls=False,
    )


def moment(number: int | None = None) -> Moment | None:
    """The input of a vibe check (see `Stream.moment`). Raises PictureError while no pictures arrive."""
    moment = stream().moment(number)
    if moment is None and stream().newest() is None:
        raise PictureError(NOTHING_COMES)
    return moment


def _on_this_machine() -> bool:
    """Whether browser and app are on one machine, where no ICE server is needed."""
    try:
        host = urlsplit(st.context.url or "").hostname or ""
    except ValueError:  # the browser may send anything
        return False
    return roles.is_loopback(host) or host.endswith(".localhost")
