"""Fine-tune: what was corrected trains the next model, which goes live once it is proved better."""

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.ui.access import gate
from vibecheck.ui.shared import app, theme

app.start_page("Fine-tune")
gate.require(Role.TRAINER)

# Charts take 150 MB, which only those who come here should pay.
from vibecheck.ui.fine_tune import data, labels, run, start, verdict, versions  # noqa: E402

theme.intro(
    "Learn from what was wrong",
    "What people set right trains the next model. It goes live once it is proved better, and the one before "
    "is a press away.",
)
known = data.known()
run.live(known)
verdict.last(known)

left, right = st.columns([1.35, 1], gap="medium")
with left:
    labels.new(known)
with right:
    start.launch(known)

versions.versions(known)
run.past(known)
app.end_page("fine-tune")
