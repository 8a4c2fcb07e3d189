"""Corrections: label recent vibe checks, one after another."""

from vibecheck.ui import app, corrections, deleting, theme

app.start_page("Corrections")
theme.intro("Set it right", "Say what each face shows, by a press or a key. The next model learns from it.")

corrections.open_asked_for()
corrections.desk()
deleting.delete_my_data()
app.end_page()
