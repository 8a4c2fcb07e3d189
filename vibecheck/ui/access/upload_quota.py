"""How much uploads may hold in memory: per visitor, per network address, and for all of them together."""

from collections import Counter, OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import streamlit as st
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vibecheck.access.browsers import Browser
from vibecheck.ui.access.access_link import session_owners
from vibecheck.ui.shared.process_state import ProcessValue

MB = 1_000_000
# Two files of the largest size: the one that is shown, and its replacement.
PER_VISITOR = 64 * MB
# A browser without cookies is a new visitor each time, so one address leaves half of FOR_ALL to others. It is
# enough for one visitor at their limit, and some photos of neighbours.
PER_ADDRESS = 80 * MB
FOR_ALL = 160 * MB
MOST_REFUSALS = 1000

YOURS = (
    "Your files take {held} MB of the app's memory, and this one would be too much. Remove a file, or close "
    "another tab of this page, and upload it again. A page that was closed or reloaded counts for two "
    "minutes more."
)
NEARBY = (
    "Files from your network take {held} MB of the app's memory, of {most} MB at most. Wait a few minutes, "
    "and upload yours again."
)
OTHERS = (
    "Other people's files take all the memory that the app has for uploads. Wait a few minutes, and upload "
    "yours again."
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A file that a browser wants to put into a session. `size` is in bytes."""

    session: str
    browser: Browser
    address: str
    size: int


class UploadQuota:
    """Counts uploads that are arriving and those that Streamlit holds.

    Only `refusal` may be called outside of the server's event loop.
    """

    def __init__(self) -> None:
        self._arriving: Counter[tuple[str, str]] = Counter()  # bytes, by visitor and address
        self._addresses: dict[str, str] = {}  # by session
        self._refusals: OrderedDict[str, str] = OrderedDict()  # by session

    def refuse(self, upload: Upload) -> str:
        """Why an upload may not begin, or "". The page of its session reruns and shows the reason."""
        held = self._held()
        held.update(self._arriving)
        mine = sum(size for (visitor, _), size in held.items() if visitor == upload.browser.visitor)
        nearby = sum(size for (_, address), size in held.items() if address == upload.address)
        if mine + upload.size > PER_VISITOR:
            sentence = YOURS.format(held=round(mine / MB))
        elif nearby + upload.size > PER_ADDRESS:
            sentence = NEARBY.format(held=round(nearby / MB), most=round(PER_ADDRESS / MB))
        elif held.total() + upload.size > FOR_ALL:
            sentence = OTHERS
        else:
            return ""
        self._refusals[upload.session] = sentence
        while len(self._refusals) > MOST_REFUSALS:
            self._refusals.popitem(last=False)
        _rerun(upload.session)
        return sentence

    @contextmanager
    def arriving(self, upload: Upload) -> Iterator[None]:
        """Counts an upload while it arrives."""
        key = upload.browser.visitor, upload.address
        self._arriving[key] += upload.size
        try:
            yield
        finally:
            self._addresses[upload.session] = upload.address  # from now on, Streamlit holds it
            self._arriving[key] -= upload.size
            self._arriving += Counter()  # drops those at zero

    def refusal(self, session: str) -> str:
        """Why this session's last upload was refused; returned once."""
        return self._refusals.pop(session, "")

    def _held(self) -> Counter[tuple[str, str]]:
        """Bytes that Streamlit holds, by visitor and address."""
        held: Counter[tuple[str, str]] = Counter()
        manager = Runtime.instance().uploaded_file_mgr
        if isinstance(manager, MemoryUploadedFileManager):
            kept = {session: list(files.values()) for session, files in list(manager.file_storage.items())}
            self._addresses = {session: self._addresses.get(session, "") for session in kept}
            for session, files in kept.items():
                size = sum(len(file.data) for file in files)
                held[session_owners().visitor_of(session), self._addresses[session]] += size
        return held


quota = ProcessValue(UploadQuota)


def refusal() -> str:
    """Why the last upload of the current session was refused, returned once; else ""."""
    context = get_script_run_ctx()
    return quota().refusal(context.session_id) if context else ""


def keep_only(file: str) -> None:
    """Free the file that this page showed before, if it now shows another one, by its id, or none ("").

    The browser does so only if the visitor removes the file, not if the uploader disappears with it.
    """
    before = st.session_state.get("shown_file", "")
    context = get_script_run_ctx()
    if context and before not in ("", file):
        manager = context.uploaded_file_mgr
        assert isinstance(manager, MemoryUploadedFileManager)
        manager.remove_file(context.session_id, before)
    st.session_state.shown_file = file


def _rerun(session: str) -> None:
    """Reruns the page of a session, since a failed upload does not."""
    info = Runtime.instance()._session_mgr.get_active_session_info(session)
    if info is not None:
        state = ClientState()
        state.CopyFrom(info.session._client_state)  # without it, the page's widgets would be reset
        state.fragment_id = ""
        info.session.request_rerun(state)
