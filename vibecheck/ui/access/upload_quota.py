"""How much uploads may hold in memory: per visitor, and for all of them together."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from streamlit.runtime import Runtime
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager

from vibecheck.access.browsers import Browser
from vibecheck.ui.access.access_link import session_owners

MB = 1_000_000
# Two files of the largest size: one that is shown, and one that replaces it.
PER_VISITOR = 64 * MB
FOR_ALL = 256 * MB


class UploadQuota:
    """Counts what is arriving and what Streamlit holds. For the server's event loop alone."""

    def __init__(self, per_visitor: int = PER_VISITOR, for_all: int = FOR_ALL) -> None:
        self._per_visitor, self._for_all = per_visitor, for_all
        self._arriving: Counter[str] = Counter()  # bytes, by visitor

    def fits(self, browser: Browser, size: int) -> bool:
        """Whether an upload of `size` bytes may begin."""
        held = self._held()
        for visitor, arriving in self._arriving.items():
            held[visitor] += arriving
        return held[browser.visitor] + size <= self._per_visitor and held.total() + size <= self._for_all

    @contextmanager
    def arriving(self, browser: Browser, size: int) -> Iterator[None]:
        """Counts an upload while it arrives."""
        self._arriving[browser.visitor] += size
        try:
            yield
        finally:
            self._arriving[browser.visitor] -= size
            self._arriving += Counter()  # drops those at zero

    def _held(self) -> Counter[str]:
        """Bytes that Streamlit holds, by visitor."""
        held: Counter[str] = Counter()
        manager = Runtime.instance().uploaded_file_mgr
        if isinstance(manager, MemoryUploadedFileManager):
            for session, files in list(manager.file_storage.items()):
                size = sum(len(file.data) for file in list(files.values()))
                held[session_owners().visitor_of(session)] += size
        return held
