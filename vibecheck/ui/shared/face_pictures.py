"""Kept pictures on a page.

They are sent as data URIs over the session's own connection. `st.image` would give each an address, and keep
it in memory until Streamlit drops it.
"""

from base64 import b64encode
from html import escape
from typing import Literal

import streamlit as st

from vibecheck.errors import PictureError, RecordsError, UnknownPrediction
from vibecheck.records.db.circuit_breaker import CircuitBreaker
from vibecheck.ui.shared import app
from vibecheck.ui.shared.process_state import ProcessValue
from vibecheck.vision import images

SIDE = 320  # px, as pictures are kept
THUMBNAIL = 112  # px: sharp enough on most screens, and 3 kB
MOST_CACHED = 100  # thumbnails of a session

# While the storage does not answer, a page of thumbnails waits for it once, not for each picture.
_reads = ProcessValue(CircuitBreaker)


def thumbnail(prediction_id: str) -> str:
    """The kept picture as a small data URI, or empty if there is none to show; the session caches either.

    While the records cannot be read it is empty, too, and the next run tries again.
    """
    cached: dict[str, str] = st.session_state.setdefault("thumbnails", {})
    if prediction_id not in cached:
        try:
            cached[prediction_id] = data_uri(prediction_id, THUMBNAIL)
        except RecordsError:
            return ""
        if len(cached) > MOST_CACHED:
            del cached[next(iter(cached))]
    return cached[prediction_id]


def data_uri(prediction_id: str, side: int) -> str:
    """The kept picture, scaled to at most `side` px, as a data URI; empty if there is none to show.

    Raises RecordsError if the records cannot be read now.
    """

    def find() -> bytes | None:
        try:
            return app.store().picture(prediction_id)
        except UnknownPrediction:  # deleted since the page was read
            return None

    jpeg = _reads().attempt(find)
    try:
        return as_data(images.thumbnail(images.decode(jpeg), side)) if jpeg else ""
    except PictureError:  # damaged
        return ""


def show(jpeg: bytes, look: Literal["crop", "photo"], alt: str) -> None:
    """A picture (JPEG): a small face crop beside a text, or a whole photo."""
    image = f'<img class="vc-{look}" src="{as_data(jpeg)}" alt="{escape(alt)}">'
    st.markdown(image, unsafe_allow_html=True)


def large(src: str, alt: str) -> None:
    """One picture with this alternative text; if `src` is empty, a placeholder with the text."""
    inner = f'<span class="vc-emoji">🫥</span><span>{escape(alt)}</span>'
    if src:
        inner = f'<img src="{src}" alt="{escape(alt)}">'
    st.markdown(f'<div class="vc-face">{inner}</div>', unsafe_allow_html=True)


def as_data(jpeg: bytes) -> str:
    """A JPEG as a data URI."""
    return f"data:image/jpeg;base64,{b64encode(jpeg).decode()}"
