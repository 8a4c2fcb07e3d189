"""Roles, and the e-mails that have them after sign-in. Pages check them through vibecheck/ui/access/gate.py.

A session is a visitor's unless its verified e-mail is on a list, or its browser holds a pass
(vibecheck/access/passes.py). E-mails and the claims of an identity provider are untrusted input.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from vibecheck.errors import SettingsError


class Role(IntEnum):
    """What a session may do; each role includes the ones before it."""

    VISITOR = 0
    LABELLER = 1
    ANALYST = 2
    TRAINER = 3

    @property
    def title(self) -> str:
        """The role as it is written in a sentence."""
        return self.name.lower()


# Each page by its name in the address, and the lowest role that may open it.
PAGES = {
    "Home": Role.VISITOR,
    "Corrections": Role.VISITOR,
    "Dashboard": Role.ANALYST,
    "Fine-tune": Role.TRAINER,
    "About": Role.VISITOR,
}

# Streamlit signs identities with it, so nobody must be able to guess it.
COOKIE_SECRET_LENGTH = 32
# Multi-tenant endpoints: anybody can have an account there and claim any e-mail:
# https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization
_ANY_TENANT = re.compile(r"https://login\.microsoftonline\.[a-z.]+/(common|organizations|consumers)/", re.I)


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider: the name `st.login` takes (None if it is the only one), and its metadata URL."""

    name: str | None
    metadata_url: str

    @property
    def title(self) -> str:
        return f"Sign in with {self.name.capitalize()}" if self.name else "Sign in"


def guest_list(text: str) -> tuple[str, ...]:
    """Parse e-mail addresses and @domains, separated by commas, and normalize them.

    Raises ValueError naming the first entry that is neither.
    """
    guests = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        local = "x" if entry.startswith("@") else ""
        guest = normal_email(local + entry)
        if guest is None:
            raise ValueError(f"{entry!r} is neither an e-mail address nor a domain like @example.org")
        guests.append(guest.removeprefix(local))
    return tuple(guests)


def role_of(email: str | None, labellers: str | None, analysts: str | None, trainers: str | None) -> Role:
    """The role of a verified e-mail: the highest on whose list its address or its domain is.

    The lists are those of the settings. Raises ValueError as `guest_list` does.
    """
    address = normal_email(email)
    if address is None:
        return Role.VISITOR
    names = {address, address[address.index("@") :]}
    lists = {Role.LABELLER: labellers, Role.ANALYST: analysts, Role.TRAINER: trainers}
    on = [role for role, text in lists.items() if names.intersection(guest_list(text or ""))]
    return max(on, default=Role.VISITOR)


def normal_email(text: object) -> str | None:
    """An e-mail address in the form in which addresses are compared, or None if it is not one.

    Only A–Z are lowercased: Unicode's rules would turn other letters into ASCII (K, the kelvin sign,
    into k), and one person's address into another's.
    """
    if not isinstance(text, str) or len(text) > 320:
        return None
    local, at, domain = text.partition("@")
    if not (local and at and domain) or "@" in domain:
        return None
    if not text.isprintable() or re.search(r'[\s,;:<>()\[\]\\"]', text):
        return None
    return text.encode().lower().decode()


def providers(auth: object) -> tuple[Provider, ...]:
    """The identity providers in the section [auth] of Streamlit's secrets; none if it is empty.

    Raises SettingsError naming what the section lacks. Streamlit itself would report it only when
    somebody presses the button.
    """
    if not auth:
        return ()
    if not isinstance(auth, Mapping):
        raise SettingsError("Nobody can sign in: auth in the secrets has to be a section, [auth].")
    for key in ("redirect_uri", "cookie_secret"):
        if not isinstance(auth.get(key), str):
            raise SettingsError(f"Nobody can sign in: the secrets' section [auth] lacks {key}.")
    if not str(auth["redirect_uri"]).endswith("/oauth2callback"):
        raise SettingsError("Nobody can sign in: redirect_uri in [auth] has to end with /oauth2callback.")
    if len(str(auth["cookie_secret"])) < COOKIE_SECRET_LENGTH:
        raise SettingsError(
            f"Nobody can sign in: cookie_secret in [auth] needs {COOKIE_SECRET_LENGTH} characters or more, "
            "drawn at random, since whoever guesses it can pass for anybody."
        )
    named = {name: section for name, section in auth.items() if isinstance(section, Mapping)}
    sections = named if "client_id" not in auth else {None: auth} | named
    found = tuple(_provider(name, section) for name, section in sections.items() if name != "client_kwargs")
    if not found:
        raise SettingsError("Nobody can sign in: the secrets' section [auth] lacks client_id.")
    return found


def _provider(name: str | None, section: Mapping[str, object]) -> Provider:
    where = f"[auth.{name}]" if name else "[auth]"
    for key in ("client_id", "client_secret", "server_metadata_url"):
        if not isinstance(section.get(key), str):
            raise SettingsError(f"Nobody can sign in: the secrets' section {where} lacks {key}.")
    if name and "_" in name:
        raise SettingsError(f"Nobody can sign in: the name of {where} may not have an underscore.")
    return Provider(name, str(section["server_metadata_url"]))


def verified_email(claims: Mapping[str, object], known: Iterable[Provider]) -> str | None:
    """The e-mail of the signed-in user, if their provider has verified it; else None.

    `claims` are those of the identity token, as in `st.user`. If the provider does not say whether it
    verified the e-mail, the e-mail counts, unless the provider is multi-tenant.
    """
    if claims.get("is_logged_in") is not True:
        return None
    name = claims.get("provider")
    provider = next((each for each in known if (each.name or "default") == name), None)
    if provider is None:
        return None
    verified = claims.get("email_verified", claims.get("xms_edov"))
    if verified is None:
        verified = not _ANY_TENANT.match(provider.metadata_url)
    # Some providers send it as a string.
    return normal_email(claims.get("email")) if verified in (True, "true", "True") else None


def is_loopback(name: str) -> bool:
    """Whether a host is loopback: localhost, 127.0.0.0/8 or ::1."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
