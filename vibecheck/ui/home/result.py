"""The card beside the stage: the mood, "Was this right?", and the music."""

from functools import partial

import streamlit as st

from vibecheck.emotions import BY_NAME, NAMES, Distribution
from vibecheck.music.recommender import MODES, Mode, Suggestion
from vibecheck.records.values import Prediction
from vibecheck.ui.home import camera, keep_later, mood_card, vibe_check
from vibecheck.ui.home.camera import Input
from vibecheck.ui.home.share_picture import share_picture
from vibecheck.ui.home.vibe_check import Result
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.presses import once

PLAYER_HEIGHT = 152  # px: Spotify's compact player
NO = "no"


def card(shows: Input) -> None:
    """The live mood or the newest result.

    It is a fragment, so that it never touches the camera, except while a file is read: a press in a fragment
    would wait for that.
    """
    if shows.photo is None or shows.photo.file_id != st.session_state.get("checking"):
        st.fragment(_card)(shows)
    else:
        with st.container():  # like that of a fragment: the player loads again if it is moved
            _card(shows)


def _card(shows: Input) -> None:
    if st.session_state.pop("redraw", False):
        st.rerun()
    result = vibe_check.shown()
    # All containers first: the player loads again if an element before it appears or disappears.
    head, question, player, choices = (st.container() for _ in range(4))
    prediction = result.prediction if result and result.recorded else None
    with head:
        mood_card.draw(
            shows.playing,
            mood_card.HOW[shows.way] if shows.photo is None else mood_card.READY,
            result,
            _check,
            partial(vibe_check.answer, prediction) if prediction else None,
        )
    with question:
        if result is not None:
            _question(result)
    if result is not None:
        with choices:
            _music(result)
    if playing := vibe_check.playing():
        player.iframe(playing.suggestion.playlist.embed_url, height=PLAYER_HEIGHT)
    with choices, st.container(horizontal=True, key="more"):
        if result is not None:
            _share(result)
        if result is None or not shows.playing:  # while video plays, "Check again" returns to the live mood
            _pick()


def _check(number: int) -> None:
    camera.check_live(number)
    st.session_state.redraw = True  # the stage, which is outside this fragment


def _music(result: Result) -> None:
    """The playlist, why it was suggested, and the controls that change it."""
    with st.container(horizontal=True, key="music"):
        default = None if "mode" in st.session_state else "match"
        chosen = theme.choice("Music", MODES, "mode", default=default, persist_state="session")
        mode: Mode = "lift" if chosen == "lift" else "match"
        st.button(
            "Another one",
            key="another",
            icon=":material/shuffle:",
            on_click=once(partial(vibe_check.suggest, again=True)),
            args=[result, mode],
        )
    suggestion = _suggestion(result, mode)
    playlist = suggestion.playlist
    theme.linked(f"{playlist.name} · {suggestion.reason}", playlist.url, "Open in Spotify")
    theme.quiet("Without a Spotify login you hear 30-second previews. " + suggestion.note)


def _share(result: Result) -> None:
    """A picture of the result to download; the visitor's face is on it only if they say so each time."""
    playing, prediction = vibe_check.playing(), result.prediction
    read = Distribution.of(prediction.probabilities) if prediction else None
    right = read is not None and result.heard == read.mood
    with st.popover("Share", type="tertiary", icon=":material/ios_share:", key="share"):
        theme.quiet("A picture of this mood and its playlist, to post wherever you like.")
        with_face = bool(result.face) and st.checkbox("With my face", key=f"share-face-{result.key}")
        st.download_button(
            "Download picture",
            partial(
                share_picture,
                result.heard,
                read.probabilities if read and right else (),
                playing.suggestion.playlist.name if playing else "",
                result.face if with_face else b"",
                read.runner_up if read and not result.clear else "",
            ),
            f"my-vibe-{result.heard}.png",
            "image/png",
            key="share-picture",
            icon=":material/download:",
            on_click="ignore",
        )


def _suggestion(result: Result, mode: Mode) -> Suggestion:
    """The current playlist, or another one if it does not fit this result."""
    playing = vibe_check.playing()
    wanted = result.key, result.heard, mode
    if playing and (playing.result, playing.mood, playing.suggestion.mode) == wanted:
        return playing.suggestion
    return vibe_check.suggest(result, mode)


def _question(result: Result) -> None:
    """For audits "Was this right?", for other vibe checks a quiet "Not right?". The last answer counts."""
    prediction = result.prediction
    if result.problem:
        st.warning(result.problem, icon="⚠️")
    if prediction is None or (result.problem and not result.recorded):
        return
    if not result.recorded:
        theme.quiet("Nothing from this vibe check was kept, as you chose.")
        return
    opened = f"opened-{prediction.id}"
    if not (prediction.audit or result.said or st.session_state.get(opened)):
        with st.container(key="not-right"):
            st.button(
                "Not right?", key=f"wrong-{prediction.id}", type="tertiary", on_click=_open, args=[opened]
            )
        return
    _answers(prediction, result.said, opened)
    note = st.session_state.note
    if note == vibe_check.ONLY_MUSIC:
        theme.quiet(note)
    elif note:
        st.warning(note, icon="⚠️")
    elif result.said:
        theme.quiet(f"Noted: {BY_NAME[result.said].adjective}. Thank you. Press another answer to change it.")
    keep_later.ask()


def _answers(prediction: Prediction, said: str, opened: str) -> None:
    """Yes and No; after No the other six moods."""
    key = f"answer-{prediction.id}"
    wrong = st.session_state.get(opened) or said not in ("", prediction.mood)
    others = [name for name in NAMES if name != prediction.mood] if wrong else [NO]

    def title(name: str) -> str:
        if name == NO:
            return "No…"
        if name == prediction.mood:
            return ":material/check: Yes"
        return f"{BY_NAME[name].emoji} {BY_NAME[name].title}"

    def answered() -> None:
        label = st.session_state[key]
        if label == NO:
            _open(opened)
        elif label:
            vibe_check.answer(prediction, label)

    options = [prediction.mood, *others] if prediction.audit or not wrong else others
    # The answer may have come by keyboard, or before the page was reloaded.
    st.session_state[key] = said if said in options else None
    st.pills(
        "Was this right?" if prediction.audit else "What was it?",
        options,
        format_func=title,
        key=key,
        on_change=answered,
        wrap=True,
    )


def _open(opened: str) -> None:
    st.session_state[opened] = True


def _pick() -> None:
    """Music without a camera."""

    def picked(name: str) -> None:
        st.session_state.moods = False  # closed
        vibe_check.pick(name)
        st.session_state.redraw = True

    with st.popover("Pick a mood yourself", type="tertiary", key="moods", on_change="rerun"):
        for name in NAMES:
            title = f"{BY_NAME[name].emoji} {BY_NAME[name].title}"
            st.button(title, key=f"pick-{name}", on_click=once(picked), args=[name], width="stretch")
