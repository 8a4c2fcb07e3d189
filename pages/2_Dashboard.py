"""Dashboard: how good it really is, where it fails, and whether to train the next model."""

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.ui.access import gate
from vibecheck.ui.shared import app, comet_status, theme

app.start_page("Dashboard")
gate.require(Role.ANALYST)

# Statistics and charts take 150 MB, which only those who come here should pay.
from vibecheck.ui.dashboard import cards, gallery, statistics, trace  # noqa: E402

theme.intro(
    "How good is it, really?",
    "Answers come from vibe checks picked at random and asked about, so that loud mistakes do not weigh "
    "double. Days are those of UTC.",
)
shown = statistics.filters()
cards.headline(shown)

line, goes = st.columns([1.4, 1], gap="small")
with line:
    cards.trend(shown)
with goes:
    cell = cards.matrix(shown)

examples = gallery.gallery(shown, cell)

slices, advice = st.columns([1.4, 1], gap="small")
with slices:
    cards.fails(shown)
with advice:
    cards.retrain(shown)

pairs, trust, drift = st.columns(3, gap="small")
with pairs:
    cards.pairs(shown)
with trust:
    cards.confidence(shown)
with drift:
    cards.drift(shown)

cards.models(shown)
cards.use(shown)
cards.downloads(shown, examples)
comet_status.fetch_button(app.store)
trace.trace_if_asked()
app.end_page("dashboard")
