"""Dashboard: how accurate the model is with users, where it fails, and whether to retrain."""

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
    "Measured by audits, which are drawn at random, so that complaints do not count more than silence.",
)
known = statistics.choose()
if known.enough:
    cards.headline(known)

    line, confusion = st.columns([1.4, 1], gap="small")
    with line:
        cards.trend(known)
    with confusion:
        cell = cards.matrix(known)

    examples = gallery.gallery(known, cell)

    slices, advice = st.columns([1.4, 1], gap="small")
    with slices:
        cards.error_slices(known)
    with advice:
        cards.retrain(known)

    pairs, calibration, drift = st.columns(3, gap="small")
    with pairs:
        cards.pairs(known)
    with calibration:
        cards.calibration(known)
    with drift:
        cards.drift(known)

    cards.models(known)
    cards.use(known)
    cards.downloads(known, examples)
else:
    cards.too_few(known)
comet_status.fetch_button(app.store)
trace.trace_if_asked()
app.end_page("dashboard")
