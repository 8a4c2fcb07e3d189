"""Which role a session has, and what a page shows to those whose role is too low."""

import time

import pytest
from google.protobuf.text_format import MessageToString
from streamlit.runtime.secrets import Secrets

from tests.ui.conftest import AUTH, sign_in
from vibecheck.access.roles import Role
from vibecheck.errors import SettingsError
from vibecheck.ui.access import access_link

TOKEN = "a-token-for-the-tests-of-the-gate"


def dashboard() -> None:
    """A page for analysts."""
    import streamlit as st

    from vibecheck.access.roles import Role
    from vibecheck.ui.access import gate

    with st.sidebar:
        gate.greet()
    gate.require(Role.ANALYST)
    st.title("Numbers")
    st.write(f"role {gate.role().name}")


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


@pytest.fixture
def with_pass(request_of_browser):
    """Gives the browser of this test a pass, as the redirect of the link does; returns it."""

    def give() -> str:
        made = access_link.passes().exchange(access_link.passes().token, time.time())
        request_of_browser.cookies = {access_link.cookie_name(): made}
        return made

    return give


def test_page_without_access_settings_is_closed_and_says_where_the_link_is(set_up, page_of):
    set_up()
    session = page_of(dashboard)
    assert not is_open(session)
    assert "printed in the terminal" in text(session)


def test_the_link_is_announced_unless_it_is_set_or_people_sign_in(set_up, monkeypatch, capfd):
    set_up()
    access_link.announce()
    assert capfd.readouterr().err.count(f"/?access={access_link.passes().token}") == 1
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    access_link.announce()
    said = capfd.readouterr().err
    assert TOKEN not in said and "VIBECHECK_ACCESS_TOKEN" in said
    monkeypatch.setattr(access_link, "providers", lambda: ("somebody",))
    access_link.announce()
    assert "access=" not in capfd.readouterr().err
    assert "access=" not in access_link.link()


def test_a_token_in_the_address_of_a_session_opens_nothing(set_up, page_of):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    session = page_of(dashboard, access=TOKEN)
    assert not is_open(session)
    assert "VIBECHECK_ACCESS_TOKEN" in text(session) and TOKEN not in text(session)


def test_only_a_valid_pass_cookie_opens_the_page(set_up, page_of, request_of_browser, with_pass):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    kept = with_pass()
    session = page_of(dashboard)
    assert is_open(session)
    assert "role TRAINER" in text(session)
    for other in (TOKEN, kept[:-1], "", "9999999999." + "0" * 64, "\x00"):
        request_of_browser.cookies = {access_link.cookie_name(): other}
        assert not is_open(page_of(dashboard))
    request_of_browser.cookies = {"vibecheck_visitor": kept}
    assert not is_open(page_of(dashboard))


def test_signing_out_closes_every_tab_of_the_browser(set_up, page_of, with_pass):
    set_up(VIBECHECK_ACCESS_TOKEN=TOKEN)
    with_pass()
    session, other_tab = page_of(dashboard), page_of(dashboard)
    assert is_open(session) and is_open(other_tab)
    session.sidebar.button(key="sign_out").click()
    assert not is_open(session)
    assert not is_open(other_tab)


def test_signing_out_all_browsers_makes_a_new_link(set_up, page_of, with_pass, request_of_browser, capfd):
    set_up()
    with_pass()
    another = dict(request_of_browser.cookies)
    with_pass()
    session = page_of(dashboard)
    assert is_open(session)
    old = access_link.passes().token
    session.sidebar.button(key="sign_out_all").click()
    assert not is_open(session)
    request_of_browser.cookies = another
    assert not is_open(page_of(dashboard))
    assert access_link.passes().token != old
    assert access_link.passes().token in capfd.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1:8501", "localhost:8501", "[::1]:8501"])
def test_no_header_opens_a_page(set_up, page_of, request_of_browser, host):
    set_up(server_address="127.0.0.1", VIBECHECK_OWN_MACHINE="1")
    request_of_browser.headers = [
        ("Host", host),
        ("Origin", f"http://{host}"),
        ("X-Forwarded-For", "127.0.0.1"),
    ]
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
def test_signed_in_user_gets_the_role_listed_for_their_email(set_up, page_of, email, role):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, email, email_verified=True)
    assert is_open(session) == (role is not None)
    assert (f"role {role}" if role else "VIBECHECK_ANALYSTS") in text(session)
    assert f"Signed in as {email.lower()}" in text(session)
    assert session.sidebar.button(key="sign_out")


def test_unverified_email_opens_nothing(set_up, page_of):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, "ann@example.org", email_verified=False)
    assert not is_open(session)
    assert "has not verified" in text(session)


def test_visitor_who_has_not_signed_in_sees_the_sign_in_button(set_up, page_of):
    set_up(**LISTS)
    session = page_of(dashboard)
    session.secrets = {"auth": AUTH}
    session.user = {"email": "ann@example.org"}  # as a header of a proxy may set it
    assert not is_open(session)
    assert [button.label for button in session.main.button] == ["Sign in"]


def test_pass_opens_nothing_when_sign_in_is_configured(set_up, page_of, with_pass):
    set_up(**LISTS, VIBECHECK_ACCESS_TOKEN=TOKEN)
    with_pass()
    session = page_of(dashboard)
    session.secrets = {"auth": AUTH}
    assert not is_open(session)


def test_incomplete_sign_in_settings_close_the_page_and_are_named(set_up, page_of):
    set_up(**LISTS)
    session = page_of(dashboard)
    sign_in(session, "ann@example.org", email_verified=True)
    session.secrets = {"auth": {key: value for key, value in AUTH.items() if key != "client_id"}}
    assert not is_open(session)
    assert "client_id" in session.error[0].value


def test_secrets_that_can_no_longer_be_read_are_named_instead_of_a_link_that_nobody_has(
    set_up, tmp_path, monkeypatch
):
    """Streamlit reads the file again when it is edited."""
    set_up(**LISTS)
    (tmp_path / "secrets.toml").write_text("[auth")
    monkeypatch.setattr("vibecheck.settings.files.SECRETS_FILES", (str(tmp_path / "secrets.toml"),))
    monkeypatch.setattr(Secrets, "load_if_toml_exists", lambda self: False)
    with pytest.raises(SettingsError, match=r"secrets\.toml"):
        access_link.providers()
    assert not access_link.opens_pages()


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
