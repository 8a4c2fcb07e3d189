"""Fine-tune: corrections train the next model, which goes live once it is proved better."""

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.ui.access import gate
from vibecheck.ui.shared import app, comparisons, theme

app.start_page("Fine-tune")
gate.require(Role.TRAINER)

# Charts take 150 MB, which only those who come here should pay.
from vibecheck.ui.fine_tune import (  # noqa: E402
    model_versions,
    new_labels,
    start_run,
    state,
    training_run,
    verdict,
)

theme.intro(
    "Learn from mistakes",
    "Corrections train the next model. It goes live once it is proved better than the current one, and "
    "you can roll back at any time.",
)
known = state.load()
training_run.live(known)
comparisons.guard_warning(known.guard)
verdict.last(known)

left, right = st.columns([1.35, 1], gap="medium")
with left:
    new_labels.show(known)
with right:
    start_run.launch(known)

model_versions.show(known)
comparisons.shadow_line()
training_run.past(known)
app.end_page("fine-tune")
