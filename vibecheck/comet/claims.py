"""Handles the rows of one kind in the outbox, beside the sender, which handles all others."""

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator

from vibecheck.errors import RecordsError
from vibecheck.records.outbox.queue import Claimed, Outbox

log = logging.getLogger(__name__)

CHECK_EVERY = 2.0  # s
RENEW_EVERY = 20.0  # s


def handle_all(
    outbox: Outbox, kind: str, handle: Callable[[Claimed], object], stop: threading.Event, doing: str
) -> None:
    """Claims rows of a kind and handles them one by one, until `stop` is set; `doing` is for the log."""
    while not stop.wait(CHECK_EVERY):
        try:
            for claimed in outbox.claim(1, kinds=(kind,)):
                handle(claimed)
        except RecordsError as error:
            log.warning("%s has to wait: %s", doing, error)
        except Exception:  # a thread that ends would never handle a row again
            log.exception("%s failed.", doing)


@contextlib.contextmanager
def held(outbox: Outbox, claimed: Claimed) -> Iterator[None]:
    """Keeps renewing a claim until the block ends."""
    done = threading.Event()

    def hold() -> None:
        while not done.wait(RENEW_EVERY):
            with contextlib.suppress(RecordsError):
                outbox.renew([claimed])

    thread = threading.Thread(target=hold, name="comet-claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def bug(error: Exception) -> str:
    """The sentence about an unexpected exception, which is logged with its traceback."""
    return f"A bug in VibeCheck ({type(error).__name__}): see the terminal."
