"""Records survive a lost disk: check a vibe, let it be sent to Comet, start elsewhere, and find it again."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import check_my_vibe, jpeg, keep, look, upload
from tests.databases import open_store
from tests.standins.comet import comet_standin
from tests.waiting import wait_for
from vibecheck.settings import Settings

pytestmark = pytest.mark.browser


def test_vibe_check_is_restored_from_comet_on_an_empty_disk(start_app, open_browser, astronaut):
    with comet_standin() as comet:
        account = {
            "COMET_API_KEY": "k",
            "COMET_URL_OVERRIDE": f"{comet.url}/clientlib/",
            "VIBECHECK_AUDIT_SHARE": "1",  # each check asks "Was this right?"
        }
        first = start_app(**account)
        page = open_browser().new_page()
        page.goto(first.url)
        keep(page, "Keep my face crop")
        upload(page, "astronaut.jpg", jpeg(astronaut))
        check_my_vibe(page)
        expect(page.locator(".vc-mood .name")).to_have_text("Happy")
        page.get_by_role("radio", name="Yes").click()
        look(page, "comet-home")
        wait_for(
            lambda: sum(name.startswith(("input_", "feedback_", "play_")) for name in comet.names()) == 3
        )
        page.close()

        second = start_app(**account)
        page = open_browser().new_page()
        page.goto(second.url)  # the app starts with its first visitor
        before, after = (open_store(Settings(data=app.data)) for app in (first, second))
        wait_for(lambda: after.count() == 1)
        (made,) = [prediction for prediction, _ in before.history()]
        wait_for(lambda: after.picture(made.id) is not None)
        assert after.get(made.id) == made
        assert after.picture(made.id) == before.picture(made.id)
        assert after.feedback_of(made.id) == before.feedback_of(made.id) != []
        (play,) = before.plays_of(made.id)
        assert after.plays_of(made.id) == [replace(play, playlist_name="")]
        assert after.model_versions() == before.model_versions()
        before.close()
        after.close()
