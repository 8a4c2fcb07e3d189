"""The labels that are new to the champion: the number of each mood, and their pictures."""

from collections.abc import Sequence

import streamlit as st

from vibecheck.analytics import markup
from vibecheck.analytics.agreement import Outlier
from vibecheck.analytics.words import written
from vibecheck.emotions import BY_NAME
from vibecheck.errors import RecordsError
from vibecheck.records.labels.trainable import LabelCount
from vibecheck.records.stats.results import Example
from vibecheck.text.plurals import counted
from vibecheck.ui.corrections import labellers
from vibecheck.ui.fine_tune import tiles
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, theme

TILES = 12


def show(known: FineTuneState) -> None:
    """The number of new labels, by mood, and the newest pictures."""
    labels = known.labels
    with theme.card("labels", "New labels", _note(known)):
        _outliers(known.outliers)
        if not labels.total:
            _none(known)
            return
        right = sum(each.right for each in labels.counts)
        st.html(
            f'<div><span class="vcd-number">{labels.total:,}</span> '
            f'<span class="vcd-interval">{right:,} confirmed, {labels.total - right:,} corrected</span></div>'
            f'<div class="vcd-detail">{labels.usable:,} usable, {labels.suspect_count:,} look wrong.</div>'
        )
        st.html(_bars(labels.counts))
        chosen = st.pills(
            "Pictures of",
            [each.label for each in labels.counts if each.n],
            format_func=lambda name: f"{BY_NAME[name].emoji} {BY_NAME[name].title}",
            key="ft-pictures",
            wrap=True,
        )
        try:
            newest = app.store().trainable.newest(TILES, labels.since, chosen)
            st.html(tiles.grid(map(_tile, newest)))
        except RecordsError as error:
            st.error(str(error), icon="⚠️")


def _outliers(found: Sequence[Outlier]) -> None:
    """Labellers who often disagree with the others, each with a link to their labels."""
    for each in found:
        st.warning(
            f"{labellers.name(each.labeller)} and the others agree on {each.theirs.value:.0%} of "
            f"{each.theirs.n} faces; the others among themselves on {each.others.value:.0%} of "
            f"{each.others.n}. Their labels train the next model like any other: review them first.",
            icon="⚠️",
        )
        if st.button("Review their labels", icon=":material/rate_review:", key=f"ft-review-{each.labeller}"):
            labellers.review(each.labeller)


def _note(known: FineTuneState) -> str:
    if known.labels.since is None:
        return "with a picture · none was used to train the current model"
    return f"with a picture · given since {known.champion.version} was trained"


def _none(known: FineTuneState) -> None:
    if known.labels.since is None:
        title = "No labels yet"
        text = "Models are trained on labels with a picture. Label some on Corrections, or import your own."
    else:
        title = "No new labels"
        text = f"There are none since {written(known.labels.since)}. Label pictures on Corrections."
    theme.empty("🏷️", title, text)
    if st.button("Open Corrections", icon=":material/edit:", key="ft-to-corrections"):
        st.switch_page("pages/1_Corrections.py")


def _bars(counts: Sequence[LabelCount]) -> str:
    """A row for each mood, in its colour."""
    most = max(each.n for each in counts)
    rows = []
    for each in counts:
        mood = BY_NAME[each.label]
        said = f"{counted(each.n, 'label')}, of which {each.right:,} confirm the model's answer."
        bar = f'<i style="left:0;width:{each.n / most:.1%};background:{mood.colour}"></i>'
        note = f"{each.n - each.right:,} corrected"
        rows.append(markup.strip_row(f"{mood.emoji} {mood.title}", bar, f"{each.n:,}", note, said))
    return markup.strip_rows(rows)


def _tile(each: Example) -> str:
    words = "right" if each.label == each.mood else f"shown as {BY_NAME[each.mood].title.lower()}"
    return tiles.tile(each.prediction_id, each.label, words, f"by {each.kind}")
