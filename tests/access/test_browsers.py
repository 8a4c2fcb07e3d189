"""Visitors, and the sessions of their browsers."""

import pytest

from vibecheck.access import browsers
from vibecheck.access.browsers import FORGET_AFTER, Browser, SessionOwners, Visitors, is_visitor, new_visitor

ANN, BEN = "a" * 32, "b" * 32


@pytest.mark.parametrize(
    "shown", [None, "", "a" * 31, "a" * 33, "A" * 32, "g" * 32, "a" * 32 + "\n", "٣" * 32]
)
def test_malformed_visitor_id_is_refused(shown):
    assert not is_visitor(shown)
    assert is_visitor(new_visitor())


def test_every_tab_gets_the_same_new_visitor_id_after_a_deletion():
    visitors = Visitors()
    new = visitors.replace(ANN)
    assert new != ANN and is_visitor(new)
    assert visitors.current(ANN) == visitors.current(new) == new
    newer = visitors.replace(visitors.current(ANN))  # a tab that was open before the first deletion
    assert newer not in (ANN, new) and visitors.current(ANN) == newer
    assert visitors.current(BEN) == BEN


def test_two_deletions_at_once_lead_to_the_same_new_visitor_id():
    visitors = Visitors()
    assert visitors.replace(ANN) == visitors.replace(ANN) == visitors.current(ANN)


def test_number_of_remembered_ids_is_bounded(monkeypatch):
    monkeypatch.setattr(browsers, "MOST_DELETED", 3)
    visitors = Visitors()
    for _ in range(10):
        visitors.replace(new_visitor())
    assert len(visitors._successor) == 3


@pytest.mark.parametrize(
    ("opened_by", "asked_by", "allowed"),
    [
        (Browser(ANN), Browser(ANN), True),
        (Browser(ANN), Browser(BEN), False),
        (Browser(ANN), Browser(BEN, has_pass=True), False),
        (Browser(ANN), Browser(ANN, has_pass=True), True),
        (Browser(ANN, has_pass=True), Browser(ANN, has_pass=True), True),
        (Browser(ANN, has_pass=True), Browser(ANN), False),
    ],
)
def test_session_can_only_be_used_by_the_browser_that_opened_it(opened_by, asked_by, allowed):
    owners = SessionOwners(Visitors())
    owners.bind("session", opened_by)
    assert owners.owns(asked_by, "session") is allowed
    assert not owners.owns(opened_by, "another")


def test_tab_keeps_its_session_after_a_deletion():
    visitors = Visitors()
    owners = SessionOwners(visitors)
    owners.bind("session", Browser(ANN))
    assert owners.owns(Browser(visitors.replace(ANN)), "session")


def test_session_expires_some_time_after_its_connection_ends():
    owners = SessionOwners(Visitors())
    for session in ("first", "second"):
        owners.bind(session, Browser(ANN))
    owners.close("first", 0.0)
    owners.close("unknown", 0.0)
    assert owners.owns(Browser(ANN), "first")
    owners.close("second", FORGET_AFTER + 1)
    assert not owners.owns(Browser(ANN), "first") and owners.owns(Browser(ANN), "second")
    owners.bind("second", Browser(ANN))
    owners.close("third", 10 * FORGET_AFTER)
    assert owners.owns(Browser(ANN), "second"), "it is connected again"


def test_file_can_only_be_downloaded_by_the_browser_whose_page_links_it(monkeypatch):
    monkeypatch.setattr(browsers, "MOST_FILES", 2)
    owners = SessionOwners(Visitors())
    mine, other = Browser(new_visitor()), Browser(new_visitor())
    owners.bind("a", mine)
    owners.name_file("a", b"1")
    assert owners.may_open(mine, b"1") and not owners.may_open(other, b"1")
    assert not owners.may_open(mine, b"2")
    for file in (b"2", b"1", b"3"):
        owners.name_file("a", file)
    assert [owners.may_open(mine, file) for file in (b"1", b"2", b"3")] == [True, False, True]
    owners.close("a", now=0.0)
    assert owners.may_open(mine, b"1"), "for a while"
    owners.bind("b", other)
    owners.close("b", now=1000.0)
    assert not owners.may_open(mine, b"1") and not owners._files
