"""The trace: everything that is recorded about one vibe check, by its prediction_id."""

from collections.abc import Sequence

import streamlit as st

from vibecheck.analytics.words import written, written_time
from vibecheck.comet.status import experiment_link
from vibecheck.emotions import BY_NAME, Distribution
from vibecheck.errors import RecordsError
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.readings import ShadowReading
from vibecheck.records.values import Feedback, Play, Prediction, is_prediction_id
from vibecheck.ui.shared import app, face_pictures, theme

# In links: …/Dashboard?prediction_id=…
PARAMETER = "prediction_id"


def ask(prediction_id: str) -> None:
    """Open the trace in the next run of the page."""
    st.session_state.trace = prediction_id


def trace_if_asked() -> None:
    """The trace, if a picture was pressed, an id looked up, or the page's address names one."""
    linked = st.query_params.get(PARAMETER, "")
    if linked and st.session_state.get("linked") != linked:
        st.session_state.linked = linked
        if is_prediction_id(linked):
            ask(linked)
    if prediction_id := st.session_state.pop("trace", None):
        _dialog(prediction_id)


@st.dialog("Trace", width="large")
def _dialog(prediction_id: str) -> None:
    store = app.store()
    try:
        prediction = store.get(prediction_id)
        labels, plays = store.feedback_of(prediction_id), store.plays_of(prediction_id)
        readings = store.readings.of(prediction_id)
        learned = app.registry().learned_from(prediction_id)
        calibrations = store.statistics.calibrations(prediction.model_version)
        address = experiment_link(store, app.settings(), prediction)
    except RecordsError as error:
        st.warning(str(error), icon="🔎")
        return
    st.html(f'<code class="vcd-id">{prediction_id}</code>')
    seen, known = st.columns([1, 1.2], gap="medium")
    with seen:
        _face(prediction)
        _quality(prediction)
        theme.quiet(_calibration(prediction, calibrations))
        _listed("Labels", [_label(each) for each in labels])
        _listed("Playlists", [_play(each) for each in plays])
        _listed("Models trained on it", [", ".join(learned) or "None yet."])
    with known:
        theme.looks(prediction.mood)
        theme.confidence(prediction.mood, prediction.confidence)
        theme.bars(prediction.mood, prediction.probabilities)
        if readings:
            _listed("What each model read in this crop", [_reading(each) for each in readings])
    if address:
        st.link_button("Open in Comet", address, icon=":material/open_in_new:")


def _face(prediction: Prediction) -> None:
    try:
        picture = app.store().picture(prediction.id)
    except RecordsError as error:  # the picture storage may fail alone
        st.warning(str(error), icon="🔎")
        return
    if picture is None:
        gone = "is not in the picture storage" if prediction.picture_kept else "was not kept"
        theme.quiet(f"Its picture {gone}.")
    else:
        face_pictures.large(face_pictures.as_data(picture), "The face that was read")


def _quality(prediction: Prediction) -> None:
    quality = prediction.quality
    theme.quiet(
        f"{written_time(prediction.made_at)} · {prediction.source} · {prediction.model_version} · "
        f"{prediction.latency_ms:.0f} ms · {'audit' if prediction.audit else 'not an audit'}"
    )
    theme.quiet(
        f"Light {quality.light:.0f} · sharpness {quality.blur:.0f} · face {quality.size:.0f} px · "
        f"turned {quality.yaw:+z.0f}° · tilted {quality.roll:+z.0f}°"
    )
    for hint in quality.hints:
        theme.quiet(hint)


def _calibration(prediction: Prediction, known: Sequence[LearnedCalibration]) -> str:
    """The calibration with which it was made."""
    if prediction.calibration is None:
        return "Calibration: as shipped"
    for each in known:
        if each.id == prediction.calibration:
            return (
                f"Calibration: of {written(each.from_when)}, {each.n:,} audits, "
                f"temperature {each.temperature:.2g}"
            )
    return f"Calibration: {prediction.calibration}, which was not restored"


def _listed(title: str, lines: Sequence[str]) -> None:
    st.markdown(f"**{title}**")
    for line in lines or ["There are none."]:
        theme.quiet(line)


def _label(label: Feedback) -> str:
    name = BY_NAME[label.mood].title if label.mood else "Can't tell"
    return f"{label.n}. {name} · {label.source} · {written_time(label.given_at)}"


def _reading(reading: ShadowReading) -> str:
    read = Distribution.of(reading.probabilities)
    return f"{reading.version} · {BY_NAME[read.mood].title} {read.confidence:.0%} · {reading.took_ms:.0f} ms"


def _play(play: Play) -> str:
    again = " · another one" if play.again else ""
    return f"{play.n}. {play.playlist_name or play.playlist_id} · {play.mode} · {play.found_by}{again}"
