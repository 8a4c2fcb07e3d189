"""Corrections: label recent vibe checks, one after another."""

from vibecheck.ui.corrections import labelling
from vibecheck.ui.shared import app, delete_my_data, theme

app.start_page("Corrections")
theme.intro("Set it right", "Say what each face shows, by a press or a key. The next model learns from it.")

labelling.open_asked_for()
labelling.desk()
delete_my_data.delete_my_data()
app.end_page()
