"""Small pictures with a label below: of new labels, and of those on which two models differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.errors import RecordsError
from vibecheck.ui.shared import app, face_pictures

MOST_REMEMBERED = 100


@dataclass(frozen=True, slots=True)
class Tile:
    """The picture of a prediction, labelled `label`; `words` are below it, `note` is its tooltip."""

    prediction_id: str
    label: str
    words: str
    note: str = ""


def grid(shown: Sequence[Tile]) -> str:
    """The tiles as HTML. The mood's emoji replaces pictures that were deleted or are on another machine."""
    return f'<div class="vcf-tiles">{"".join(map(_tile, shown))}</div>'


def _tile(tile: Tile) -> str:
    mood = BY_NAME[tile.label]
    said = ", ".join(filter(None, (mood.title, tile.words, tile.note)))
    source = _thumbnail(tile.prediction_id)
    face = (
        f'<img src="{source}" alt="{escape(said)}">'
        if source
        else f'<span class="vc-emoji" role="img" aria-label="No picture: {escape(said)}">{mood.emoji}</span>'
    )
    return (
        f'<figure title="{escape(said)}">{face}<figcaption style="color:{mood.colour}">{mood.title}'
        f"<small>{escape(tile.words)}</small></figcaption></figure>"
    )


def _thumbnail(prediction_id: str) -> str:
    """The picture as a data URI, made once per session; empty if there is none."""
    known: dict[str, str] = st.session_state.setdefault("ft-thumbnails", {})
    if prediction_id not in known:
        while len(known) >= MOST_REMEMBERED:
            known.pop(next(iter(known)))
        try:
            prediction = app.store().get(prediction_id)
            known[prediction_id] = face_pictures.data_uri(prediction, face_pictures.THUMBNAIL)
        except RecordsError:
            return ""
    return known[prediction_id]
