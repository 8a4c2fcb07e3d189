"""A visitor's own history: a strip of moods over time, playlists, and a file."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.records.examples import PLAY, a_prediction
from tests.ui.conftest import ME
from tests.ui.examples import shares
from vibecheck.access.roles import Role
from vibecheck.records.csv_safety import to_csv
from vibecheck.ui.corrections import your_vibes

PAGE = "pages/1_Corrections.py"
NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def mine(store):
    """Three vibe checks of this visitor, oldest first, one corrected; and one of somebody else."""
    made = []
    for hours, mood in ((3, "happy"), (2, "sad"), (1, "fear")):
        prediction = a_prediction(made_at=NOW - timedelta(hours=hours), visitor=ME, **shares(mood, 0.8))
        store.add(prediction, None)
        store.played(prediction.id, again=False, now=prediction.made_at, **PLAY)
        made.append(prediction)
    store.label(made[1].id, "neutral", "volunteered", ME, NOW)
    store.add(a_prediction(made_at=NOW, visitor="f" * 64, **shares("angry", 0.9)), None)
    return made


STRIP = '<ol class="vc-strip'


def strip(page) -> str:
    return next(str(each.proto.body) for each in page.get("html") if STRIP in str(each.proto.body))


def test_the_strip_shows_the_moods_in_order_and_as_corrected(mine, open_page):
    shown = strip(open_page(PAGE))
    said = [part.split(": ")[1].split('"')[0] for part in shown.split("aria-label=")[1:]]
    expected = ["afraid", "neutral, corrected from sad", "happy"]
    assert said == expected, "newest first: the style sheet turns it"
    assert shown.count("<li") == 3, "and nobody else's"


def test_label_given_on_the_page_updates_the_strip(mine, open_page, store):
    page = open_page(PAGE)
    newest = mine[-1].id
    next(each for each in page.button if each.key == f"7-{newest}").click().run()
    assert not page.exception and store.labelled(newest).label.label == "surprise"
    assert "surprised, corrected from afraid" in strip(page)


def test_views_of_others_and_empty_histories_have_no_strip(store, open_page, mine):
    assert not [each for each in open_page(PAGE, Role.LABELLER).get("html") if STRIP in each.proto.body]
    store.forget_visitor(ME, NOW)
    page = open_page(PAGE)
    assert not [each for each in page.get("html") if STRIP in each.proto.body]
    assert "No vibe checks yet" in " ".join(each.value for each in page.markdown)


def test_csv_file_has_one_row_per_vibe_check_and_no_ids(mine, store):
    text = to_csv(your_vibes.rows(store, ME, ZoneInfo("Europe/Berlin")))
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["mood"], row["corrected_to"]) for row in rows] == [
        ("happy", ""), ("sad", "neutral"), ("fear", ""),
    ]  # fmt: skip
    assert {row["playlist"] for row in rows} == {PLAY["playlist_name"]}
    assert not any(each.id in text for each in mine) and ME not in text
