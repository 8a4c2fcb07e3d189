"""The result of a vibe check: the playlist, its player, and "Was this right?"."""

import streamlit as st

from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.music.recommender import Mode, Suggestion
from vibecheck.records.values import Prediction
from vibecheck.ui.home import keep_later, vibe_check
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.visitor import timezone

MODES: dict[Mode, str] = {
    "match": ":material/graphic_eq: Match my mood",
    "lift": ":material/trending_up: Lift my mood",
}
PLAYER_HEIGHT = 352


@st.fragment
def result_card() -> None:
    """The card of the newest vibe check. A fragment: nothing pressed in it touches the camera."""
    result = vibe_check.result()
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
            time = prediction.made_at.astimezone(timezone())
            known = f" · id {prediction.id[:4]}…{prediction.id[-2:]}" if result.recorded else ""
            theme.quiet(f"Your vibe at {time:%H:%M}{known}")
            theme.feels_like(prediction.mood)
        with reason_place:
            st.markdown(suggestion.reason)
        link_place.link_button("Open in Spotify", suggestion.playlist.url, icon=":material/open_in_new:")
        with player_place:
            st.iframe(suggestion.playlist.embed_url, height=PLAYER_HEIGHT)
            theme.quiet(f"{suggestion.playlist.name} · without a Spotify login you hear 30-second previews.")
            theme.quiet(suggestion.note)


def _suggestion(mode: Mode, another: bool) -> Suggestion:
    """What is playing, or the next one where the visitor asked for it."""
    given = st.session_state.suggestions
    if another or not given:
        return vibe_check.suggest(mode, again=another)
    return given[-1] if given[-1].mode == mode else vibe_check.suggest(mode)


def _question() -> None:
    """Of an audit, "Was this right?"; of the others a small "Not right?". The last answer holds."""
    result = vibe_check.result()
    prediction = result.prediction
    if result.problem:
        st.warning(result.problem, icon="⚠️")
        return
    if not result.recorded:
        theme.quiet("Nothing of this vibe check was kept, as you chose.")
        return
    key = f"answer-{prediction.id}"
    if prediction.audit:
        _answers("Was this right?", prediction, [prediction.mood, *_other_moods(prediction.mood)], key)
    elif st.toggle("Not right?", key=f"wrong-{prediction.id}"):
        _answers("What was it?", prediction, _other_moods(prediction.mood), key)
    label = st.session_state.get(key)
    if problem := st.session_state.note:
        st.warning(problem, icon="⚠️")
    elif label:
        theme.quiet(f"Noted: {BY_NAME[label].title.lower()}. Thank you; press another to change it.")
    elif prediction.audit:
        theme.quiet("Your answer measures how good the model really is, and teaches the next one.")
    keep_later.ask(prediction, label)


def _answers(question: str, prediction: Prediction, moods: list[str], key: str) -> None:
    """A pill for each mood; the model's own says Yes."""

    def title(name: str) -> str:
        own = name == prediction.mood
        return ":material/check: Yes" if own else f"{BY_NAME[name].emoji} {BY_NAME[name].title}"

    def answered() -> None:
        if label := st.session_state[key]:
            vibe_check.answer(prediction, label)

    st.pills(question, moods, format_func=title, key=key, on_change=answered, wrap=True, required=True)


def _other_moods(mood: str) -> list[str]:
    return [each.name for each in EMOTIONS if each.name != mood]
