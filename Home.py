"""Home: show your face, see your mood, hear a playlist."""

from pathlib import Path

import streamlit as st

from vibecheck.ui.shared.server import MIDDLEWARE, lifespan, page_routes

if __name__ == "__main__":
    from vibecheck.ui.home import camera, consent, live
    from vibecheck.ui.home.result import result_card
    from vibecheck.ui.shared import app, delete_my_data, theme

    app.start_page("Home")
    delete_my_data.follow_deletion()
    theme.intro("What's your vibe?", "Your face, your mood, a playlist. What is kept is yours to say.")

    with st.container(key="card-consent"):
        keep = consent.choose()

    camera_column, mood_column = st.columns([1.6, 1], gap="small")
    with camera_column, st.container(key="card-camera", height="stretch"):
        shown = camera.choose()
        found = st.container(key="found")
    with mood_column, st.container(key="card-mood", height="stretch"):
        camera.check(shown, keep)
    with found:
        camera.found(shown.photo)

    result_card()
    live.watch_connection()
    consent.remember(keep)
    app.end_page()
else:
    # `streamlit run Home.py` finds this and serves it; what is above is the script of its first page.
    pages = Path(__file__).parent.glob("pages/*.py")
    server = st.App(__file__, lifespan=lifespan, routes=page_routes(pages), middleware=MIDDLEWARE)
