"""After a correction: ask once whether the face crop, which was not kept, may be kept."""

from contextlib import suppress
from datetime import UTC, datetime

import streamlit as st

from vibecheck.errors import RecordsError
from vibecheck.records.labels import keep_question
from vibecheck.ui.home import consent, vibe_check
from vibecheck.ui.shared import app, face_pictures, theme
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.presses import once, remember


def ask() -> None:
    """The question about the newest result, if its visitor said that the model was wrong."""
    place = st.container(key="keeping")
    result = vibe_check.result()
    if result is None or result.prediction is None or not result.recorded or consent.choice() == "nothing":
        return
    prediction = result.prediction
    corrected = result.said not in ("", prediction.mood)
    asked_already = st.session_state.get("keep_answered") == prediction.id
    # A problem is a crop that could not be kept although the visitor allowed it.
    if not corrected or asked_already or not result.face or prediction.picture_kept or result.problem:
        return
    if st.session_state.get("keep_asked") != prediction.id:  # once per vibe check
        st.session_state.keep_asked = prediction.id
        with suppress(RecordsError):  # only a figure on the dashboard, so no error for the visitor
            keep_question.count(app.store().notes, "asked")
    with place:
        theme.plain("Keep this face crop so that the model learns from it?")
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="content"):
                face_pictures.show(result.face, "crop", "The face crop")
            st.button(
                "Keep it", key="keep_it", icon=":material/check:", on_click=once(_keep),
                args=(prediction.id, result.face),
            )  # fmt: skip
            st.button("No", key="keep_not", on_click=once(_close), args=(prediction.id,))
        theme.quiet("Nothing else of the picture is kept, and nothing without your yes.")
        if problem := st.session_state.pop("keeping_problem", ""):
            st.warning(problem, icon="⚠️")


def _keep(prediction_id: str, jpeg: bytes) -> None:
    try:
        app.store().keep_picture(prediction_id, jpeg, datetime.now(UTC))
    except RecordsError as error:
        st.session_state.keeping_problem = error_text(error)
        return
    with suppress(RecordsError):
        keep_question.count(app.store().notes, "agreed")
    _close(prediction_id)
    st.toast("Your face crop is kept. Thank you. You can delete it on About.", icon=":material/check:")


def _close(prediction_id: str) -> None:
    remember(keep_answered=prediction_id)
