"""Examples: the pictures behind the figures; each opens its trace."""

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.errors import RecordsError
from vibecheck.records.stats.results import Example
from vibecheck.ui.dashboard import trace
from vibecheck.ui.dashboard.statistics import Statistics
from vibecheck.ui.shared import app, face_pictures, theme
from vibecheck.ui.shared.presses import once

LISTS = {"mistakes": "Mistakes", "unsure": "Least confident", "doubtful": "Labels that look wrong"}
EMPTY = {
    "mistakes": "No label says that it was wrong.",
    "unsure": "There are no vibe checks in this period.",
    "doubtful": "No label looks wrong.",
    "cell": "There are none in this cell.",
}
TILES = 12


def gallery(known: Statistics, cell: tuple[str, str] | None) -> list[Example]:
    """Mistakes, least confident, labels that look wrong, or the audits of a cell of the matrix."""
    with st.container(key="card-gallery", height="stretch"):
        if cell:
            label, mood = cell
            what = f"said {BY_NAME[label].title.lower()}, shown {BY_NAME[mood].title.lower()}"
            theme.section("Examples", f"{what} · select the cell again for all")
            chosen = "cell"
        else:
            theme.section("Examples", "press one for its details")
            chosen = theme.choice("Which", LISTS, "gallery", default="mistakes")
        try:
            examples = _examples(known, chosen, cell)
        except RecordsError as error:
            st.error(str(error), icon="⚠️")
            return []
        if not examples:
            theme.quiet(EMPTY[chosen])
        with st.container(horizontal=True, gap="small"):
            for example in examples:
                _tile(example)
        return examples


def _examples(known: Statistics, chosen: str, cell: tuple[str, str] | None) -> list[Example]:
    counting, scope = app.store().statistics, known.overview.scope
    match chosen:
        case "unsure":
            return counting.least_sure(scope, TILES)
        case "doubtful":
            return list(known.status.labels.suspects[:TILES])
        case _:
            return counting.mistakes(scope, TILES, *(cell or ()))


def _tile(example: Example) -> None:
    emotion = BY_NAME[example.mood]
    said = f" → {BY_NAME[example.label].title.lower()}" if example.label else ""
    with st.container(width=96, gap=None, key=f"tile-{example.prediction_id}"):
        st.html(_face(example.prediction_id, emotion.emoji))
        st.button(
            f"{emotion.title}{said} {example.confidence:.0%}",
            key=f"trace-{example.prediction_id}",
            type="tertiary",
            help=f"Trace of {example.prediction_id}",
            on_click=once(trace.ask),
            args=(example.prediction_id,),
        )


def _face(prediction_id: str, emoji: str) -> str:
    if src := face_pictures.thumbnail(prediction_id):
        return f'<img class="vcd-face" alt="The face of {prediction_id[:6]}" src="{src}">'
    return f'<div class="vcd-face vc-emoji" role="img" aria-label="No picture">{emoji}</div>'
