"""Your vibes: a visitor's own history as a strip of moods over time, and as a CSV file."""

from collections.abc import Sequence
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.records.csv_safety import to_csv
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.store import Store
from vibecheck.records.values import Play
from vibecheck.ui.shared import app
from vibecheck.ui.shared.visitor import local, timezone, visitor

# Vibe checks in the strip, and in the file.
IN_STRIP, IN_FILE = 60, 5000


def show() -> None:
    """The strip and the file. Raises RecordsError."""
    st.header("Your vibes", anchor=False)
    newest = app.store().page(Filters(visitor=visitor()), None, IN_STRIP)
    st.html(f'<ol class="vc-strip">{"".join(map(_step, newest))}</ol>')
    whose, zone = visitor(), timezone()
    st.download_button(
        "Download as CSV", lambda: to_csv(rows(app.store(), whose, zone)), "my-vibes.csv", "text/csv",
        icon=":material/download:", key="my-vibes", on_click="ignore",
    )  # fmt: skip


def playlist(plays: Sequence[Play]) -> str:
    """The name of the playlist that was suggested last; empty if none was."""
    return plays[-1].playlist_name if plays else ""


def _step(each: LabelledPrediction) -> str:
    mood = BY_NAME[(each.label and each.label.mood) or each.prediction.mood]  # as corrected, else as read
    said = f"{local(each.prediction.made_at):%d %b, %H:%M}: {mood.adjective}"
    if mood.name != each.prediction.mood:
        said += f", corrected from {BY_NAME[each.prediction.mood].adjective}"
    return (
        f'<li style="background:{mood.colour}" title="{escape(said)}"><span class="vc-emoji" role="img" '
        f'aria-label="{escape(said)}">{mood.emoji}</span></li>'
    )


def rows(store: Store, whose: str, zone: ZoneInfo) -> list[dict[str, Any]]:
    """The latest vibe checks of a visitor, oldest first, without anything that identifies them."""
    found = store.page(Filters(visitor=whose), None, IN_FILE)
    plays = store.plays_of_each([each.prediction.id for each in found])
    return [
        {
            "time": each.prediction.made_at.astimezone(zone).isoformat(timespec="seconds"),
            "mood": each.prediction.mood,
            "confidence": round(each.prediction.confidence, 4),
            "corrected_to": each.label.label if each.label else None,
            "playlist": playlist(plays[each.prediction.id]),
            "picture_kept": each.prediction.picture_kept,
        }
        for each in reversed(found)
    ]
