"""A local identity provider (OpenID Connect): its login page has a link for each person it knows."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.standins.http import Asked, serving


@contextmanager
def identity_provider(people: Mapping[str, bool]) -> Iterator[str]:
    """Serve `people`: e-mails, and whether they are verified. Yields the address of the provider."""
    key = RSAKey.generate_key(2048, {"kid": "k"}, private=True)
    codes: dict[str, dict] = {}
    base = ""

    def answer(asked: Asked) -> tuple[int, object]:
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": base,
                "authorization_endpoint": f"{base}/authorize",
                "token_endpoint": f"{base}/token",
                "jwks_uri": f"{base}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        if path == "/keys":
            return 200, {"keys": [key.as_dict(private=False)]}
        if path == "/authorize":
            return 200, login_page(query)
        if path == "/token":
            claims = codes.pop(parse_qs(asked.body.decode())["code"][0])
            token = jwt.encode({"alg": "RS256", "kid": "k"}, claims, key)
            return 200, {"access_token": "a", "token_type": "Bearer", "expires_in": 300, "id_token": token}
        return 404, {}

    def login_page(query: dict[str, list[str]]) -> bytes:
        links = []
        now = int(time.time())
        for number, (email, verified) in enumerate(people.items()):
            code = f"{query['state'][0]}-{number}"
            codes[code] = {
                "iss": base,
                "aud": query["client_id"][0],
                "sub": str(number),
                "iat": now,
                "exp": now + 300,
                "nonce": query["nonce"][0],
                "email": email,
                "email_verified": verified,
            }
            back = f"{query['redirect_uri'][0]}?{urlencode({'code': code, 'state': query['state'][0]})}"
            links.append(f'<p><a href="{escape(back)}">{escape(email)}</a></p>')
        return f"<!doctype html><title>Who are you?</title>{''.join(links)}".encode()

    with serving(answer) as standin:
        base = standin.url
        yield base
