"""Fine-tune: what was corrected trains the next model, which goes live once it is proved better."""

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.ui import app, gate, theme

app.start_page("Fine-tune")
gate.require(Role.TRAINER)

# Charts take 150 MB, which only those who come here should pay.
from vibecheck.ui import (  # noqa: E402
    fine_tune,
    fine_tune_labels,
    fine_tune_run,
    fine_tune_start,
    fine_tune_verdict,
    fine_tune_versions,
)

theme.intro(
    "Learn from what was wrong",
    "What people set right trains the next model. It goes live once it is proved better, and the one before "
    "is a press away.",
)
known = fine_tune.known()
fine_tune_run.live(known)
fine_tune_verdict.last(known)

left, right = st.columns([1.35, 1], gap="medium")
with left:
    fine_tune_labels.new(known)
with right:
    fine_tune_start.launch(known)

fine_tune_versions.versions(known)
fine_tune_run.past(known)
app.end_page("fine-tune")
