"""A labeller with a keyboard, and three hundred faces."""

from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import look, settled
from tests.databases import open_store
from tests.records.rows import rows_in
from tests.ui.examples import fill
from tests.waiting import wait_for
from vibecheck.emotions import BY_NAME
from vibecheck.settings import Settings
from vibecheck.ui.corrections.labelling_session import PAGE
from vibecheck.ui.shared.model_status import LOOK_EVERY

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def app(start_app):
    return start_app()


@pytest.fixture(scope="module")
def made(app):
    store = open_store(Settings(data=app.data))
    made = fill(store, 300)
    store.close()
    return made


@pytest.fixture
def page(app, made, open_browser) -> Page:
    page = open_browser(viewport={"width": 1440, "height": 1400}).new_page()
    page.goto(app.link("Corrections"))
    expect(page.locator(".vc-thumb")).to_have_count(PAGE)
    is_drawn(page)
    return page


def labels(app) -> list[tuple]:
    """What this labeller said, oldest first."""
    query = "SELECT prediction_id, label, source, queue FROM feedback WHERE given_by NOT LIKE 'beef%'"
    return rows_in(app.data, f"{query} ORDER BY given_at")


def await_labels(app, count: int) -> list[tuple]:
    wait_for(lambda: len(labels(app)) >= count, f"{count} labels")
    found = labels(app)
    assert len(found) == count
    return found


def current(page: Page):
    return page.locator(".vc-thumb[aria-current]")


def is_drawn(page: Page) -> None:
    """Nothing of the page is being drawn."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def is_current(page: Page, number: int) -> None:
    expect(page.locator(".vc-thumb").nth(number)).to_have_attribute("aria-current", "true")
    is_drawn(page)


def typed(key: str) -> str:
    """JavaScript that types a key in the same step as what stands before it."""
    event = f"{{ key: '{key}', keyCode: {ord(key.upper())}, bubbles: true }}"
    return (
        f"for (const type of ['keydown', 'keyup']) document.dispatchEvent(new KeyboardEvent(type, {event}));"
    )


def press_while_fragments_are_due(page: Page, key: str) -> None:
    """Press a key in a browser so busy that all fragments are due and run before the press is sent."""
    busy = (LOOK_EVERY + 0.5) * 1000
    page.evaluate(
        f"""() => {{
          const soon = window.setTimeout;
          window.setTimeout = (task, after, ...rest) => soon(task, after || {busy}, ...rest);
          {typed(key)}
          window.setTimeout = soon;
        }}"""
    )


def test_one_key_labels_a_face_and_moves_to_the_next(app, made, page):
    look(page, "corrections-full")
    before = len(labels(app))
    labellable = [n for n, each in enumerate(made[:PAGE]) if each.picture_kept]
    first = labellable[0]
    page.locator(".vc-thumb").nth(first).click()
    is_current(page, first)
    page.keyboard.press("2")
    is_current(page, first + 1)
    assert await_labels(app, before + 1)[-1] == (made[first].id, "disgust", "labeller", None)
    # "u" takes it back and returns to it; Enter says that it was right.
    page.keyboard.press("u")
    is_current(page, first)
    await_labels(app, before)
    page.keyboard.press("Enter")
    is_current(page, first + 1)
    assert await_labels(app, before + 1)[-1][:2] == (made[first].id, made[first].mood)
    page.keyboard.press("u")
    is_current(page, first)
    await_labels(app, before)


def test_repeated_key_presses_do_not_label_a_face_not_yet_shown(app, made, page):
    before = len(labels(app))
    at = next(n for n, each in enumerate(made) if each.picture_kept and made[n + 1].picture_kept)
    page.locator(".vc-thumb").nth(at).click()
    is_current(page, at)
    for _ in range(3):
        page.keyboard.press("3")
    is_current(page, at + 1)
    expect(page.get_by_role("status")).to_have_text(
        "Too fast: 2 key presses ignored. Wait until the next face is shown."
    )
    settled(page)
    assert await_labels(app, before + 1)[-1][0] == made[at].id
    page.keyboard.press("u")
    is_current(page, at)
    page.keyboard.press("3")
    is_current(page, at + 1)
    expect(page.locator(".vc-status")).to_have_text("")


def test_key_pressed_right_after_a_click_is_not_lost(app, made, page):
    first = next(n for n, each in enumerate(made) if each.picture_kept)
    before = len(labels(app))
    for delay in range(0, 120, 10):
        page.locator(".vc-thumb").nth(first).click()
        page.wait_for_timeout(delay)  # the page is being drawn again
        page.keyboard.press("2")
        is_current(page, first + 1)
        assert await_labels(app, before + 1)[-1][:2] == (made[first].id, "disgust")
        page.keyboard.press("u")
        is_current(page, first)
        await_labels(app, before)


def test_key_pressed_while_another_face_is_chosen_labels_nothing(app, made, page):
    before = labels(app)
    page.evaluate(f"() => {{ document.querySelectorAll('.vc-thumb')[5].click(); {typed('2')} }}")
    is_current(page, 5)
    expect(page.get_by_text("Nothing was labelled")).to_be_visible()
    assert labels(app) == before
    # The current one is chosen already: to press it takes nothing away from a label given at once.
    page.locator(".vc-thumb").nth(5).click()
    page.keyboard.press("2")
    is_current(page, 6)
    await_labels(app, len(before) + 1)
    page.keyboard.press("u")
    is_current(page, 5)
    await_labels(app, len(before))


def test_a_press_while_a_fragment_is_due_counts_once(app, made, page):
    before = labels(app)
    for at in (6, 7):
        page.locator(".vc-thumb").nth(at).click()
        is_current(page, at)
        page.keyboard.press("2")
        is_current(page, at + 1)
    await_labels(app, len(before) + 2)
    press_while_fragments_are_due(page, "u")
    is_current(page, 7)
    assert len(await_labels(app, len(before) + 1)) == len(before) + 1
    settled(page)
    expect(page.get_by_test_id("stException")).to_have_count(0)
    page.keyboard.press("u")
    is_current(page, 6)
    await_labels(app, len(before))


def test_message_identical_to_an_earlier_one_is_sent_again_in_full(app, made, open_browser):
    page = open_browser().new_page()
    grids = []
    page.on("websocket", lambda ws: ws.on("framereceived", lambda data: grids.append(len(data) > 50_000)))
    page.goto(app.link("Corrections"))
    expect(page.locator(".vc-thumb")).to_have_count(PAGE)
    for at in (3, 4, 3):  # the last is what came before, to the byte
        grids.clear()
        page.locator(".vc-thumb").nth(at).click()
        is_current(page, at)
        assert any(grids)


def test_enter_on_a_button_presses_that_button(app, page):
    before = len(labels(app))
    page.locator(".vc-thumb").nth(5).focus()
    page.keyboard.press("Enter")
    is_current(page, 5)
    page.get_by_role("button", name="Older").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Newer")).to_be_enabled()
    settled(page)
    assert len(labels(app)) == before


def test_pictures_are_sent_inline_and_a_page_stays_small(app, made, open_browser):
    page = open_browser().new_page()
    asked, received = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: socket.on("framereceived", lambda data: received.append(len(data))))
    page.goto(app.link("Corrections"))
    expect(page.locator(".vc-thumb")).to_have_count(PAGE)
    expect(page.locator(".vc-face")).to_be_visible()
    sources = page.eval_on_selector_all("img", "images => images.map(image => image.src)")
    faces = [src for src in sources if "logo" not in src and ".svg" not in src]
    assert len([src for src in faces if src.startswith("data:image/jpeg")]) > PAGE / 2
    served = [urlsplit(url).path for url in asked]
    assert not [path for path in served if path.startswith("/media/") and not path.endswith(".svg")]
    assert sum(received) < 600_000, "a page of thumbnails, not three hundred pictures"


def test_random_queue_hides_the_models_answer_and_labels_in_random_order(app, made, page):
    before = len(labels(app))
    page.get_by_role("radio", name="Random").click()
    expect(page.get_by_text("What does this face show?")).to_be_visible()
    expect(page.locator(".vc-thumb")).to_have_count(0)
    expect(page.get_by_role("meter")).to_have_count(0)
    is_drawn(page)
    look(page, "corrections-random")
    page.keyboard.press("Enter")  # there is nothing to agree with
    settled(page)
    page.keyboard.press("0")
    first = min(each.id for each in made if each.picture_kept)
    assert await_labels(app, before + 1)[-1] == (first, "cant_tell", "labeller", "random")


def test_address_opens_its_vibe_check_and_filters_select(app, made, open_browser):
    asked = next(each for each in made[200:] if each.picture_kept)
    page = open_browser(viewport={"width": 390, "height": 1400}).new_page()
    page.goto(f"{app.link('Corrections')}&prediction_id={asked.id}")
    expect(page.get_by_text(f"id {asked.id[:4]}…{asked.id[-2:]}")).to_be_visible()
    look(page, "corrections-phone")
    page.get_by_role("button", name="Filters").click()
    page.get_by_role("button", name="Disagreed").click()
    expect(page.get_by_role("button", name="Filters · 1")).to_be_visible()
    marks = page.locator(".vc-thumb .mark")
    expect(page.locator(".vc-thumb:not(:has(.mark))")).to_have_count(0)
    expect(marks.filter(has_text="✓")).to_have_count(0)
    expect(marks).not_to_have_count(0)
    page.goto(f"{app.url}/Corrections?prediction_id=<b>nothing</b>")
    expect(page.get_by_test_id("stAlert")).to_contain_text("no vibe check with this id")
    first = next(each for each in made if each.picture_kept)
    expect(page.locator(".vc-heading")).to_contain_text(BY_NAME[first.mood].adjective)
