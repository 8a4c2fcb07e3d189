"""The gate of each page: the role of this session, and how to get another.

A page that is not for everybody calls `require` before it reads anything. Nothing else guards it: the
sidebar hides them by a style sheet alone, and addresses can be typed.
"""

from collections.abc import Mapping

import streamlit as st

from vibecheck.access import roles
from vibecheck.access.roles import PAGES, Provider, Role
from vibecheck.errors import SettingsError
from vibecheck.ui.access import access_link
from vibecheck.ui.access.access_link import providers
from vibecheck.ui.shared import theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.presses import once


def role() -> Role:
    """The role of this session now: passes and lists are checked at every call."""
    if known := _providers():
        email = roles.verified_email(st.user, known)
        return roles.role_of(email, settings().labellers, settings().analysts, settings().trainers)
    return Role.TRAINER if access_link.valid(_pass()) else Role.VISITOR


def require(needed: Role) -> None:
    """Continue only in a session with at least this role; else say how to get in, and stop."""
    if role() >= needed:
        return
    theme.intro(f"For {needed.title}s", "Only people with access can open this page.")
    with st.container(key="card-gate"):
        _way_in(needed)
    st.stop()


def greet() -> None:
    """In the sidebar: which pages are locked, who is signed in, and Sign out."""
    held = role()
    st.html(f"<style>{_locks(held)}</style>")
    if claims := _claims():
        email = roles.normal_email(claims.get("email"))
        theme.quiet(f"Signed in as {email or 'somebody without an e-mail address'} ({held.title}).")
        st.button("Sign out", key="sign_out", on_click=st.logout)
    elif held > Role.VISITOR:
        theme.quiet("You used the access link: all pages are open.")
        st.button("Sign out", key="sign_out", on_click=once(_sign_out))
        st.button(
            "Sign out all browsers",
            key="sign_out_all",
            type="tertiary",
            help="Every browser that used the access link has to open it again. Unless "
            "VIBECHECK_ACCESS_TOKEN is set, a new link is printed in the terminal.",
            on_click=once(_sign_out_all),
        )
    else:
        _sign_in_buttons("sidebar")


def _pass() -> str | None:
    """The pass that this session's browser sent."""
    return st.context.cookies.get(access_link.cookie_name())


def _sign_out() -> None:
    """End the pass; the browser's cookie is worthless from now on."""
    access_link.passes().revoke(_pass())


def _sign_out_all() -> None:
    if access_link.passes().revoke_all():
        access_link.announce()


def _way_in(needed: Role) -> None:
    try:
        known = providers()
    except SettingsError as error:
        st.error(str(error), icon="⚠️")
        return
    if not known and settings().access_token:
        st.markdown(
            "Open it with the **access link**. It is this address followed by `?access=` and the token set "
            "as `VIBECHECK_ACCESS_TOKEN`."
        )
    elif not known:
        st.markdown(
            "Open it with the **access link**. It is printed in the terminal in which VibeCheck was started "
            "(on a host: in its log). Each start generates a new one."
        )
    elif not _claims():
        st.markdown("Sign in with an account that has access.")
        _sign_in_buttons("page")
    elif email := roles.verified_email(st.user, known):
        theme.quiet(f"You are signed in as {email} ({role().title}).")
        st.markdown(
            f"The operator of this app can add you to `VIBECHECK_{needed.name}S`, and then restart it."
        )
    else:
        st.markdown(
            "Your identity provider has not verified an e-mail address of yours. Verify it there, sign out "
            "here, and sign in again."
        )


def _sign_in_buttons(place: str) -> None:
    for provider in _providers():
        st.button(
            provider.title,
            key=f"sign_in-{place}-{provider.name}",
            icon=":material/login:",
            on_click=st.login,
            args=[provider.name],
        )


def _locks(held: Role) -> str:
    """A style sheet that leaves the pages out of the menu that this session may not open."""
    return "".join(
        f'[data-testid="stSidebarNav"] li:has(a[href$="/{page}"]) {{ display: none; }}'
        for page, needed in PAGES.items()
        if held < needed
    )


def _providers() -> tuple[Provider, ...]:
    """The identity providers; none if their setting is unusable, which `require` reports."""
    try:
        return providers()
    except SettingsError:
        return ()


def _claims() -> Mapping[str, object]:
    """The claims of whoever is signed in; empty if nobody is."""
    return st.user if st.user.get("is_logged_in") is True else {}
