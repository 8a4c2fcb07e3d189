"""Corrections: label recent vibe checks, one after another."""

from vibecheck.ui.corrections import labelling
from vibecheck.ui.shared import app, delete_my_data, theme

app.start_page("Corrections")
delete_my_data.follow_deletion()
theme.intro("Correct the model", "Choose the mood that each face shows. The next model is trained on it.")

labelling.open_linked()
labelling.page()
delete_my_data.delete_my_data()
app.end_page()
