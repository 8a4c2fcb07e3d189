"""The sending process: a sender, and threads that restore and that send models."""

import os
import signal
import sys
import threading
import time

from vibecheck.comet import background_restore, model_sender
from vibecheck.comet.sender import Sender
from vibecheck.errors import SettingsError
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# Live video has priority.
NICENESS = 5
# Seconds to finish the current record and release the others before the process exits anyway.
GRACE = 3.0


def serve(settings: Settings, until_empty: bool = False, with_parent: bool = False) -> None:
    """Sends and restores until the process is told to end; with `until_empty` only sends what is due.

    With `with_parent` it ends when its standard input closes, which the app holds open while it runs. Raises
    SettingsError without an account, RecordsError if the store cannot be opened, and with `until_empty`
    CometError if Comet cannot be reached.
    """
    if settings.comet_api_key is None:
        raise SettingsError("There is nowhere to send to: set COMET_API_KEY.")
    store = Store.open(settings.records_url, settings.images_url)
    sender = Sender(settings, store)
    signal.signal(signal.SIGTERM, lambda *_: sender.stop.set())
    if with_parent:
        _follow_parent(sender.stop)
    if not until_empty:
        background_restore.begin_if_empty(store)
        fetching = threading.Thread(
            target=background_restore.run,
            args=(settings, store, sender.stop),
            name="comet-fetcher",
            daemon=True,
        )
        fetching.start()
        threading.Thread(
            target=model_sender.run, args=(settings, store, sender.stop), name="comet-models", daemon=True
        ).start()
    sender.run(until_empty)
    if until_empty:
        model_sender.send_all(settings, store)


def _follow_parent(stop: threading.Event) -> None:
    if hasattr(os, "nice"):
        os.nice(NICENESS)

    def wait() -> None:
        sys.stdin.buffer.read()
        stop.set()
        time.sleep(GRACE)
        os._exit(0)  # whatever still hangs: its claims expire

    threading.Thread(target=wait, name="parent-watch", daemon=True).start()
