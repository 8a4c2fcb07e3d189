"""Who may open which page: the rules. The pages ask them through vibecheck/ui/access/gate.py.

A session has one role. It gets more than a visitor's in one of three ways: it is on the machine that
VibeCheck was started for, its e-mail is on a list, or it came by the access link
(vibecheck/access/link.py). Everything here is outside input until it is parsed: headers, e-mails,
the claims of an identity provider.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from vibecheck.errors import SettingsError


class Role(IntEnum):
    """What a session may do; each role may do what the ones before it may."""

    VISITOR = 0
    LABELLER = 1
    ANALYST = 2
    TRAINER = 3

    @property
    def title(self) -> str:
        """As it is written in a sentence."""
        return self.name.lower()


# The page, by its name in the address, and the role without which it shows nothing.
PAGES = {
    "Home": Role.VISITOR,
    "Corrections": Role.VISITOR,
    "Dashboard": Role.ANALYST,
    "Fine-tune": Role.TRAINER,
    "About": Role.VISITOR,
}

# What proxies, tunnels and balancers add. X-Forwarded-… and the like are matched by their beginning.
FORWARDING = (
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-",
    "x-proxy",
    "x-envoy-",
    "x-amzn-",
    "x-azure-",
    "x-appengine-",
    "true-client-ip",
    "client-ip",
    "cf-",
    "cdn-loop",
    "fastly-",
    "fly-",
    "tailscale-",
)
_AUTHORITY = re.compile(r"(?:([A-Za-z0-9.-]{1,253})|\[([0-9A-Fa-f:.]{2,45})\])(?::[0-9]{1,5})?")

# A shorter one could be guessed: Streamlit signs with it who somebody is.
COOKIE_SECRET_LENGTH = 32
# At these, everybody in the world can have an account, and name any e-mail as theirs:
# https://learn.microsoft.com/entra/identity-platform/migrate-off-email-claim-authorization
_ANY_TENANT = re.compile(r"https://login\.microsoftonline\.[a-z.]+/(common|organizations|consumers)/", re.I)


@dataclass(frozen=True, slots=True)
class Guests:
    """The role of each e-mail address ("ann@example.org") and domain ("@example.org")."""

    roles: Mapping[str, Role]

    @classmethod
    def listed(cls, labellers: str | None, analysts: str | None, trainers: str | None) -> "Guests":
        """From the three lists as they are set. Raises ValueError as `guest_list` does."""
        lists = {Role.LABELLER: labellers, Role.ANALYST: analysts, Role.TRAINER: trainers}
        # In the order of the roles, so that who is on two lists has the higher one.
        return cls({guest: role for role, text in lists.items() for guest in guest_list(text or "")})

    def role(self, email: str) -> Role:
        """The role of a verified e-mail: by its address or by its domain, whichever is higher."""
        address = normal_email(email)
        if address is None:
            return Role.VISITOR
        domain = address[address.index("@") :]
        return max(self.roles.get(address, Role.VISITOR), self.roles.get(domain, Role.VISITOR))


@dataclass(frozen=True, slots=True)
class Provider:
    """An identity provider: the name that `st.login` takes (none for the only one), and its address."""

    name: str | None
    metadata_url: str

    @property
    def title(self) -> str:
        return f"Sign in with {self.name.capitalize()}" if self.name else "Sign in"


def guest_list(text: str) -> tuple[str, ...]:
    """E-mail addresses and @domains, separated by commas, in one way of writing.

    Raises ValueError that shows the first entry which is neither.
    """
    guests = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        anybody = "x" if entry.startswith("@") else ""
        guest = normal_email(anybody + entry)
        if guest is None:
            raise ValueError(f"{entry!r} is neither an e-mail address nor a domain like @example.org")
        guests.append(guest.removeprefix(anybody))
    return tuple(guests)


def normal_email(text: object) -> str | None:
    """An e-mail address in the way of writing in which two are compared, or None if it is none.

    Only A–Z are made small: Unicode's own rule would make other letters into ASCII (K, the kelvin
    sign, into k), and one person's address into another's.
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
    """The identity providers of the section [auth] of Streamlit's secrets; none if it is empty.

    Raises SettingsError that names what the section lacks. Streamlit would say it only to whoever
    presses the button.
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
    """The e-mail of who is signed in, if their provider vouches for it; else None.

    `claims` are those of the identity token, as `st.user` has them. Where a provider does not say
    whether it has verified the e-mail, it counts, unless anybody can make an account there.
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
    # Some write it as a word.
    return normal_email(claims.get("email")) if verified in (True, "true", "True") else None


def on_own_machine(address: str | None, headers: Iterable[tuple[str, str]]) -> bool:
    """Whether a browser on this very machine asks, with nothing in between.

    `address` is what the server listens at, `headers` are those of the WebSocket's handshake. Three
    things have to hold. The server listens on loopback alone. The Host is loopback's, or a page from
    elsewhere could have its own name point here (DNS rebinding); and the Origin is the same, or
    another page, or a proxy that writes its own Host, is in front. No proxy has left its mark.
    """
    sent = [(name.lower(), value) for name, value in headers]
    hosts = [value for name, value in sent if name == "host"]
    origins = [value for name, value in sent if name == "origin"]
    if len(hosts) != 1 or len(origins) != 1 or any(name.startswith(FORWARDING) for name, _ in sent):
        return False
    host = hosts[0].lower()
    same = origins[0].lower() in (f"http://{host}", f"https://{host}")
    return same and is_loopback(address or "") and is_loopback(host_name(host) or "")


def host_name(authority: str) -> str | None:
    """The name or address in a Host header ("name", "name:port", "[address]:port"), or None."""
    match = _AUTHORITY.fullmatch(authority)
    return match and (match[1] or match[2])


def is_loopback(name: str) -> bool:
    """Whether a host is this machine's loopback: localhost, 127.0.0.0/8 or ::1, and no other name."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
