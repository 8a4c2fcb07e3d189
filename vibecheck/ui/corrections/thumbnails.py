"""The thumbnails of the vibe checks around the one to label, and buttons to newer and older pages."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from vibecheck.emotions import BY_NAME
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.values import QUEUES, Play
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.corrections import your_vibes
from vibecheck.ui.corrections.labelling_session import Batch
from vibecheck.ui.shared import app, face_pictures
from vibecheck.ui.shared.presses import once
from vibecheck.ui.shared.visitor import local

GRID = "face_grid"  # its key

_grid = st.components.v2.component(
    "vibecheck_face_grid",
    js=Path(__file__).with_name("face_grid.js").read_text(encoding="utf-8"),
    isolate_styles=False,
)


def around(view: str, shown: Batch) -> None:
    """The thumbnails of this page, and buttons to newer and older pages."""
    those = [] if view == "random" else shown.around
    plays = app.store().plays_of_each([each.prediction.id for each in those]) if view == "mine" else {}
    with st.container(key="around"):
        if view == "mine" and those:
            your_vibes.show()
        grid([_thumb(each, shown.current, plays.get(each.prediction.id)) for each in those])
    if view in QUEUES or not those:
        return
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        st.button(
            "Newer", key="newer", icon=":material/chevron_left:", on_click=once(session.go_newer),
            disabled=len(session.progress().trail) == 1,
        )  # fmt: skip
        st.button(
            "Older", key="older", icon=":material/chevron_right:", icon_position="right",
            on_click=once(session.go_older), args=(shown.around[-1].cursor,), disabled=not shown.older,
        )  # fmt: skip


def grid(thumbs: Sequence[dict[str, Any]]) -> None:
    """Draw thumbnails. The one that is pressed is selected before the next run."""

    def picked() -> None:
        pressed = just_pressed()
        if pressed in [thumb["id"] for thumb in thumbs]:  # the browser may send anything
            session.progress().picked = pressed

    # The number tells the browser that the page has answered, even if the thumbs are the same.
    answers = st.session_state["face_grid_answers"] = st.session_state.get("face_grid_answers", 0) + 1
    _grid(key=GRID, data={"thumbs": thumbs, "answers": answers}, on_picked_change=picked)


def just_pressed() -> Any:
    """The id that the browser says was just pressed in the grid, unchecked; None in every other run."""
    return getattr(st.session_state.get(GRID), "picked", None)


def _thumb(
    each: LabelledPrediction, current: LabelledPrediction, plays: Sequence[Play] | None
) -> dict[str, Any]:
    """The thumbnail of a vibe check, as `face_grid.js` draws it.

    With `plays`, for one's own, it says when it was and what played.
    """
    prediction = each.prediction
    emotion = BY_NAME[prediction.mood]
    title = f"{emotion.title} {prediction.confidence:.0%}"
    mark, said = "", "not labelled"
    if each.label:
        seen = each.label.mood
        mark = "🤷" if seen is None else "✓" if seen == prediction.mood else BY_NAME[seen].emoji
        said = "labelled can't tell" if seen is None else f"labelled {BY_NAME[seen].title.lower()}"
    note = ""
    if plays is not None:
        when = f"{local(prediction.made_at):%d %b, %H:%M}"
        note = "\n".join((when, your_vibes.playlist(plays)))
    return {
        "id": prediction.id,
        "src": face_pictures.thumbnail(prediction.id) if prediction.picture_kept else "",
        "emoji": emotion.emoji,
        "title": title,
        "colour": emotion.colour,
        "says": f"{title}, {local(prediction.made_at):%d %b %H:%M}, {said}",
        "mark": mark,
        "current": prediction.id == current.prediction.id,
        "note": note,
    }
