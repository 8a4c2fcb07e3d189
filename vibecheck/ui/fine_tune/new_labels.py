"""The labels that are new to the champion: how many of each mood, and their pictures."""

import streamlit as st

from vibecheck.analytics import markup
from vibecheck.emotions import BY_NAME
from vibecheck.errors import PictureError, RecordsError
from vibecheck.records.labels.trainable import LabelCount
from vibecheck.records.stats.results import Example
from vibecheck.ui.fine_tune import state
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import face_pictures, theme

TILES = 12


def new(known: FineTuneState) -> None:
    """How much there is to learn from, by mood, with the pictures."""
    with st.container(key="card-labels", height="stretch"):
        try:
            counts = state.learnable().counts(known.new_since)
        except RecordsError as error:
            state.stop(error)
        total = sum(each.n for each in counts)
        st.html(f'<h2 class="vcd-title">New labels <span>{markup.escape(_note(known))}</span></h2>')
        if not total:
            _nothing(known)
            return
        st.html(
            f'<div><span class="vcd-number">{total:,}</span> '
            f'<span class="vcd-interval">{sum(each.right for each in counts):,} confirmed, '
            f"{sum(each.n - each.right for each in counts):,} corrected</span></div>"
        )
        st.html(_bars(counts))
        chosen = st.pills(
            "Pictures of",
            [each.label for each in counts if each.n],
            format_func=lambda name: f"{BY_NAME[name].emoji} {BY_NAME[name].title}",
            key="ft-pictures",
            wrap=True,
        )
        try:
            _pictures(state.learnable().newest(TILES, known.new_since, chosen))
        except RecordsError as error:
            st.error(str(error), icon="⚠️")


def _note(known: FineTuneState) -> str:
    if known.new_since is None:
        return "with a picture · the model in use has learned from none of them"
    return f"with a picture · given since {known.champion.version.version} was trained"


def _nothing(known: FineTuneState) -> None:
    if known.new_since is None:
        title = "Nothing to learn from yet"
        words = "A model learns from labels with a picture. Give some under Corrections, or import your own."
    else:
        title = "No new labels"
        words = f"Nothing was labelled since {state.spoken(known.new_since)}. Corrections is the place."
    theme.empty("🏷️", title, words)
    if st.button("To Corrections", icon=":material/edit:", key="ft-to-corrections"):
        st.switch_page("pages/1_Corrections.py")


def _bars(counts: list[LabelCount]) -> str:
    """A row a mood, in its colour; the part that the model in use got right is lighter."""
    most = max(each.n for each in counts)
    rows = []
    for each in counts:
        mood = BY_NAME[each.label]
        spoken = f"{each.n} labels, {each.right} of them confirm the answer"
        rows.append(
            f'<span class="vcd-name">{mood.emoji} {mood.title}</span>'
            f'<span class="vcd-strip" role="img" aria-label="{spoken}" title="{spoken}">'
            f'<i style="left:0;width:{each.n / most:.1%};background:{mood.colour}"></i></span>'
            f'<span class="vcd-value">{each.n:,}</span>'
            f'<span class="vcd-n">{each.n - each.right:,} wrong</span>'
        )
    return f'<div class="vcd-slices">{"".join(rows)}</div>'


def _pictures(shown: list[Example]) -> None:
    known = st.session_state.get("ft-thumbnails", {})
    sources = {each.prediction_id: known.get(each.prediction_id) or _source(each) for each in shown}
    st.session_state["ft-thumbnails"] = sources
    tiles = "".join(_tile(each, sources[each.prediction_id]) for each in shown)
    st.html(f'<div class="vcf-tiles">{tiles}</div>')


def _source(each: Example) -> str:
    try:
        return face_pictures.data_uri(state.app.store().get(each.prediction_id), face_pictures.THUMBNAIL)
    except (PictureError, RecordsError):  # deleted since the page was read
        return ""


def _tile(each: Example, source: str) -> str:
    said = BY_NAME[each.label]
    right = each.label == each.mood
    words = "right" if right else f"shown as {BY_NAME[each.mood].title.lower()}"
    spoken = f"{said.title}, {words}, by {each.kind}"
    face = (
        f'<img src="{source}" alt="{spoken}">'
        if source
        else f'<span class="vc-emoji" role="img" aria-label="{spoken}">{said.emoji}</span>'
    )
    return (
        f'<figure title="{spoken}">{face}<figcaption style="color:{said.colour}">{said.title}'
        f"<small>{words}</small></figcaption></figure>"
    )
