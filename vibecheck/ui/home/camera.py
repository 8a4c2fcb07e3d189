"""The ways in: live video, a photo, an upload; and the card with the mood.

It reads no picture itself: checking.py does.
"""

from dataclasses import dataclass
from functools import partial

import streamlit as st

from vibecheck.errors import PictureError, TooManyChecks
from vibecheck.ui.home import live, vibe_check
from vibecheck.ui.home.consent import Keep
from vibecheck.ui.shared import theme
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
    """A picture as it came in: `data` are its bytes, unparsed; `key` tells it from any other."""

    source: str
    name: str
    data: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Input:
    """What the visitor shows now: live video, or a photo, or nothing yet."""

    playing: bool = False
    photo: Photo | None = None


def choose() -> Input:
    """The chosen way in, and what came in by it. Without a working camera, an upload is at hand."""
    way = st.segmented_control(
        "Way in",
        list(WAYS),
        default="live",
        required=True,
        format_func=WAYS.get,
        key="way",
        label_visibility="collapsed",
    )
    if way == "upload":
        return Input(photo=_uploaded())
    if way == "photo":
        file = st.camera_input("Look into the camera", key="photo", label_visibility="collapsed")
        return Input(photo=_photo("photo", file))
    playing, trouble = live.video()
    if not trouble:
        return Input(playing=playing)
    st.warning(live.TROUBLE[trouble], icon=":material/videocam_off:")
    return Input(playing=playing, photo=_uploaded())


def found(photo: Photo | None) -> None:
    """The photo that was checked last, with its faces boxed, while it is the one at hand."""
    result = vibe_check.result()
    if photo is None or result is None or result.photo != photo.key:
        return
    if photo.source == "upload" or result.faces > 1:
        st.image(result.picture)
    if result.faces > 1:
        theme.quiet(f"{result.faces} faces: the largest was read.")


def check(shown: Input, keep: Keep) -> None:
    """The mood card, and the button that checks the vibe of what is shown and keeps what may be kept."""
    card, problem, button = st.container(), st.empty(), st.container()
    nothing = not shown.playing and shown.photo is None
    if button.button("Check my vibe", type="primary", width="stretch", disabled=nothing, key="check"):
        try:
            tell = partial(problem.info, WAITING, icon=":material/hourglass_top:")
            with decoding_slot(not shown.playing, tell):
                _check(shown, keep)
            problem.empty()
        except (PictureError, TooManyChecks) as error:
            problem.warning(str(error), icon=":material/face_retouching_off:")
    with card:
        if shown.playing:
            live.readout()
        else:
            _last_result()


def _check(shown: Input, keep: Keep) -> None:
    if shown.playing:
        vibe_check.check_moment(live.moment(), keep)
    else:
        photo = shown.photo
        picture = images.decode(photo.data, name=photo.name)
        vibe_check.check_photo(picture, photo.source, photo.key, keep)


def _last_result() -> None:
    """The mood of the newest vibe check, or a place for it."""
    result = vibe_check.result()
    if result is None:
        theme.empty_mood_card("🎧", "Your vibe", "Show your face, then press the button.")
        theme.hint("")
    else:
        prediction = result.prediction
        theme.mood_card(prediction.mood, prediction.confidence, prediction.probabilities)
        theme.hint(" ".join(result.hints))


def _photo(source: str, file) -> Photo | None:
    return None if file is None else Photo(source, file.name, file.getvalue(), file.file_id)


def _uploaded() -> Photo | None:
    file = st.file_uploader("A picture with a face", type=list(EXTENSIONS), key="upload")
    return _photo("upload", file)
