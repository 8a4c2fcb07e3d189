"""The state of the connection to Comet, read from the records without asking Comet."""

from dataclasses import dataclass
from urllib.parse import quote

from vibecheck.comet import layout
from vibecheck.errors import RecordsError
from vibecheck.records.outbox.messages import SENDER
from vibecheck.records.outbox.notes import Note
from vibecheck.records.outbox.queue import RESTORE, OutboxState
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.settings import Settings

# Subjects of notes: what a user requested, the progress of a restore, that a restore was completed.
ASKED = "comet-asked"
RESTORING = "comet-restoring"
RESTORED = "comet-restored"
# The daily sample: how many records were looked up in Comet, and how many it does not have.
SAMPLE = "comet-sample"

# Seconds after which the sender repeats its state, and after which it counts as dead without one.
HEARTBEAT_EVERY = 30.0
SILENT_AFTER = 100.0


@dataclass(frozen=True, slots=True)
class Restoring:
    """The progress of a restore from Comet.

    `sentence` says what went wrong, or is empty. `refused` counts assets and pictures that could not be used,
    and `reason` says why for one of them.
    """

    days: int = 0
    days_read: int = 0
    predictions: int = 0
    labels: int = 0
    pictures: int = 0
    pictures_left: int = 0
    done: bool = False
    sentence: str = ""
    refused: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CometState:
    """The state. `sentence` says what is wrong and what to do, or is empty; `restoring` may be None."""

    connected: bool
    sentence: str
    waiting: OutboxState
    restoring: Restoring | None


def comet_state(store: Store) -> CometState:
    """The state at this moment. Raises RecordsError."""
    note = store.notes.read(SENDER)
    if note is None:
        connected, sentence = False, "Nothing has been sent yet."
    elif abs(note.age) > SILENT_AFTER:
        connected = False
        sentence = "No process is sending: look at the terminal, or run python -m vibecheck send."
    else:
        connected, sentence = bool(note.content.get("works")), str(note.content.get("sentence") or "")
        sentence = sentence or _lost(store.notes.read(SAMPLE))
    restoring = _restoring(store.notes.read(RESTORING))
    return CometState(connected, sentence, store.outbox().state(), restoring)


def _lost(sample: Note | None) -> str:
    if sample is None or not sample.content.get("missing"):
        return ""
    missing, checked = sample.content["missing"], sample.content.get("checked")
    return (
        f"Comet lacks {missing} of {checked} records that were looked up. "
        "Run python -m vibecheck send --again."
    )


def try_again(store: Store) -> int:
    """Makes rows that are set aside or paused due at once; returns how many were set aside."""
    count = store.outbox().retry_all()
    store.notes.write(ASKED, {"for": "try again"})
    return count


def fetch(store: Store) -> None:
    """Asks the sending process to restore from Comet; `comet_state` tells the progress."""
    store.outbox().schedule(RESTORE, RESTORE, {})
    store.notes.write(ASKED, {"for": "fetch"})


def experiment_link(store: Store, settings: Settings, prediction: Prediction) -> str | None:
    """The page in Comet of the experiment that holds a prediction; None before it was sent."""
    try:
        note = store.notes.read(SENDER)
        unsent = store.outbox().contains("prediction", prediction.id)
    except RecordsError:
        return None
    account = note.content.get("account") if note else None
    if unsent or not account:
        return None
    key = layout.experiment_key(settings.deployment, layout.day_of(prediction.made_at))
    return f"{account['url']}/{quote(account['workspace'])}/{quote(account['project'])}/{key}"


def _restoring(note: Note | None) -> Restoring | None:
    try:
        return Restoring(**note.content) if note else None
    except TypeError:  # noted by another version
        return None
