"""Home: show your face, see your mood, hear a playlist."""

import streamlit as st

from vibecheck.ui import app, camera, live, theme
from vibecheck.ui.result import result_card

app.start_page("Home")
theme.intro("What's your vibe?", "Your face, your mood, a playlist. Only numbers are kept unless you say so.")

camera_column, mood_column = st.columns([1.6, 1], gap="medium")
with camera_column, st.container(key="card-camera"):
    shown = camera.choose()
    found = st.container(key="found")
with mood_column, st.container(key="card-mood"):
    camera.check(shown)
with found:
    camera.found(shown.photo)

result_card()
live.watch_connection()
app.end_page()
