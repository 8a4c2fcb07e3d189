"""Kept pictures on a page: one large, or many small ones to choose from.

They travel inside the page as data, over the connection of the session that may see them. What `st.image`
shows would have an address instead, and stay in memory until Streamlit drops it.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from vibecheck.errors import PictureError, RecordsError
from vibecheck.records.values import is_prediction_id
from vibecheck.ui.shared import app
from vibecheck.vision import images

SIDE = 320  # px, as pictures are kept
THUMBNAIL = 112  # px: sharp at the size of a thumb on most screens, and 3 kB
MOST_CACHED = 100  # thumbnails of a session
GRID = "face_grid"  # the key of the grid, which a page has once

_grid = st.components.v2.component(
    "vibecheck_face_grid",
    js=Path(__file__).with_name("face_grid.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


@dataclass(frozen=True, slots=True)
class Thumb:
    """One picture of the grid. `src` is a data URI, or empty if no picture was kept; then `emoji` is
    shown. `title` is written below it, in `colour`, and `note` below that; `says` is what a screen reader
    says; `mark` is in its corner."""

    id: str
    src: str
    emoji: str
    title: str
    colour: str
    says: str
    mark: str
    current: bool
    note: str = ""


def data_uri(prediction_id: str, side: int) -> str:
    """The kept picture, scaled to at most `side` px, as a data URI; empty if there is none to show."""
    try:
        jpeg = app.store().picture(prediction_id)
        return as_data(images.thumbnail(images.decode(jpeg), side)) if jpeg else ""
    except (PictureError, RecordsError):  # damaged, or deleted since the page was read
        return ""


def thumbnail(prediction_id: str) -> str:
    """The kept picture as a small data URI, which the session caches; empty if there is none to show."""
    cached: dict[str, str] = st.session_state.setdefault("thumbnails", {})
    if not cached.get(prediction_id):
        cached[prediction_id] = data_uri(prediction_id, THUMBNAIL)
        if len(cached) > MOST_CACHED:
            del cached[next(iter(cached))]
    return cached[prediction_id]


def grid(thumbs: Sequence[Thumb], pick: Callable[[str], None]) -> None:
    """Draw the pictures; `pick` is called with the id of the one that was pressed, before the next run."""

    def picked() -> None:
        found = pressed(just_pressed(), [thumb.id for thumb in thumbs])
        if found is not None:
            pick(found)

    # The number tells the browser that the page has answered, even if the thumbs are the same.
    answers = st.session_state["face_grid_answers"] = st.session_state.get("face_grid_answers", 0) + 1
    data = {"thumbs": [asdict(thumb) for thumb in thumbs], "answers": answers}
    _grid(key=GRID, data=data, on_picked_change=picked)


def just_pressed() -> Any:
    """The unchecked id that the browser says was just pressed in the grid; None in every other run."""
    return getattr(st.session_state.get(GRID), "picked", None)


def pressed(picked: Any, shown: Sequence[str]) -> str | None:
    """The id that a browser says was pressed, if it was shown to that browser."""
    return picked if isinstance(picked, str) and is_prediction_id(picked) and picked in shown else None


def show(jpeg: bytes, look: Literal["crop", "photo"], says: str) -> None:
    """A picture (JPEG): a small face crop beside a text, or a whole photo."""
    image = f'<img class="vc-{look}" src="{as_data(jpeg)}" alt="{escape(says)}">'
    st.markdown(image, unsafe_allow_html=True)


def large(src: str, says: str) -> None:
    """One picture, or a placeholder if none was kept."""
    if src:
        inner = f'<img src="{src}" alt="{escape(says)}">'
    else:
        inner = '<span class="vc-emoji">🫥</span><span>No picture was kept.</span>'
    st.markdown(f'<div class="vc-face">{inner}</div>', unsafe_allow_html=True)


def as_data(jpeg: bytes) -> str:
    """A JPEG as a data URI."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
