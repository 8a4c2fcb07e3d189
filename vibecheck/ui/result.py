"""The result of a vibe check: the playlist, its player, and "Was this right?"."""

from zoneinfo import ZoneInfo

import streamlit as st

from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.music import Suggestion
from vibecheck.ui import checking, theme

MODES = {"match": ":material/graphic_eq: Match my mood", "lift": ":material/trending_up: Lift my mood"}
PLAYER_HEIGHT = 352


@st.fragment
def result_card() -> None:
    """The card of the newest vibe check. A fragment: nothing pressed in it touches the camera."""
    result = checking.result()
    if result is None:
        return
    prediction = result.prediction
    with st.container(key="card-result"):
        details, player = st.columns([1, 1], gap="large")
        # The player's place comes first and never moves, so that the music never starts anew.
        player_place = player.container()
        with details:
            headline, reason_place = st.container(), st.container()
            mode = st.segmented_control(
                "Music",
                list(MODES),
                default="match",
                required=True,
                format_func=MODES.get,
                key="mode",
                label_visibility="collapsed",
            )
            with st.container(horizontal=True):
                another = st.button("Another one", key="another", icon=":material/shuffle:")
                link_place = st.container(width="content")
            _question()
        suggestion = _suggestion(mode, another)
        with headline:
            time = prediction.made_at.astimezone(_timezone())
            theme.quiet(f"Your vibe at {time:%H:%M} · id {prediction.id[:4]}…{prediction.id[-2:]}")
            theme.feels_like(prediction.mood)
        with reason_place:
            st.markdown(suggestion.reason)
        link_place.link_button("Open in Spotify", suggestion.playlist.url, icon=":material/open_in_new:")
        with player_place:
            st.iframe(suggestion.playlist.embed_url, height=PLAYER_HEIGHT)
            theme.quiet(f"{suggestion.playlist.name} · without a Spotify login you hear 30-second previews.")
            theme.quiet(suggestion.note)


def _suggestion(mode: str, another: bool) -> Suggestion:
    """What is playing, or the next one where the visitor asked for it."""
    given = st.session_state.suggestions
    if another or not given:
        return checking.suggest(mode, again=another)
    return given[-1] if given[-1].mode == mode else checking.suggest(mode)


def _question() -> None:
    """Was this right? Yes, or one of the other six; the last answer holds."""
    result = checking.result()
    prediction = result.prediction
    key = f"answer-{prediction.id}"
    options = [prediction.mood, *(each.name for each in EMOTIONS if each.name != prediction.mood)]

    def title(name: str) -> str:
        if name == prediction.mood:
            return ":material/check: Yes"
        return f"{BY_NAME[name].emoji} {BY_NAME[name].title}"

    def answered() -> None:
        if label := st.session_state[key]:
            checking.answer(label)

    st.pills(
        "Was this right?",
        options,
        format_func=title,
        key=key,
        on_change=answered,
        wrap=True,
        required=True,
        disabled=bool(result.problem),
    )
    if problem := result.problem or st.session_state.note:
        st.warning(problem, icon="⚠️")
    elif label := st.session_state.get(key):
        theme.quiet(f"Noted: {BY_NAME[label].title.lower()}. Thank you; press another to change it.")
    else:
        theme.quiet("Your answer measures how good the model really is, and teaches the next one.")


def _timezone() -> ZoneInfo:
    """The visitor's own time zone, as the browser tells it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ValueError, OSError, KeyError):
        return ZoneInfo("UTC")
