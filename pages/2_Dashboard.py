"""Dashboard: how good it really is, where it fails, and whether to train the next model."""

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.ui import app, comet_state, gate, theme

app.start_page("Dashboard")
gate.require(Role.ANALYST)

# Statistics and charts take 150 MB, which only those who come here should pay.
from vibecheck.ui import dashboard, dashboard_cards, dashboard_gallery, dashboard_trace  # noqa: E402

theme.intro(
    "How good is it, really?",
    "Answers come from vibe checks picked at random and asked about, so that loud mistakes do not weigh "
    "double. Days are those of UTC.",
)
shown = dashboard.filters()
dashboard_cards.headline(shown)

line, goes = st.columns([1.4, 1], gap="small")
with line:
    dashboard_cards.trend(shown)
with goes:
    cell = dashboard_cards.matrix(shown)

examples = dashboard_gallery.gallery(shown, cell)

slices, advice = st.columns([1.4, 1], gap="small")
with slices:
    dashboard_cards.fails(shown)
with advice:
    dashboard_cards.retrain(shown)

pairs, trust, drift = st.columns(3, gap="small")
with pairs:
    dashboard_cards.pairs(shown)
with trust:
    dashboard_cards.confidence(shown)
with drift:
    dashboard_cards.drift(shown)

dashboard_cards.models(shown)
dashboard_cards.use(shown)
dashboard_cards.downloads(shown, examples)
comet_state.fetch_button(app.store)
dashboard_trace.trace_if_asked()
app.end_page("dashboard")
