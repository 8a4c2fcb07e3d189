"""How it stands with Comet, as anybody can read it from the records, without asking Comet."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from vibecheck.comet import layout
from vibecheck.errors import RecordsError
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox import queue
from vibecheck.records.outbox.notes import Note, read_note, write_note
from vibecheck.records.outbox.queue import Waiting
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.settings import Settings

# Subjects of notes: what the sender says, that somebody asked for something, how reading back goes.
SENDER = "comet-sender"
ASKED = "comet-asked"
RESTORING = "comet-restoring"

# Under this name it stands among a version's metrics where its files are in Comet: their SHA-256 by name.
FILES = "comet_files"

# Seconds after which the sender says again how it is, and after which nobody believes that it lives.
SPEAKS_EVERY = 30.0
SILENT_AFTER = 100.0


@dataclass(frozen=True, slots=True)
class Restoring:
    """How far reading back from Comet is. `sentence` says what went wrong, or is empty."""

    days: int
    days_read: int
    predictions: int
    labels: int
    pictures: int
    pictures_left: int
    done: bool
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class CometState:
    """How it stands. `sentence` says what to do where it is not connected; `restoring` may be None."""

    connected: bool
    sentence: str
    waiting: Waiting
    restoring: Restoring | None


def comet_state(store: Store) -> CometState:
    """How it stands with Comet at this moment. Raises RecordsError."""
    with reading(store.engine) as connection:
        said = read_note(connection, SENDER)
        restoring = read_note(connection, RESTORING)
        waiting = queue.waiting(connection)
    if said is None:
        connected, sentence = False, "Nothing was sent yet."
    elif abs(said.age) > SILENT_AFTER:
        connected, sentence = (
            False,
            "Nobody sends: look at the terminal, or run python -m vibecheck send.",
        )
    else:
        connected, sentence = bool(said.content.get("works")), str(said.content.get("sentence") or "")
    return CometState(connected, sentence, waiting, _restoring(restoring.content) if restoring else None)


def try_again(store: Store) -> int:
    """Has everything that is set aside or waiting tried at once; returns how much was set aside."""
    with writing(store.engine) as connection:
        count = queue.try_again(connection)
        write_note(connection, ASKED, {"for": "try again"})
    return count


def fetch(store: Store) -> None:
    """Asks the sending process to read from Comet what is not here yet; `comet_state` tells how it goes."""
    with writing(store.engine) as connection:
        schedule_restore(connection)
        write_note(connection, ASKED, {"for": "fetch"})


def schedule_restore(connection: Any) -> None:
    """Puts reading back into the queue, once."""
    now = queue.moment(connection)
    queue.schedule(connection, queue.RESTORE, queue.RESTORE, {}, now)


def experiment_link(store: Store, settings: Settings, prediction: Prediction) -> str | None:
    """The page in Comet of the experiment that holds a prediction; None before it was sent."""
    try:
        with reading(store.engine) as connection:
            said = read_note(connection, SENDER)
            unsent = queue.waits(connection, prediction.id, "prediction")
    except RecordsError:
        return None
    return None if unsent else _link(settings, said, layout.day_of(prediction.made_at))


def model_link(store: Store, settings: Settings, version: str, metrics: Mapping[str, Any]) -> str | None:
    """The page in Comet of a model that was made here: its training and its trial; None before it was sent.

    `metrics` are what the registry knows of the version.
    """
    if FILES not in metrics:
        return None
    try:
        with reading(store.engine) as connection:
            said = read_note(connection, SENDER)
    except RecordsError:
        return None
    return _link(settings, said, layout.place_of_model(version))


def _link(settings: Settings, said: Note | None, place: layout.Place) -> str | None:
    account = said.content.get("account") if said else None
    if not account:
        return None
    key = layout.experiment_key(settings.deployment, place)
    return f"{account['url']}/{quote(account['workspace'])}/{quote(account['project'])}/{key}"


def _restoring(content: dict[str, Any]) -> Restoring | None:
    try:
        return Restoring(**content)
    except TypeError:  # noted by another version
        return None
