"""What the sending process runs: a sender, and beside it what reads back."""

import os
import sys
import threading

from vibecheck.comet import fetcher
from vibecheck.comet.sender import Sender
from vibecheck.errors import SettingsError
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# Live video comes first.
NICENESS = 5


def serve(settings: Settings, until_empty: bool = False) -> None:
    """Sends and reads back until the process ends; or only sends, until nothing is left to send now.

    Raises SettingsError without an account, and RecordsError where the store cannot be opened.
    """
    if settings.comet_api_key is None:
        raise SettingsError("There is nowhere to send to: set COMET_API_KEY.")
    store = Store.open(settings)
    sender = Sender(settings, store)
    if until_empty:
        sender.run(until_empty=True)
        return
    fetcher.begin_if_empty(store)
    threading.Thread(
        target=fetcher.run, args=(settings, store, sender.stop), name="comet-fetcher", daemon=True
    ).start()
    sender.run()


def end_with_parent() -> None:
    """Ends this process when its standard input does, which the app holds open as long as it lives."""
    if hasattr(os, "nice"):
        os.nice(NICENESS)

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(0)  # at any moment: the queue is made for it

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
