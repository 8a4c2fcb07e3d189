"""The fine-tune page's data: the models, the labels that are new to the champion, the runs."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import NoReturn

import streamlit as st

from vibecheck.analytics.label_errors import thresholds
from vibecheck.errors import RecordsError
from vibecheck.models.registry import CHAMPION, PREVIOUS, Entry
from vibecheck.records.labels.trainable import Learnable
from vibecheck.training.runs_table import Job
from vibecheck.ui.shared import app, theme

STYLES = (theme.CARDS, Path(__file__).with_name("fine_tune.css"))
# Labels in doubt that are looked at.
MOST_SUSPECTS = 5000


@dataclass(frozen=True, slots=True)
class FineTuneState:
    """What the page shows. `entries` are all versions, newest first; `runs` the last ones, newest first.

    `new_since` is when the champion was trained here, or None where it never saw a label of these records.
    """

    entries: tuple[Entry, ...]
    champion: Entry | None
    previous: Entry | None
    running: Job | None
    runs: tuple[Job, ...]
    new_since: datetime | None

    def entry(self, version: str) -> Entry | None:
        """A version by its name, if it is registered."""
        return next((each for each in self.entries if each.version.version == version), None)


def known() -> FineTuneState:
    """Asks the records; where they cannot be read, the page says so and stops."""
    for style in STYLES:
        st.html(style)
    try:
        entries = tuple(app.registry().history())
        running = app.jobs().running()
        runs = tuple(app.jobs().history())
    except RecordsError as error:
        stop(error)
    champion = next((each for each in entries if CHAMPION in each.aliases), None)
    learned = champion is not None and champion.version.trained_on > 0
    return FineTuneState(
        entries=entries,
        champion=champion,
        previous=next((each for each in entries if PREVIOUS in each.aliases), None),
        running=running,
        runs=runs,
        new_since=champion.version.registered_at if champion and learned else None,
    )


def learnable() -> Learnable:
    """The labels. Raises RecordsError while the records cannot be opened."""
    return Learnable(app.store().engine)


def suspects() -> int:
    """How many labels that would be learned from look wrong. Raises RecordsError."""
    counting = app.store().counting
    _, found = counting.suspects(thresholds(counting.mean_label_probability()), MOST_SUSPECTS)
    return len(learnable().among(each.prediction_id for each in found))


def beginning_of(day: date | None) -> datetime | None:
    """When a day began, in UTC."""
    return datetime.combine(day, time(), UTC) if day else None


def spoken(day: datetime | date) -> str:
    """A day as it stands in a sentence."""
    return f"{day.day} {day:%b %Y}"


def stop(error: RecordsError) -> NoReturn:
    """Says what is the matter with the records, and ends the page."""
    st.error(str(error), icon="⚠️")
    st.stop()
