"""Small pictures with a label below: of new labels, and of those on which two models differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from vibecheck.emotions import BY_NAME
from vibecheck.ui.shared import face_pictures


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
    source = face_pictures.thumbnail(tile.prediction_id)
    face = (
        f'<img src="{source}" alt="{escape(said)}">'
        if source
        else f'<span class="vc-emoji" role="img" aria-label="No picture: {escape(said)}">{mood.emoji}</span>'
    )
    return (
        f'<figure title="{escape(said)}">{face}<figcaption style="color:{mood.colour}">{mood.title}'
        f"<small>{escape(tile.words)}</small></figcaption></figure>"
    )
