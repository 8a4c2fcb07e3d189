"""The stage: live video, a photo or an upload, and the button that checks the vibe of it."""

from dataclasses import dataclass
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from vibecheck.errors import PictureError, TooManyChecks
from vibecheck.ui.access import upload_quota
from vibecheck.ui.home import consent, live, vibe_check
from vibecheck.ui.shared import face_pictures, theme
from vibecheck.vision import images
from vibecheck.vision.decoding_slots import decoding_slot
from vibecheck.vision.image_formats import EXTENSIONS

WAYS = {
    "live": ":material/videocam: Live",
    "photo": ":material/photo_camera: Photo",
    "upload": ":material/upload: Upload",
}
WAITING = "Other pictures are being read. Yours is next in a moment."


@dataclass(frozen=True, slots=True)
class Photo:
    """An unparsed picture; `key` differs for each photo and upload."""

    source: str
    name: str
    data: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Input:
    """What the visitor shows: live video, a photo, or nothing yet."""

    playing: bool = False
    photo: Photo | None = None


def stage() -> Input:
    """The chosen source, and the button that checks the vibe of what it shows."""
    with st.container(key="stage-box", gap=None):
        with st.container(key="way-in"):
            way = st.segmented_control(
                "Source",
                list(WAYS),
                default="live",
                required=True,
                format_func=WAYS.get,
                key="way",
                label_visibility="collapsed",
            )
        with st.container(key=f"view-{way}"):
            shown = _input(way)
            checked = st.container(key="checked")
        button = st.container(key="check-place")
    problem = st.empty()
    began = shown.playing and not st.session_state.get("was_playing")
    st.session_state.was_playing = shown.playing
    if began:
        vibe_check.close()
    if shown.playing or shown.photo is not None:
        with button:
            _button(shown, problem)
    if sentence := st.session_state.pop("problem", ""):
        problem.warning(sentence, icon=":material/face_retouching_off:")
    with checked:
        _checked(shown.photo)
    return shown


def _input(way: str) -> Input:
    if way == "upload":
        file = st.file_uploader("A picture with a face", type=list(EXTENSIONS), key="upload")
        if refused := upload_quota.refusal():
            st.session_state.problem = refused
        return Input(photo=_photo("upload", file))
    if way == "photo":
        file = st.camera_input("Look into the camera", key="photo", label_visibility="collapsed")
        return Input(photo=_photo("photo", file))
    return Input(playing=live.video())


def _button(shown: Input, problem: DeltaGenerator) -> None:
    result = vibe_check.shown()
    if result is not None and (shown.photo is None or result.photo == shown.photo.key):
        st.button("Check again", type="primary", key="again", on_click=vibe_check.close)
    elif st.button("Check my vibe", type="primary", key="check"):
        with decoding_slot(
            not shown.playing, partial(problem.info, WAITING, icon=":material/hourglass_top:")
        ):
            check(shown)
        st.rerun()  # with the other button


def check(shown: Input, number: int | None = None) -> None:
    """Check the vibe of what is shown; `number` is that of the mark that live video showed at the press."""
    keep = consent.choice()
    try:
        if shown.photo is None:
            vibe_check.check_moment(live.moment(number), keep)
        else:
            photo = shown.photo
            picture = images.decode(photo.data, name=photo.name)
            vibe_check.check_photo(picture, photo.source, photo.key, keep)
    except (PictureError, TooManyChecks) as error:
        st.session_state.problem = str(error)


def _checked(photo: Photo | None) -> None:
    """The photo with its faces boxed, once it was checked."""
    result = vibe_check.result()
    if photo is None or result is None or result.photo != photo.key:
        return
    if photo.source == "upload" or result.faces > 1:
        face_pictures.photo(result.picture, "Your photo with the faces that were found")
    if result.faces > 1:
        theme.quiet(f"{result.faces} faces: the largest was read.")


def _photo(source: str, file) -> Photo | None:
    return None if file is None else Photo(source, file.name, file.getvalue(), file.file_id)
