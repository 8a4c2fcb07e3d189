"""The stage: live video, a photo or an uploaded file, and the button that checks the vibe of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.scriptrunner import RerunException, StopException
from streamlit.runtime.uploaded_file_manager import DeletedFile, UploadedFile

from vibecheck.analytics.clip_chart import clip_timeline
from vibecheck.errors import PictureError, TooManyChecks
from vibecheck.ui.access import upload_quota
from vibecheck.ui.home import live, vibe_check
from vibecheck.ui.shared import face_pictures, theme
from vibecheck.ui.shared.presses import once, remember
from vibecheck.video.clip import EVERY
from vibecheck.vision.decoding_slots import decoding_slot, video_slot
from vibecheck.vision.image_formats import EXTENSIONS
from vibecheck.vision.picture_folders import is_video_upload

WAYS = {
    "live": ":material/videocam: Live",
    "photo": ":material/photo_camera: Photo",
    "upload": ":material/upload: Upload",
}
# Those of the containers in `clip.UPLOAD`.
CLIPS = ("mp4", "mov", "m4v", "webm", "mkv", "avi", "3gp")
WAITING = "Other pictures are being read. Yours is next in a moment."
LOST = "After a long interruption, the app no longer has this file: remove it, and add it again."
WAITING_FOR_CLIP = "Another video is being read. Yours is next; it can take a minute."


@dataclass(frozen=True, slots=True)
class Input:
    """What the visitor shows: live video, a photo, or nothing yet.

    `way` is the chosen source. `photo` is an unparsed picture or video, with an id of its own, and `place`
    is where its check shows the progress.
    """

    way: str
    playing: bool = False
    photo: UploadedFile | None = None
    place: DeltaGenerator | None = None


def stage() -> Input:
    """The chosen source, and the button that checks the vibe of what it shows."""
    st.session_state.pop("redraw", None)  # for which the card would run the page again
    with st.container(key="stage-box", gap=None):
        with st.container(key="way-in"):
            way = theme.choice("Source", WAYS, "way", default="live")
        with st.container(key=f"view-{way}"):
            shown = _input(way)
            checked = st.container(key="checked")
        button = st.container(key="check-place")
    problem = st.empty()
    if shown.playing or shown.photo is not None:
        with button:
            _button(shown)
    if sentence := st.session_state.pop("problem", ""):
        problem.warning(theme.literal(sentence), icon=":material/face_retouching_off:")
    with checked:
        _checked(shown)
    return replace(shown, place=problem)


def _input(way: str) -> Input:
    if way == "live":
        return Input(way, playing=live.video())
    if way == "upload":
        file = st.file_uploader(
            "A picture or a short video with a face", type=[*EXTENSIONS, *CLIPS], key="upload"
        )
        if refused := upload_quota.refusal():
            st.session_state.problem = refused
    else:
        file = st.camera_input("Look into the camera", key="photo", label_visibility="collapsed")
    if isinstance(st.session_state[way], DeletedFile):  # the browser shows it, but this session is a new one
        st.session_state.problem = LOST
    return Input(way, photo=file)


def _button(shown: Input) -> None:
    result = vibe_check.shown()
    if result is not None and (shown.photo is None or result.photo == shown.photo.file_id):
        st.button("Check again", type="primary", key="again", on_click=vibe_check.close)
    else:
        st.button("Check my vibe", type="primary", key="check", on_click=once(_check), args=[shown.photo])


def _check(photo: UploadedFile | None) -> None:
    if photo is not None:
        st.session_state.checking = photo.file_id  # by check_file
    else:
        check_live()


def check_live(number: int | None = None) -> None:
    """Check the vibe of the live video; `number` is that of the mark that it showed at the press."""
    with _telling():
        vibe_check.check_moment(live.moment(number))


def check_file(shown: Input) -> None:
    """Check the vibe of a picture or a video, if that was asked for. Call it when the page is drawn.

    A press meanwhile ends this run: the next one draws what was pressed, and begins the check again.
    """
    photo, place = shown.photo, shown.place
    upload_quota.keep_only(photo.file_id if photo else "")
    if photo is None or place is None or st.session_state.pop("checking", "") != photo.file_id:
        return
    data = photo.getvalue()
    try:
        with _telling():
            if is_video_upload(data, photo.name):
                with video_slot(partial(place.info, WAITING_FOR_CLIP, icon=":material/hourglass_top:")):
                    seen = partial(place.progress, text="Reading the video…")
                    vibe_check.check_clip(data, photo.name, photo.file_id, seen)
            else:
                with decoding_slot(waiting=partial(place.info, WAITING, icon=":material/hourglass_top:")):
                    vibe_check.check_photo(data, photo.name, shown.way, photo.file_id)
    except (RerunException, StopException):  # another run was requested, or the connection was lost
        remember(checking=photo.file_id)
        raise
    st.rerun()  # with the other button


@contextmanager
def _telling() -> Iterator[None]:
    """Tell the visitor why no vibe check was made."""
    try:
        yield
    except (PictureError, TooManyChecks) as error:
        st.session_state.problem = str(error)


def _checked(shown: Input) -> None:
    """The photo with boxes around its faces, or the moods of the video over time, once it was checked."""
    result = vibe_check.result()
    if shown.photo is None or result is None or result.photo != shown.photo.file_id:
        return
    if result.timeline:
        theme.chart(clip_timeline(result.timeline, EVERY, result.summary))
        theme.quiet(result.summary)
        return
    if shown.way == "upload" or result.faces > 1:
        face_pictures.show(result.picture, "photo", "Your photo with the faces that were found")
    if result.faces > 1:
        theme.quiet(f"{result.faces} faces: the largest was read.")
