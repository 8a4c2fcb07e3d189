from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.records.examples import a_prediction
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.ui.corrections import labelling_session as session
from vibecheck.ui.corrections.labelling_session import Batch, days, next_after

BERLIN = ZoneInfo("Europe/Berlin")


def test_days_start_and_end_in_the_visitors_time_zone():
    since, before = days((date(2026, 3, 28), date(2026, 3, 29)), BERLIN)
    assert since.astimezone(UTC) == datetime(2026, 3, 27, 23, tzinfo=UTC)
    assert before.astimezone(UTC) == datetime(2026, 3, 29, 22, tzinfo=UTC), "summer time has begun"
    one_day = days((date(2026, 1, 1),), BERLIN)
    assert one_day == (datetime(2026, 1, 1, tzinfo=BERLIN), datetime(2026, 1, 2, tzinfo=BERLIN))


@given(st.lists(st.dates(), max_size=2))
def test_any_dates_give_a_valid_time_range(chosen):
    since, before = days(chosen, BERLIN)
    assert (since is None) == (not chosen)
    assert before is None or since <= before


@pytest.mark.parametrize(
    ("view", "at", "older", "expected"),
    [
        ("mine", 0, False, 1),
        ("all", 1, True, 2),
        ("mine", 2, False, None),
        ("mine", 2, True, "next page"),
        ("useful", 0, False, None),
        ("random", 0, False, None),
        ("mine", None, True, None),  # from an address, and not on this page
    ],
)
def test_next_vibe_check_after_a_label_depends_on_view_and_position(view, at, older, expected):
    around = [LabelledPrediction(a_prediction()) for _ in range(3)]
    current = LabelledPrediction(a_prediction()) if at is None else around[at]
    found = next_after(view, Batch(current, around, older))
    if isinstance(expected, int):
        assert found == around[expected].prediction.id
    else:
        assert found == (around[-1].cursor if expected else None)


def test_stale_undo_button_removes_nothing(monkeypatch):
    done = [session.GivenLabel("0" * 32, n, "mine") for n in (1, 2)]
    here = session.LabellingState(done=list(done), undoable=2)
    monkeypatch.setattr(session, "progress", lambda: here)
    session.undo(1)
    session.undo(3)
    assert here.done == done
    here.done, here.undoable = [], 0
    session.undo(0)
    assert here.done == []
