"""What a process opens once."""

import threading
from types import SimpleNamespace

import pytest

from vibecheck.ui.shared import process_state
from vibecheck.ui.shared.process_state import ProcessValue


def test_value_is_created_once_for_concurrent_threads():
    made, start = [], threading.Event()

    def make() -> object:
        start.wait(5)
        made.append(object())
        return made[-1]

    value = ProcessValue(make)
    got = []
    threads = [threading.Thread(target=lambda: got.append(value())) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert not value.is_made
    start.set()
    for thread in threads:
        thread.join()
    assert value.is_made and len(made) == 1 and set(got) == {made[0]}


def test_failed_creation_raises_and_is_retried_by_the_next_caller():
    outcomes = [OSError("away"), "here"]

    @ProcessValue
    def value() -> str:
        outcome = outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    with pytest.raises(OSError, match="away"):
        value()
    assert value() == value() == "here"


def test_value_is_created_again_after_its_maximum_age(monkeypatch):
    now, made = [0.0], iter(range(9))
    monkeypatch.setattr(process_state, "time", SimpleNamespace(monotonic=lambda: now[0]))
    value = ProcessValue(lambda: next(made), max_age=10.0)
    assert [value(), value()] == [0, 0]
    now[0] = 10.0
    assert value() == 1


def test_a_cleared_value_is_made_again():
    made = iter("ab")

    @ProcessValue
    def value() -> str:
        """What it is."""
        return next(made)

    assert value.__doc__ == "What it is."
    assert value() == "a" and value.is_made
    value.clear()
    assert not value.is_made and value() == "b"


def test_clearing_streamlits_caches_does_not_clear_the_value():
    import streamlit as st

    value = ProcessValue(object)
    before = value()
    st.cache_resource.clear()
    st.cache_data.clear()
    assert value() is before
