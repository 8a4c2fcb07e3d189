"""Roles, guests and identity providers, from untrusted input."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vibecheck.access.roles import (
    Provider,
    Role,
    guest_list,
    is_loopback,
    normal_email,
    providers,
    role_of,
    verified_email,
)
from vibecheck.errors import SettingsError

AUTH = {
    "redirect_uri": "https://vibe.example/oauth2callback",
    "cookie_secret": "c" * 32,
    "client_id": "id",
    "client_secret": "secret",
    "server_metadata_url": "https://id.example/.well-known/openid-configuration",
}
KNOWN = (Provider(None, AUTH["server_metadata_url"]),)
ENTRA = "https://login.microsoftonline.com/{}/v2.0/.well-known/openid-configuration"


def test_roles_are_ordered_from_visitor_to_trainer():
    assert list(Role) == sorted(Role)
    assert [role.title for role in Role] == ["visitor", "labeller", "analyst", "trainer"]


@pytest.mark.parametrize(
    ("email", "role"),
    [
        ("lea@firm.example", Role.LABELLER),
        ("LEA@FIRM.EXAMPLE", Role.LABELLER),
        ("ann@example.org", Role.ANALYST),
        ("both@firm.example", Role.TRAINER),
        ("ann@EXAMPLE.org", Role.ANALYST),
        ("ann@sub.example.org", Role.VISITOR),
        ("ann@example.org.evil.example", Role.VISITOR),
        ("ann@notfirm.example", Role.VISITOR),
        ("ann@evil.example@firm.example", Role.VISITOR),
        ("ann@firm.example@evil.example", Role.VISITOR),
        ("ann@example.org ", Role.VISITOR),
        ("ann@example.org\n", Role.VISITOR),
        ("<ann@example.org>", Role.VISITOR),
        ("@firm.example", Role.VISITOR),
        ("firm.example", Role.VISITOR),
        ("", Role.VISITOR),
        ("lea@\uff46irm.example", Role.VISITOR),
        ("lea@fırm.example", Role.VISITOR),
    ],
)
def test_email_gets_the_role_of_the_list_that_names_it(email, role):
    lists = "@firm.example, both@firm.example", " ann@example.org ,", "Both@Firm.example"
    assert role_of(email, *lists) is role


def test_letters_that_lowercase_to_ascii_do_not_match_a_listed_email():
    assert "\u212aim@example.org".lower() == "kim@example.org"
    assert role_of("\u212aim@example.org", None, None, "kim@example.org") is Role.VISITOR
    assert role_of("KIM@example.org", None, None, "kim@example.org") is Role.TRAINER


def test_without_a_list_nobody_has_a_role():
    assert role_of("ann@example.org", None, "", " , ") is Role.VISITOR


@pytest.mark.parametrize(
    "text", ["example.org", "ann@", "@", "a@b@c", "a b@c.d", "ann@x.org; b@x.org", "@a@b"]
)
def test_entry_that_is_neither_an_address_nor_a_domain_is_named_in_the_error(text):
    with pytest.raises(ValueError, match="neither an e-mail address nor a domain") as caught:
        guest_list(f"good@example.org,{text}")
    assert repr(text) in str(caught.value)


@given(st.text())
@example("a@b,@c")
def test_list_is_refused_or_gives_roles_only_to_the_emails_it_names(text):
    try:
        guests = guest_list(text)
    except ValueError:
        return
    named = {part.strip().encode().lower().decode() for part in text.split(",")}
    assert set(guests) <= named
    for guest in guests:
        assert normal_email(guest if guest[0] != "@" else f"x{guest}") is not None


@given(st.one_of(st.text(), st.emails(), st.none(), st.integers(), st.lists(st.text())))
def test_email_is_normalised_to_one_form_or_refused(value):
    email = normal_email(value)
    if email is not None:
        assert email.count("@") == 1 and email.isprintable() and not any(c.isspace() for c in email)
        assert normal_email(email) == email == normal_email(value.swapcase() if value.isascii() else value)


@given(st.emails(), st.emails())
def test_email_gets_a_role_only_if_it_equals_the_listed_one(listed, shown):
    try:
        role = role_of(shown, None, None, listed)
    except ValueError:
        return
    same = listed.lower() == shown.lower()
    assert role == (Role.TRAINER if same else Role.VISITOR)


@pytest.mark.parametrize(
    ("claims", "email"),
    [
        ({"email_verified": True}, "ann@example.org"),
        ({"email_verified": "true"}, "ann@example.org"),
        ({}, "ann@example.org"),
        ({"email_verified": False}, None),
        ({"email_verified": "false"}, None),
        ({"email_verified": ""}, None),
        ({"email_verified": ["true"]}, None),
        ({"email_verified": 2}, None),
        ({"is_logged_in": False}, None),
        ({"is_logged_in": "yes"}, None),
        ({"provider": "another"}, None),
        ({"provider": None}, None),
        ({"email": None}, None),
        ({"email": ["ann@example.org"]}, None),
    ],
)
def test_only_an_email_verified_by_the_provider_counts(claims, email):
    said = {"is_logged_in": True, "provider": "default", "email": "Ann@example.org"}
    assert verified_email(said | claims, KNOWN) == email


def test_missing_claims_give_no_email():
    assert verified_email({}, KNOWN) is None
    assert verified_email({"email": "ann@example.org", "email_verified": True}, KNOWN) is None


@pytest.mark.parametrize(
    ("tenant", "claims", "counts"),
    [
        ("8eaef023-2b34-4da1-9baa-8bc8c9d6a490", {}, True),
        ("firm.example", {}, True),
        ("common", {}, False),
        ("organizations", {}, False),
        ("consumers", {}, False),
        ("common", {"xms_edov": True}, True),
        ("common", {"xms_edov": False}, False),
        ("COMMON", {}, False),
    ],
)
def test_unverified_email_from_a_multi_tenant_provider_does_not_count(tenant, claims, counts):
    """There, the e-mail is whatever the account's own administrator wrote."""
    known = (Provider("microsoft", ENTRA.format(tenant)),)
    said = {"is_logged_in": True, "provider": "microsoft", "email": "ann@example.org"} | claims
    assert (verified_email(said, known) is not None) is counts


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(
    st.dictionaries(
        st.sampled_from(["is_logged_in", "provider", "email", "email_verified", "xms_edov", "sub"]), anything
    )
)
def test_claims_of_any_shape_give_an_email_or_none(claims):
    email = verified_email(claims, KNOWN)
    assert email is None or (claims["is_logged_in"] is True and normal_email(claims["email"]) == email)


def test_unnamed_and_named_providers_are_listed():
    section = {key: AUTH[key] for key in ("client_id", "client_secret", "server_metadata_url")}
    assert providers({}) == ()
    assert providers(AUTH) == KNOWN
    assert providers(AUTH | {"client_kwargs": {"prompt": "login"}}) == KNOWN
    shared = {key: AUTH[key] for key in ("redirect_uri", "cookie_secret")}
    named = providers(shared | {"google": section, "okta": section})
    assert [(each.name, each.title) for each in named] == [
        ("google", "Sign in with Google"),
        ("okta", "Sign in with Okta"),
    ]
    assert [each.title for each in providers(AUTH | {"okta": section})] == ["Sign in", "Sign in with Okta"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"redirect_uri": None}, r"\[auth\] lacks redirect_uri"),
        ({"redirect_uri": "https://vibe.example"}, "oauth2callback"),
        ({"cookie_secret": None}, r"\[auth\] lacks cookie_secret"),
        ({"cookie_secret": "xxx"}, "32 characters"),
        ({"client_id": None}, r"\[auth\] lacks client_id"),
        ({"client_secret": None}, r"\[auth\] lacks client_secret"),
        ({"server_metadata_url": 7}, r"\[auth\] lacks server_metadata_url"),
        ({"okta": {"client_id": "id"}}, r"\[auth.okta\] lacks client_secret"),
        ({"my_okta": {k: v for k, v in AUTH.items() if k != "cookie_secret"}}, "underscore"),
    ],
)
def test_incomplete_auth_section_is_refused_with_the_missing_key(change, words):
    with pytest.raises(SettingsError, match=words) as caught:
        providers({key: value for key, value in (AUTH | change).items() if value is not None})
    assert AUTH["client_secret"] not in str(caught.value).split()


@given(st.dictionaries(st.sampled_from([*AUTH, "okta", "client_kwargs"]) | st.text(), anything) | anything)
def test_auth_section_of_any_shape_gives_providers_or_an_error(auth):
    try:
        found = providers(auth)
    except SettingsError as error:
        assert str(error).endswith(".")
    else:
        assert bool(found) == bool(auth)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("127.8.9.1", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("192.168.0.9", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_loopback_hosts_are_recognised(host, loopback):
    assert is_loopback(host) is loopback
