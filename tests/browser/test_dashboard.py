"""The dashboard in a real browser: matrix cells open pictures, and pictures open their trace."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from benchmarks.harness.history import fill
from tests.browser.conftest import look
from vibecheck.records.db.connect import open_database

pytestmark = pytest.mark.browser


def test_confusion_cell_opens_its_pictures_and_a_picture_its_details(start_app, open_browser, tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path / 'vibecheck.db'}")
    fill(engine, 2000, 60, datetime.now(UTC))
    engine.dispose()
    app = start_app(VIBECHECK_DATA=str(tmp_path))
    page = open_browser().new_page()
    page.goto(app.link("Dashboard"))
    page.get_by_role("button", name="This week").click()
    page.get_by_role("radio", name="All").click()
    page.keyboard.press("Escape")
    expect(page.get_by_text("Accuracy with users over all time")).to_be_visible()
    cell = 'path[aria-label^="What was shown: Happy; What people said: Happy;"]'
    page.locator(f".st-key-matrix {cell}").click()
    expect(page.get_by_text("said happy, shown happy")).to_be_visible()
    page.locator('[class*="st-key-trace-"] button').first.click()
    expect(page.get_by_role("dialog").get_by_text("Models trained on it")).to_be_visible()
    look(page, "dashboard-trace")


def test_details_of_a_linked_prediction_open_automatically(start_app, open_browser, tmp_path: Path):
    engine = open_database(f"sqlite:///{tmp_path / 'vibecheck.db'}")
    (prediction_id, *_) = fill(engine, 20, 5, datetime.now(UTC))
    engine.dispose()
    app = start_app(VIBECHECK_DATA=str(tmp_path))
    page = open_browser().new_page()
    page.goto(f"{app.link('Dashboard')}&prediction_id={prediction_id}")
    expect(page.get_by_role("dialog").get_by_text(prediction_id)).to_be_visible()
    look(page, "dashboard-few")
