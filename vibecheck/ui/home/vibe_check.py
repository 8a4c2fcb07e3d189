"""What happens when somebody presses "Check my vibe": a prediction, a record of it, a playlist."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import streamlit as st

from vibecheck import check
from vibecheck.errors import RecordsError
from vibecheck.music.recommender import Mode, Suggestion
from vibecheck.records.values import Prediction
from vibecheck.ui.home import keep_later
from vibecheck.ui.home.consent import Keep
from vibecheck.ui.shared import app
from vibecheck.ui.shared.visitor import visitor
from vibecheck.vision import drawing
from vibecheck.vision.images import encode_jpeg
from vibecheck.vision.reader import Moment


@dataclass(frozen=True, slots=True)
class Result:
    """One vibe check as this visitor's session remembers it.

    `recorded` says whether there is a row of it, `problem` why there is none although there should be.
    Of a photo, `picture` shows it with its faces boxed, and `photo` is the key it was given.
    """

    prediction: Prediction
    hints: tuple[str, ...]
    faces: int
    recorded: bool
    problem: str = ""
    photo: str = ""
    picture: np.ndarray | None = None


def check_photo(picture: np.ndarray, source: str, key: str, keep: Keep) -> None:
    """A vibe check of one picture (H x W x 3 uint8 RGB). Raises NoFace."""
    reading = app.reader().read_still(picture)
    result = _checked(Moment.of(reading), source, keep)
    drawn = drawing.fitted(picture, reading.faces, result.prediction.mood, result.prediction.confidence)
    _remember(replace(result, photo=key, picture=drawn))


def check_moment(moment: Moment | None, keep: Keep) -> None:
    """A vibe check of a moment of live video. Raises NoFace."""
    _remember(_checked(moment, "live", keep))


def _checked(moment: Moment | None, source: str, keep: Keep) -> Result:
    """The prediction of a moment, recorded before anybody sees it, unless nothing may be kept.

    Raises NoFace or TooManyChecks.
    """
    check.limiter.admit(visitor())
    prediction, best = check.predict(
        moment,
        source=source,
        visitor=visitor(),
        now=datetime.now(UTC),
        audit_share=app.settings().audit_share,
    )
    keep_later.let_go()  # of the one before
    unrecorded = Result(prediction, best.hints, len(best.faces), recorded=False)
    if keep == "nothing":
        return unrecorded
    try:
        prediction = check.record(
            app.store(), prediction, best, keep == "face", always_ask=app.settings().audit_share == 1
        )
    except RecordsError as error:
        return replace(unrecorded, problem=str(error))
    if keep == "face" and not prediction.picture_kept:
        unrecorded = replace(unrecorded, problem=check.NO_ROOM)
    elif not prediction.picture_kept:
        keep_later.hold(prediction, encode_jpeg(best.kept))
    return replace(unrecorded, prediction=prediction, recorded=True)


def _remember(result: Result) -> None:
    """Make it the result that the page shows, with nothing suggested for it yet."""
    st.session_state.result = result
    st.session_state.suggestions = []
    st.session_state.note = ""


def result() -> Result | None:
    """The newest vibe check of this session."""
    return st.session_state.get("result")


def suggest(mode: Mode, again: bool = False) -> Suggestion:
    """The next playlist for the newest vibe check, recorded as a play.

    With `again`, one that was not suggested in this session before; if there is none, the last one stays.
    """
    given: list[Suggestion] = st.session_state.suggestions
    heard: list[str] = st.session_state.setdefault("heard", [])
    prediction = st.session_state.result.prediction
    suggestion = app.music().suggest(prediction.mood, mode, heard if again else [])
    stays = again and suggestion.playlist.id in heard
    heard.append(suggestion.playlist.id)
    given.append(suggestion)
    if st.session_state.result.recorded and not stays:
        try:
            app.store().played(
                prediction.id,
                playlist_id=suggestion.playlist.id,
                playlist_name=suggestion.playlist.name,
                mode=mode,
                again=again,
                found_by=suggestion.playlist.found_by,
                now=datetime.now(UTC),
                category=suggestion.playlist.mood,
            )
        except RecordsError as error:
            st.session_state.note = str(error)
    return suggestion


def answer(prediction: Prediction, label: str) -> None:
    """Record what the visitor says the mood was: as an answer where they were asked, else volunteered.

    The prediction is the one that was answered for: a newer one may have taken its place meanwhile.
    """
    source = "audit" if prediction.audit else "volunteered"
    try:
        app.store().label(prediction.id, label, source, visitor(), datetime.now(UTC))
        st.session_state.note = ""
    except RecordsError as error:
        st.session_state.note = str(error)
