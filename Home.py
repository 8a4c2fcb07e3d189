"""Home: show your face, see your mood, hear a playlist."""

from pathlib import Path

import streamlit as st

from vibecheck.ui.home.video_route import video_route
from vibecheck.ui.shared.server import MIDDLEWARE, lifespan, page_routes

if __name__ == "__main__":
    from vibecheck.ui.home import camera, consent, result, vibe_check
    from vibecheck.ui.shared import app, delete_my_data, theme

    app.start_page("Home")
    delete_my_data.follow_deletion()
    theme.headline("What's your vibe?", "Your face, your mood, a playlist.")

    vibe_check.restore()
    stage, card = st.columns([1.55, 1], gap="small")
    with stage:
        shows = camera.stage()
        consent.notice()
    with card, st.container(key="card-mood"):
        result.card(shows)

    consent.remember()
    app.end_page()
    camera.check_file(shows)
else:
    # `streamlit run Home.py` finds this and serves it; what is above is the script of its first page.
    pages = Path(__file__).parent.glob("pages/*.py")
    routes = [*page_routes(pages), video_route()]
    server = st.App(__file__, lifespan=lifespan, routes=routes, middleware=MIDDLEWARE)
