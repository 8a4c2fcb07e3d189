"""Which role a session has, and what a page shows to whoever has not enough."""

import pytest
from google.protobuf.text_format import MessageToString

from tests.ui.conftest import AUTH, sign_in
from vibecheck.access.roles import Role

TOKEN = "a-token-for-the-tests"


def dashboard() -> None:
    """A page for analysts."""
    import streamlit as st

    from vibecheck.access.roles import Role
    from vibecheck.ui.access import gate

    with st.sidebar:
        gate.greet()
    gate.require(Role.ANALYST)
    st.title("Numbers")
    st.write(f"role {gate.role().name}, name {gate.name()}")


def text(session) -> str:
    """All that a session was sent."""
    assert not session.exception
    nodes = [*session.main, *session.sidebar]
    return "\n".join(
        MessageToString(node.proto, as_utf8=True) for node in nodes if getattr(node, "proto", None)
    )


def is_open(session) -> bool:
    session.run()
    shut = "For analysts" in text(session)
    assert shut != ("Numbers" in text(session))
    return not shut


def test_with_nothing_configured_a_page_is_shut_and_says_where_the_link_is(set_up, page_of, capfd):
    set_up()
    session = page_of(dashboard)
    assert not is_open(session)
    assert "printed in the terminal" in text(session)
    assert capfd.readouterr().err.count("?access=") == 1
    assert not is_open(page_of(dashboard))
    assert "access=" not in capfd.readouterr().err, "once"


def test_the_link_that_was_printed_opens_it_in_this_session_and_no_other(set_up, page_of, capfd):
    set_up()
    page_of(dashboard).run()
    token = capfd.readouterr().err.split("?access=")[1].strip()
    session = page_of(dashboard, access=token)
    assert is_open(session)
    session.query_params = {}
    assert is_open(session)
    assert "name None" in text(session)
    assert not is_open(page_of(dashboard))


def test_the_token_that_is_set_opens_it_and_is_not_printed(set_up, page_of, capfd):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard)
    assert not is_open(session)
    assert "VIBECHECK_ACCESS_TOKEN" in text(session)
    assert is_open(page_of(dashboard, access=TOKEN))
    assert TOKEN not in capfd.readouterr().err


@pytest.mark.parametrize(
    "token", ["", "wrong", TOKEN[:-1], TOKEN + "x", "ä", "\x00", "<b>x</b>", "x" * 100_000]
)
def test_another_token_opens_nothing(set_up, page_of, token):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=token)
    assert not is_open(session)
    assert "opens nothing" in session.error[0].value
    assert token not in text(session) or token in ("", "wrong")


def test_the_pass_in_the_cookie_opens_it_and_nothing_else_does(set_up, page_of, request_of_browser):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    assert is_open(session)
    kept = session.session_state.access_visit.shown
    (name,) = (
        part.split("=")[0] for part in session.session_state.access_visit.script.split('"') if kept in part
    )
    request_of_browser.cookies = {name: kept}
    assert is_open(page_of(dashboard))
    for other in (TOKEN, kept[:-1], "", "9999999999." + "0" * 64, "\x00"):
        request_of_browser.cookies = {name: other}
        assert not is_open(page_of(dashboard))
    request_of_browser.cookies = {"vibecheck_visitor": kept}
    assert not is_open(page_of(dashboard))


def test_signing_out_shuts_it_again(set_up, page_of):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    assert is_open(session)
    session.query_params = {}
    session.sidebar.button(key="sign_out").click()
    assert not is_open(session)
    assert "Max-Age=0" in session.session_state.access_visit.script


def test_the_same_token_is_tried_once_however_often_the_page_runs(set_up, page_of):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access="wrong")
    for _ in range(6):
        assert not is_open(session)
    assert session.session_state.access_visit.tries.wrong == 1


def test_a_session_that_guesses_has_to_wait_even_with_the_right_token(set_up, page_of):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard)
    for guess in "abcdef":
        session.query_params = {"access": guess}
        assert not is_open(session)
    session.query_params = {"access": TOKEN}
    assert not is_open(session)
    assert "Too many wrong links. Wait" in session.error[0].value


def test_on_ones_own_machine_it_is_open(set_up, page_of, request_of_browser):
    set_up(server_address="127.0.0.1", VIBECHECK_OWN_MACHINE="1")
    request_of_browser.direct()
    session = page_of(dashboard)
    assert is_open(session)
    assert "role TRAINER" in text(session)


@pytest.mark.parametrize(
    "change",
    [
        {"server_address": "0.0.0.0"},
        {"server_address": None},
        {"VIBECHECK_OWN_MACHINE": "0"},
        {"host": "evil.example:8501"},
        {"header": ("X-Forwarded-For", "203.0.113.7")},
        {"header": ("Origin", "http://127.0.0.1:8501")},
        {"host": None},
    ],
    ids=str,
)
def test_anything_but_a_browser_on_ones_own_machine_finds_it_shut(
    set_up, page_of, request_of_browser, change
):
    settings = {"server_address": "127.0.0.1", "VIBECHECK_OWN_MACHINE": "1"}
    set_up(**settings | {key: value for key, value in change.items() if key in settings})
    if host := change.get("host", "127.0.0.1:8501"):
        request_of_browser.direct(host)
    request_of_browser.headers += [change[key] for key in change if key == "header"]
    assert not is_open(page_of(dashboard))


LISTS = {
    "VIBECHECK_LABELLERS": "lea@example.org",
    "VIBECHECK_ANALYSTS": "ann@example.org",
    "VIBECHECK_TRAINERS": "@firm.example",
}


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("lea@example.org", None),
        ("ANN@example.org", "ANALYST"),
        ("bob@firm.example", "TRAINER"),
        ("x@y.z", None),
    ],
)
def test_who_signs_in_is_let_in_as_far_as_listed(set_up, page_of, email, role):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, email, email_verified=True)
    assert is_open(session) == (role is not None)
    assert f"role {role}, name {email.lower()}" in text(session) or "VIBECHECK_ANALYSTS" in text(session)
    assert session.sidebar.button(key="sign_out")


def test_an_email_that_is_not_verified_lets_nobody_in(set_up, page_of):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, "ann@example.org", email_verified=False)
    assert not is_open(session)
    assert "has not verified" in text(session)


def test_who_has_not_signed_in_is_shown_where(set_up, page_of):
    set_up(**LISTS)
    session = page_of(dashboard)
    session.secrets = {"auth": AUTH}
    session.user = {"email": "ann@example.org"}  # as a header of a proxy may set it
    assert not is_open(session)
    assert [button.label for button in session.main.button] == ["Sign in"]


def test_with_sign_in_configured_no_link_opens_it(set_up, page_of):
    set_up(**LISTS, VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    session.secrets = {"auth": AUTH}
    assert not is_open(session)


def test_where_sign_in_is_badly_configured_it_is_shut_and_says_what_lacks(set_up, page_of):
    set_up(**LISTS, VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    sign_in(session, "ann@example.org", email_verified=True)
    session.secrets = {"auth": {key: value for key, value in AUTH.items() if key != "client_id"}}
    assert not is_open(session)
    assert "client_id" in session.error[0].value


@pytest.mark.parametrize("email", ["<script>alert(1)</script>@x.y", "a\x00@x.y", ["a"], None, "\u202ea@x.y"])
def test_an_email_of_any_shape_is_shown_harmlessly(set_up, page_of, email):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, email)
    assert not is_open(session)
    assert "<script>alert" not in text(session)


def test_every_page_that_a_session_cannot_open_has_a_lock_beside_it(set_up, page_of):
    from vibecheck.access.roles import PAGES
    from vibecheck.ui.access.gate import _locks

    assert [page for page in PAGES if f"/{page}" in _locks(Role.VISITOR)] == ["Dashboard", "Fine-tune"]
    assert [page for page in PAGES if f"/{page}" in _locks(Role.ANALYST)] == ["Fine-tune"]
    assert _locks(Role.TRAINER) == ""


def test_a_token_in_the_address_is_taken_away_by_whichever_way_one_is_let_in(
    set_up, page_of, request_of_browser
):
    set_up(server_address="127.0.0.1", VIBECHECK_OWN_MACHINE="1", VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    request_of_browser.direct()
    assert is_open(session)
    assert "replaceState" in text(session)
    session = page_of(dashboard)
    assert is_open(session)
    assert "replaceState" not in text(session)
