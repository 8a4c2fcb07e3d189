"""The corrections page: views, and one picture to label."""

from typing import Literal

import streamlit as st

from vibecheck.emotions import BY_NAME, EMOTIONS
from vibecheck.errors import RecordsError
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.values import CANT_TELL, QUEUES, Cursor, Feedback, Prediction
from vibecheck.ui.corrections import labellers, thumbnails
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.corrections.filters import chosen_filters
from vibecheck.ui.corrections.labelling_session import Batch
from vibecheck.ui.home import keep_later
from vibecheck.ui.shared import app, face_pictures, theme
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.presses import once
from vibecheck.ui.shared.visitor import local, visitor

QUEUE_WORDS = {
    "useful": "The most useful pictures to train on: rare moods and low confidence first.",
    "random": "A random sample, shown without the model's answer. Models are judged only by these labels: "
    "label every picture, with “Can't tell” where you can't.",
}
TOO_SOON = "Nothing was labelled: another face was selected at the same moment. This is the selected one."
SOURCES = {"audit": "audit", "volunteered": "volunteered", "import": "imported", "second": "second label"}


def open_linked() -> None:
    """Select the vibe check named in the address, once, if this session may see it."""
    values = st.query_params.get_all("prediction_id")
    if st.session_state.get("asked_for") == values:
        return
    st.session_state.asked_for = values
    here = session.progress()
    try:
        if values:
            found = session.look_up(values[-1])
            here.picked = found.prediction.id
            st.session_state.view = "mine" if found.prediction.visitor == visitor() else "all"
    except RecordsError as error:
        here.note = error_text(error)


@st.fragment
def page() -> None:
    """The page below its title. A fragment, so that labelling reruns nothing else."""
    try:
        view, filters = _choose()
        shown = session.shown(view, filters)
        with st.container(key="card-label"):
            if note := session.progress().note:
                st.warning(note, icon="⚠️")
                session.progress().note = ""
            here = session.progress()
            here.undoable = len(here.done)
            if shown.current is None:
                _nothing(view, filters)
                if here.done:
                    _undo()
            else:
                _to_label(view, shown)
                keep_later.ask()  # about this session's newest vibe check, whichever picture is shown
        thumbnails.around(view, shown)
        if session.is_labeller():
            labellers.counts()
    except RecordsError as error:
        st.warning(error_text(error), icon="⚠️")


def _choose() -> tuple[str, Filters]:
    """The view and its filters: visitors have only their own vibe checks, labellers everyone's."""
    allowed = session.views()
    if len(allowed) == 1:
        return allowed[0], Filters(visitor=visitor())
    if st.session_state.get("view") not in allowed:
        st.session_state.view = allowed[0]
    start = session.progress().start
    with st.container(horizontal=True, vertical_alignment="center", key="ways"):
        view = theme.choice(
            "View", session.VIEWS, "view", on_change=start, persist_state="session", wrap=True
        )
        mine = Filters(visitor=visitor() if view == "mine" else None)
        filters = chosen_filters() if view == "all" else mine
    left = app.store().queues.lengths(visitor())
    if view in QUEUES:
        theme.quiet(f"{left[view]:,} left. {QUEUE_WORDS[view]}")
    else:
        theme.quiet(f"Left to label: {left['useful']:,} in Useful, {left['random']:,} in Random.")
    return view, filters


def _nothing(view: str, filters: Filters) -> None:
    if view in QUEUES:
        theme.empty(
            "✨",
            "Nothing left to label",
            "Pictures arrive here when visitors choose “keep my face crop” on Home and check their vibe, or "
            "when you import labels (python -m vibecheck import).",
        )
    elif view == "all" and filters != Filters():
        theme.empty("🔎", "No matches", "No vibe check matches these filters.")
    elif view == "all":
        theme.empty(
            "🎧",
            "No vibe checks yet",
            "They appear here as visitors check their vibe on Home. Pictures can be labelled where visitors "
            "choose “keep my face crop”.",
        )
    else:
        theme.empty(
            "🎧",
            "No vibe checks yet",
            "Check your vibe on Home: unless you choose to keep nothing, it appears here to be corrected.",
        )


def _to_label(view: str, shown: Batch) -> None:
    """The picture to label, and the buttons, each with its key."""
    current = shown.current
    prediction = current.prediction
    blind = view == "random"
    # Laid out by the style sheet: two columns, on a phone with the buttons below both.
    with st.container(key="label-layout"):
        with st.container():
            seen = _face(prediction, blind)
        with st.container():
            if blind:
                theme.heading("What does this face show?")
            else:
                theme.looks(prediction.mood)
                theme.confidence(prediction.mood, prediction.confidence)
            theme.quiet(_facts(current, blind))
        with st.container():
            _buttons(view, shown, seen)
            if not blind:
                for given in current.labels:
                    theme.quiet(_said(given, current))


def _face(prediction: Prediction, blind: bool) -> bool | None:
    """Show the picture, if possible; returns whether the mood can be told by it, or from memory.

    None while it is only unavailable.
    """
    mine, src = prediction.visitor == visitor(), ""
    seen: bool | None = mine
    if prediction.picture_kept:
        try:
            src = face_pictures.data_uri(prediction.id, face_pictures.SIDE)
        except RecordsError as error:
            st.warning(error_text(error), icon="⚠️")
            seen = mine or None
    if not src:
        says = "The picture cannot be read." if prediction.picture_kept else "No picture was kept."
    else:
        says = "A face to label" if blind else f"A face that looks {BY_NAME[prediction.mood].adjective}"
    face_pictures.large(src, says)
    return bool(src) or seen


def _facts(current: LabelledPrediction, blind: bool) -> str:
    prediction = current.prediction
    when = f"{local(prediction.made_at):%d %b %Y, %H:%M}"
    if blind or not session.is_labeller():
        return when
    return f"{when} · {prediction.model_version} · id {prediction.id[:4]}…{prediction.id[-2:]}"


def _buttons(view: str, shown: Batch, seen: bool | None) -> None:
    """The seven moods, Right, Can't tell, Undo. Each button belongs to the picture shown, so that a hasty
    second press never labels the next picture unseen. Only “Can't tell” is for a damaged picture, and none
    for one that is only unavailable."""
    prediction = shown.current.prediction
    session.progress().drawn = prediction.id
    then = session.next_after(view, shown)
    seeable = session.may_label(shown.current)

    def button(label: str, name: str, key: str, kind: Literal["primary", "secondary"] = "secondary") -> None:
        st.button(
            label,
            key=f"{key}-{prediction.id}",
            shortcut=key,
            type=kind,
            on_click=once(_label),
            args=(view, prediction.id, then, name),
            disabled=not (seen or (seen is not None and seeable and name == CANT_TELL)),
        )

    if not seeable:
        theme.quiet("Its picture was not kept, so only its visitor can label it.")
    with st.container(horizontal=True, gap="small", key="label-moods"):
        for number, emotion in enumerate(EMOTIONS, start=1):
            button(f"{emotion.emoji} {emotion.title}", emotion.name, str(number))
    with st.container(horizontal=True, gap="small", key="label-others"):
        if view != "random":
            button(":material/check: Right", prediction.mood, "Enter", "primary")
        button("🤷 Can't tell", CANT_TELL, "0")
        _undo()


def _undo() -> None:
    count = session.progress().undoable
    st.button(
        "Undo",
        key=f"undo-{count}",
        icon=":material/undo:",
        shortcut="U",
        on_click=once(session.undo),
        args=(count,),
        disabled=not count,
    )


def _label(view: str, prediction_id: str, then: str | Cursor | None, name: str) -> None:
    """Label the picture shown, unless another face was selected in the same run: which of the two was meant
    is then unknown."""
    if thumbnails.just_pressed() is None:
        session.label(view, prediction_id, then, name)
    else:
        session.progress().note = TOO_SOON


def _said(given: Feedback, current: LabelledPrediction) -> str:
    """Who labelled it, as what, and when."""
    what = "can't tell" if given.mood is None else BY_NAME[given.mood].adjective
    if given.given_by == visitor():
        who = "You"
    elif given.given_by is not None and given.given_by == current.prediction.visitor:
        who = "Its visitor"
    else:
        who = labellers.name(given.given_by) if session.is_labeller() else "A labeller"
    how = f"{given.queue} queue" if given.queue else SOURCES.get(given.source, "")
    return f"{who} said {what}{f' ({how})' if how else ''} · {local(given.given_at):%d %b, %H:%M}"
