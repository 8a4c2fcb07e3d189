"""After a correction: ask once whether the face crop, which was not kept, may be kept."""

import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import streamlit as st

from vibecheck.emotions import NAMES
from vibecheck.errors import RecordsError
from vibecheck.records.labels import keep_question
from vibecheck.records.values import Prediction
from vibecheck.ui.shared import app, face_pictures, theme
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.presses import once

SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Crop:
    """The face crop (JPEG) of a prediction."""

    prediction_id: str
    jpeg: bytes


class HeldCrop:
    """The crop of the newest vibe check, in memory for ten minutes at most. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.crop: Crop | None = None  # None once it was dropped or has expired
        self._timer: threading.Timer | None = None

    def hold(self, crop: Crop) -> None:
        """Hold this crop, and drop the one before."""
        with self._lock:
            self._stop()
            self.crop = crop
            self._timer = threading.Timer(SECONDS, self._expire, [crop])
            self._timer.daemon = True
            self._timer.start()

    def drop(self) -> None:
        """Drop the crop, if there is one."""
        with self._lock:
            self._stop()

    def _expire(self, crop: Crop) -> None:
        with self._lock:
            if self.crop is crop:  # and not a newer one by now
                self._stop()

    def _stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        self.crop = self._timer = None


@st.cache_resource(show_spinner=False, scope="session", on_release=HeldCrop.drop)
def held() -> HeldCrop:
    """The crop of this session's newest vibe check whose picture was not kept."""
    return HeldCrop()


def ask(prediction: Prediction, label: str | None) -> None:
    """The question, if `label` says that the model was wrong and the crop is still held."""
    place = st.container(key="keeping")
    if st.session_state.get("kept_later") == prediction.id:
        with place:
            theme.quiet("Your face crop is kept. Thank you. You can delete it on About.")
        return
    crop = held().crop
    corrected = label in NAMES and label != prediction.mood
    if crop is None or crop.prediction_id != prediction.id or not corrected:
        return
    _count_asked(prediction)
    with place:
        theme.plain("Keep this face crop so that the model learns from it?")
        with st.container(horizontal=True, vertical_alignment="center"):
            with st.container(width="content"):
                face_pictures.show(crop.jpeg, "crop", "The face crop")
            st.button("Keep it", key="keep_it", icon=":material/check:", on_click=once(_keep), args=(crop,))
            st.button("No", key="keep_not", on_click=once(held().drop))
        theme.quiet("Nothing else of the picture is kept. Without a yes it is deleted after ten minutes.")
        if problem := st.session_state.pop("keeping_problem", ""):
            st.warning(problem, icon="⚠️")


def _count_asked(prediction: Prediction) -> None:
    """Count the question once per vibe check."""
    if st.session_state.get("keep_asked") != prediction.id:
        st.session_state.keep_asked = prediction.id
        with suppress(RecordsError):  # only a figure on the dashboard, so no error for the visitor
            keep_question.count_asked(app.store().notes)


def _keep(crop: Crop) -> None:
    try:
        app.store().keep_picture(crop.prediction_id, crop.jpeg, datetime.now(UTC))
    except RecordsError as error:
        st.session_state.keeping_problem = error_text(error)
        return
    with suppress(RecordsError):
        keep_question.count_agreed(app.store().notes)
    held().drop()
    st.session_state.kept_later = crop.prediction_id
