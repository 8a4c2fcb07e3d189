"""The gate of each page: the role of this session, and the way in for whoever has not enough.

A page that is not for everybody calls `require` before it reads anything. Nothing else guards it: the
sidebar lists every page, and an address can be typed.
"""

from collections.abc import Mapping

import streamlit as st
import typer

from vibecheck.access import roles
from vibecheck.access.roles import PAGES, Guests, Provider, Role
from vibecheck.errors import SettingsError
from vibecheck.ui.access import access_pass
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.presses import once


def announce() -> None:
    """Say in the terminal how the pages are opened, where that takes a link."""
    try:
        if not settings().own_machine and not _providers():
            access_pass.say()
    except SettingsError as error:  # every page says so too
        typer.echo(f"\n  {error}\n", err=True)


def role() -> Role:
    """The role of this session now."""
    if _on_own_machine():
        return Role.TRAINER
    try:
        known = _providers()
    except SettingsError:  # which `require` shows
        return Role.VISITOR
    if known:
        return _guests().role(roles.verified_email(st.user, known) or "")
    return Role.TRAINER if access_pass.has_pass() else Role.VISITOR


def name() -> str | None:
    """The verified e-mail with which somebody signed in, or None."""
    try:
        return roles.verified_email(st.user, _providers())
    except SettingsError:
        return None


def require(needed: Role) -> None:
    """Go on only in a session that has at least this role; else say how to be let in, and stop."""
    if role() >= needed:
        return
    theme.intro(f"For {needed.title}s", "This page opens only to those who have been let in.")
    with st.container(key="card-gate"):
        _way_in(needed)
    st.stop()


def greet() -> None:
    """In the sidebar: which pages are shut, who is signed in, and the way out."""
    held = role()
    st.html(access_pass.script(), unsafe_allow_javascript=True)
    st.html(f"<style>{_locks(held)}</style>")
    if _on_own_machine():
        theme.quiet("Started for this machine: all pages are open.")
    elif claims := _claims():
        email = roles.normal_email(claims.get("email"))
        theme.quiet(f"Signed in as {email or 'somebody without an e-mail address'} ({held.title}).")
        st.button("Sign out", key="sign_out", on_click=st.logout)
    elif held > Role.VISITOR:
        theme.quiet("Opened by the access link: all pages are open.")
        st.button("Sign out", key="sign_out", on_click=once(access_pass.give_up))
    else:
        _sign_in_buttons("sidebar")


def _way_in(needed: Role) -> None:
    """What somebody who was not let in can do about it."""
    try:
        known = _providers()
    except SettingsError as error:
        st.error(str(error), icon="⚠️")
        return
    if settings().own_machine:
        st.markdown(
            "VibeCheck was started for its own machine alone, and your browser did not come straight from "
            f"there. On that machine, open **http://127.0.0.1:{st.get_option('server.port')}**; from "
            "elsewhere, use the way below."
        )
    if known:
        _way_in_by_name(needed)
        return
    if problem := access_pass.problem():
        st.error(problem, icon="✋")
    if settings().access_token:
        where = "It is this address followed by `?access=` and the token set as `VIBECHECK_ACCESS_TOKEN`."
    else:
        where = (
            "It was printed in the terminal in which VibeCheck was started (on a host: in its log), and is "
            "another one after each start."
        )
    st.markdown(f"Open it with the **access link**. {where}")


def _way_in_by_name(needed: Role) -> None:
    if not _claims():
        st.markdown("Sign in with an account that has been let in.")
        _sign_in_buttons("page")
        return
    email = name()
    if email is None:
        st.markdown(
            "Your identity provider has not verified an e-mail address of yours. Verify it there, sign out "
            "here, and sign in again."
        )
        return
    theme.quiet(f"You are signed in as {email} ({role().title}).")
    st.markdown(f"Whoever runs VibeCheck can add you to `VIBECHECK_{needed.name}S`, and then start it again.")


def _sign_in_buttons(place: str) -> None:
    try:
        known = _providers()
    except SettingsError:
        return
    for provider in known:
        st.button(
            provider.title,
            key=f"sign_in-{place}-{provider.name}",
            icon=":material/login:",
            on_click=st.login,
            args=[provider.name],
        )


def _locks(held: Role) -> str:
    """A style sheet that marks the pages which this session would find shut."""
    return "".join(
        f'[data-testid="stSidebarNav"] a[href$="/{page}"]::after {{ content: "🔒" / "locked"; '
        "font-size: 12px; margin-left: auto; opacity: .7; }"
        for page, needed in PAGES.items()
        if held < needed
    )


def _on_own_machine() -> bool:
    if not settings().own_machine:
        return False
    sent = st.context.headers
    headers = [(each, value) for each in sent for value in sent.get_all(each)]
    return roles.on_own_machine(st.get_option("server.address"), headers)


def _providers() -> tuple[Provider, ...]:
    """The identity providers that are configured. Raises SettingsError."""
    return roles.providers(st.secrets.get("auth") if st.secrets.load_if_toml_exists() else None)


def _guests() -> Guests:
    return Guests.listed(settings().labellers, settings().analysts, settings().trainers)


def _claims() -> Mapping[str, object]:
    """What the identity provider says of who is signed in; empty if nobody is."""
    return st.user if st.user.get("is_logged_in") is True else {}
