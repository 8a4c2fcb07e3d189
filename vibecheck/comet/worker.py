"""The sending process: a sender, and threads that restore and that send models."""

import signal
import threading
from datetime import datetime

from vibecheck.comet import model_sender, resend, restore
from vibecheck.comet.sender import Sender
from vibecheck.comet.status import SAMPLE
from vibecheck.errors import RecordsError, SettingsError
from vibecheck.processes import child
from vibecheck.records.store import Store
from vibecheck.settings import Settings

# Live video has priority.
NICENESS = 5
# Seconds to finish the current record and release the others before the process exits anyway.
GRACE = 3.0


def serve(settings: Settings, until_empty: bool, with_parent: bool) -> None:
    """Sends and restores until the process is asked to stop; with `until_empty` only sends what is due.

    With `with_parent` it ends when its standard input closes, which the app holds open while it runs. Raises
    SettingsError without an account, RecordsError if the store cannot be opened, and with `until_empty`
    CometError if Comet cannot be reached.
    """
    store = _store(settings)
    sender = Sender(settings, store)
    signal.signal(signal.SIGTERM, lambda *_: sender.stop.set())
    if with_parent:
        child.exit_with_parent(NICENESS, sender.stop.set, GRACE)
    if not until_empty:
        restore.begin_once(settings, store)
        for run, name in ((restore.run, "comet-fetcher"), (model_sender.run, "comet-models")):
            threading.Thread(target=run, args=(settings, store, sender.stop), name=name, daemon=True).start()
    sender.run(until_empty)
    if until_empty:
        model_sender.send_all(settings, store)


def send_again(settings: Settings, since: datetime | None) -> int:
    """Sends records again that Comet has lost; returns their number. Raises VibeCheckError."""
    store = _store(settings)
    if store.synthetic():
        raise RecordsError("These records are a synthetic history, which is not sent to Comet.")
    added = resend.send_again(settings, store, since)
    Sender(settings, store).run(until_empty=True)
    model_sender.send_all(settings, store)
    store.notes.write(SAMPLE, {"checked": 0, "missing": 0})
    return added


def _store(settings: Settings) -> Store:
    if settings.comet_api_key is None:
        raise SettingsError("There is no Comet account to send to: set COMET_API_KEY.")
    return Store.open(settings.records_url, settings.images_url, settings.sends)
