"""A training run in a real browser: watched without a flicker, left and found again, and cancelled."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import look
from tests.databases import open_store
from tests.records.examples import a_prediction
from tests.training_runs.conftest import CHILD
from tests.ui.examples import face
from tests.waiting import wait_for
from vibecheck.settings import Settings
from vibecheck.training_runs.runs import RunRequest, TrainingRuns

pytestmark = pytest.mark.browser

# Counts nodes that were there at the start and are taken away.
WATCH = """() => {
  const card = document.querySelector('.st-key-card-run');
  const drawn = 'canvas, svg, [data-testid="stVegaLiteChart"]';
  card.querySelectorAll(drawn).forEach(node => node.dataset.mark = 'kept');
  window.gone = 0;
  new MutationObserver(changes => {
    for (const change of changes) for (const node of change.removedNodes)
      if (node.dataset?.mark || node.querySelector?.('[data-mark]')) window.gone += 1;
  }).observe(card, {childList: true, subtree: true});
}"""


def test_running_run_updates_in_place_survives_a_reload_and_is_cancelled(
    start_app, open_browser, tmp_path: Path
):
    store = open_store(Settings(data=tmp_path))
    for label in ("sad", "happy"):
        prediction = a_prediction(made_at=datetime.now(UTC), picture_kept=True)
        store.add(prediction, face())
        store.label(prediction.id, label, "labeller", None, datetime.now(UTC))
    store.close()
    app = start_app(VIBECHECK_DATA=str(tmp_path))
    runs = TrainingRuns.open(Settings(data=tmp_path), CHILD)
    try:
        run = runs.start(RunRequest("slow"))
        wait_for(lambda: len(runs.get(run.id).progress.losses) > 2)
        page = open_browser().new_page()
        page.goto(app.link("Fine-tune"))
        card = page.locator(".st-key-card-run")
        expect(card.locator('[data-testid="stVegaLiteChart"]')).to_have_count(1)
        expect(card.get_by_text("Training the last layer")).to_be_visible()
        page.evaluate(WATCH)
        heard = len(runs.get(run.id).progress.losses)
        wait_for(lambda: len(runs.get(run.id).progress.losses) > heard + 30)
        page.wait_for_timeout(2000)
        assert page.evaluate("() => window.gone") == 0
        look(page, "fine-tune-live")
        page.goto(f"{app.url}/About")
        page.goto(f"{app.url}/Fine-tune")
        expect(page.get_by_role("button", name="Fine-tune", exact=True)).to_be_disabled()
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_text("The last run was cancelled")).to_be_visible()
        assert runs.get(run.id).state == "cancelled"
        expect(page.get_by_role("button", name="Fine-tune", exact=True)).to_be_enabled()
        page.set_viewport_size({"width": 390, "height": 844})
        look(page, "fine-tune-phone")
    finally:
        if running := runs.running():
            runs.cancel(running.id)
        runs.close()
