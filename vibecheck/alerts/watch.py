"""Looks for alerts every few minutes, and sends each of them once, however many processes look.

A process claims an alert in the records before it sends it; if it fails or dies, any process may claim it
again after a while.
"""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from vibecheck.alerts.webhook import Alert, post
from vibecheck.errors import AlertNotSent, VibeCheckError
from vibecheck.records.outbox.notes import Note, Notes
from vibecheck.records.store import Store
from vibecheck.settings import Settings

log = logging.getLogger(__name__)

# The beginning of the subjects of the notes on alerts; the alert's key follows.
ALERT = "alert "
# s: the pause after a failed attempt, doubled each time. Longer than an attempt takes.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
# A cause that ended and returned is reported again, but no sooner than this after it ended.
REPEAT_AFTER = timedelta(days=7)


def run(
    open_store: Callable[[], Store],
    settings: Settings,
    stop: threading.Event,
    every: timedelta = timedelta(minutes=5),
    after: timedelta = timedelta(seconds=30),
) -> None:
    """Looks for alerts first after `after` and then at every interval `every`, until `stop` is set.

    `open_store` may raise VibeCheckError: this can start before the records can be opened.
    """
    pause = after
    while not stop.wait(pause.total_seconds()):
        pause = every
        try:
            look(open_store(), settings, datetime.now(UTC))
        except VibeCheckError as error:
            log.warning("The check for alerts failed: %s", error)
        except Exception:  # a thread that ends would never look again
            log.exception("The check for alerts failed.")


def look(store: Store, settings: Settings, now: datetime) -> None:
    """Sends new alerts; logs those that cannot be sent. Raises RecordsError, ModelError."""
    if settings.alert_url is None:
        return
    from vibecheck.alerts import occasions  # loads the statistics: not while the first visitor waits

    alerts = occasions.current(store, settings, now)
    for alert in alerts:
        if _claim(store.notes, alert):
            _send(store.notes, settings.alert_url.get_secret_value(), alert, settings.deployment)
    for subject in set(store.notes.subjects(ALERT)) - {ALERT + alert.key for alert in alerts}:
        store.notes.change(subject, _ended)


def _claim(notes: Notes, alert: Alert) -> bool:
    """Whether this process is to send the alert now; meanwhile no other process may."""

    def claim(note: Note | None) -> dict[str, Any] | None:
        before = note.content if note else {"sent": False, "attempts": 0, "pause": 0.0}
        again = note is not None and "ended" in before and note.age > REPEAT_AFTER.total_seconds()
        if (before["sent"] and not again) or (note and 0 <= note.age < before["pause"]):
            return None
        pause = min(FIRST_PAUSE * 2 ** min(before["attempts"], 10), LONGEST_PAUSE)
        attempts = before["attempts"] + 1
        return {"sent": False, "attempts": attempts, "pause": pause, "lasting": alert.lasting}

    return notes.change(ALERT + alert.key, claim)


def _send(notes: Notes, url: str, alert: Alert, deployment: str) -> None:
    try:
        post(url, alert, deployment)
    except AlertNotSent as error:
        log.warning("An alert (%s) was not sent and is tried again later: %s", alert.event, error)
        if (wanted := error.retry_after) is not None:
            _amend(notes, alert, pause=max(wanted, FIRST_PAUSE))
        return
    _amend(notes, alert, sent=True)


def _amend(notes: Notes, alert: Alert, **values: Any) -> None:
    notes.change(ALERT + alert.key, lambda note: note.content | values if note else None)


def _ended(note: Note | None) -> dict[str, Any] | None:
    """The note on an alert whose cause has ended, which is noted once."""
    if note is None or not note.content["lasting"] or "ended" in note.content:
        return None
    return note.content | {"ended": True}
