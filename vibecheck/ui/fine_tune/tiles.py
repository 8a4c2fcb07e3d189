"""Small pictures with a label below: of new labels, and of those on which two models differ."""

from collections.abc import Iterable
from html import escape

from vibecheck.emotions import BY_NAME
from vibecheck.ui.shared import face_pictures


def grid(tiles: Iterable[str]) -> str:
    """The tiles side by side, as HTML."""
    return f'<div class="vcf-tiles">{"".join(tiles)}</div>'


def tile(prediction_id: str, label: str, words: str, note: str = "") -> str:
    """The picture of a prediction, labelled `label`, as HTML; `words` are below it, `note` is in its tooltip.

    The mood's emoji replaces pictures that were deleted or are on another machine.
    """
    mood = BY_NAME[label]
    said = ", ".join(filter(None, (mood.title, words, note)))
    source = face_pictures.thumbnail(prediction_id)
    face = (
        f'<img src="{source}" alt="{escape(said)}">'
        if source
        else f'<span class="vc-emoji" role="img" aria-label="No picture: {escape(said)}">{mood.emoji}</span>'
    )
    return (
        f'<figure title="{escape(said)}">{face}<figcaption style="color:{mood.colour}">{mood.title}'
        f"<small>{escape(words)}</small></figcaption></figure>"
    )
