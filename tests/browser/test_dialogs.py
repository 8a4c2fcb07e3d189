"""Streamlit's dialogs, as `dialogs.js` improves them, on a page that behaves like Streamlit's."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from vibecheck.ui.shared import dialogs

pytestmark = [pytest.mark.browser, pytest.mark.quick]
HERE = "http://dialogs.test/"
# A popover that opens with a link; the rest of its content comes later.
PAGE = """<!doctype html><body>
<button data-testid="stPopoverButton" aria-expanded="false">Change</button>
<script type="module">
import improve from "/dialogs.js";
window.improve = () => improve({data: {words: {"Connection error": "VibeCheck is not responding"}}});
window.improve();
document.querySelector("button").onclick = ({target}) => {
  target.setAttribute("aria-expanded", "true");
  document.body.insertAdjacentHTML("beforeend",
    "<div role=dialog data-testid=stPopoverBody><a href='#'>What exactly</a></div>");
};
window.arrive = (html) => document.querySelector("[role=dialog]").insertAdjacentHTML("afterbegin", html);
</script>"""
CHOICES = (
    "<input type=radio name=keep aria-label=Numbers><input type=radio name=keep aria-label=Face checked>"
)


@pytest.fixture
def page(open_browser) -> Page:
    page = open_browser().new_page()
    script = Path(dialogs.__file__).with_suffix(".js").read_text(encoding="utf-8")

    def answer(route: Route) -> None:
        is_script = route.request.url.endswith(".js")
        route.fulfill(
            content_type=f"text/{'javascript' if is_script else 'html'}", body=script if is_script else PAGE
        )

    page.route(f"{HERE}**", answer)
    page.clock.install()
    page.goto(HERE)
    page.wait_for_function("() => Boolean(window.arrive)")
    return page


def test_popover_opened_by_key_gets_the_focus_however_late_its_content_arrives(page):
    page.get_by_role("button", name="Change").focus()
    page.keyboard.press("Enter")
    page.clock.run_for(500)
    expect(page.get_by_role("link", name="What exactly")).to_be_focused()
    page.clock.run_for(10_000)
    page.evaluate("html => arrive(html)", CHOICES)
    page.clock.run_for(500)
    expect(page.get_by_role("radio", name="Face")).to_be_focused()
    page.keyboard.press("Tab")
    page.evaluate("arrive('<button>Late</button>')")
    page.clock.run_for(500)
    expect(page.get_by_role("link", name="What exactly")).to_be_focused()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_popover_gets_the_focus_though_another_component_keeps_the_key_to_itself(page, key):
    page.evaluate("addEventListener('keydown', (event) => event.stopImmediatePropagation(), true)")
    page.evaluate("() => { improve() }")  # as after the page has run again
    page.get_by_role("button", name="Change").focus()
    page.keyboard.press(key)
    page.clock.run_for(500)
    expect(page.get_by_role("link", name="What exactly")).to_be_focused()


def test_popover_opened_by_mouse_leaves_the_focus_on_its_button(page):
    page.get_by_role("button", name="Change").click()
    page.clock.run_for(1000)
    expect(page.get_by_role("button", name="Change")).to_be_focused()


def test_lost_connection_is_reported_in_the_apps_words(page):
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p role=dialog>Connection error</p>')")
    page.clock.run_for(500)
    expect(page.get_by_role("dialog")).to_have_text("VibeCheck is not responding")
