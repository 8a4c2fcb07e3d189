"""When a visitor is asked whether the face crop of a corrected vibe check may be kept."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from tests.records.examples import a_prediction
from tests.ui.conftest import COOKIE, ME
from tests.ui.examples import face
from vibecheck.access.roles import Role
from vibecheck.records.labels.keep_question import KeepAnswers, keep_answers
from vibecheck.ui.access import gate
from vibecheck.ui.home.vibe_check import Result

MADE = a_prediction(mood="happy", visitor=ME, made_at=datetime.now(UTC))
WRONG = Result("happy", MADE, said="sad", recorded=True, face=face())


def question() -> None:
    from vibecheck.ui.home import keep_later

    keep_later.ask()


@pytest.fixture
def asked_about(store, monkeypatch):
    """The question about a result."""
    monkeypatch.setattr(gate, "role", lambda: Role.VISITOR)
    store.add(MADE, None)

    def show(result: Result | None) -> AppTest:
        page = AppTest.from_function(question, default_timeout=60)
        page.session_state["visitor"], page.session_state["result"] = COOKIE, result
        page.run()
        assert not page.exception
        return page

    return show


@pytest.mark.parametrize(
    "result",
    [
        None,
        Result("sad"),
        replace(WRONG, said=""),
        replace(WRONG, said="happy"),
        replace(WRONG, recorded=False),
        replace(WRONG, face=b""),
        replace(WRONG, problem="The disk is nearly full."),
        replace(WRONG, prediction=replace(MADE, picture_kept=True)),
    ],
    ids=["none", "picked", "no answer", "right", "not recorded", "no crop", "no room", "kept"],
)
def test_nothing_is_asked_unless_a_recorded_mood_was_wrong_and_its_crop_not_kept(asked_about, result):
    assert not asked_about(result).button


def test_yes_keeps_the_crop_and_no_keeps_nothing_and_each_is_asked_once(asked_about, store):
    declined = asked_about(WRONG)
    declined.button(key="keep_not").click().run()
    assert not declined.button and not declined.run().button and store.picture(MADE.id) is None
    agreed = asked_about(WRONG)
    agreed.button(key="keep_it").click().run()
    assert not agreed.button and store.picture(MADE.id) == WRONG.face
    assert keep_answers(store.notes) == KeepAnswers(asked=2, agreed=1)


def test_crop_that_cannot_be_kept_is_reported_and_asked_about_again(asked_about, store):
    page = asked_about(WRONG)
    store.forget([MADE.id], MADE.made_at)
    page.button(key="keep_it").click().run()
    assert "There is no prediction" in page.warning[0].value and page.button(key="keep_it")
