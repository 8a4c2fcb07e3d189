"""ICE servers for WebRTC: public STUN, or a TURN relay by Cloudflare or Twilio.

With a relay WebRTC connects through most firewalls; without one, video goes over the page's own connection
there. Credentials are sent only to the service they belong to.
"""

from dataclasses import dataclass
from typing import Any

import requests

from vibecheck.settings import Settings

PUBLIC_STUN = ({"urls": "stun:stun.l.google.com:19302"},)
CLOUDFLARE = "https://rtc.live.cloudflare.com/v1/turn/keys/{key}/credentials/generate-ice-servers"
TWILIO = "https://api.twilio.com/2010-04-01/Accounts/{sid}/Tokens.json"
# s; the most that Twilio gives. START uses those with which its page was drawn, even if that is hours ago.
LIFETIME = 24 * 3600
TIMEOUT = 5.0
SET_ONE = (
    "set CLOUDFLARE_TURN_KEY_ID and CLOUDFLARE_TURN_KEY_API_TOKEN, "
    "or TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
)


@dataclass(frozen=True, slots=True)
class Relay:
    """`servers` for RTCPeerConnection; `state` describes them in a sentence.

    `works` is false if a relay is set but gave no credentials.
    """

    servers: tuple[dict, ...]
    state: str
    works: bool = True


def find_relay(settings: Settings, cloudflare: str = CLOUDFLARE, twilio: str = TWILIO) -> Relay:
    """The relay from the settings, with credentials: Cloudflare's, else Twilio's, else public STUN.

    Takes up to 5 s per service. Never raises: `state` names a service that failed, and the next one is used.
    """
    s = settings
    services = (
        ("Cloudflare", _cloudflare, cloudflare, s.cloudflare_turn_key_id, s.cloudflare_turn_key_api_token),
        ("Twilio", _twilio, twilio, s.twilio_account_sid, s.twilio_auth_token),
    )
    failed = []
    for name, ask, url, key, token in services:
        if key is None and token is None:
            continue
        if key is None or token is None:
            failed.append(f"{name} has only one of its two settings")
            continue
        try:
            return Relay(tuple(ask(url, key, token.get_secret_value())), f"{name} relays the camera.")
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            failed.append(f"{name} gave no credentials ({_reason(error)})")
    if failed:
        return Relay(PUBLIC_STUN, f"No relay: {'; '.join(failed)}. Check the settings, or {SET_ONE}.", False)
    without = "No relay is set: if WebRTC does not connect, video goes over the page's own connection."
    return Relay(PUBLIC_STUN, f"{without} For a relay, {SET_ONE}.")


def _cloudflare(url: str, key: str, token: str) -> list[dict]:
    # Cloudflare rejects the default user agents of HTTP libraries.
    headers = {"User-Agent": "vibecheck", "Authorization": f"Bearer {token}"}
    url = url.format(key=requests.utils.quote(key, safe=""))
    return _servers("iceServers", url, json={"ttl": LIFETIME}, headers=headers)


def _twilio(url: str, sid: str, token: str) -> list[dict]:
    url = url.format(sid=requests.utils.quote(sid, safe=""))
    return _servers("ice_servers", url, data={"Ttl": LIFETIME}, auth=(sid, token))


def _servers(name: str, url: str, **request: Any) -> list[dict]:
    """The list of servers that an answer gives by this name, with only the fields a browser needs."""
    answer = requests.post(url, timeout=TIMEOUT, **request)
    answer.raise_for_status()
    servers = [
        {field: server[field] for field in ("urls", "username", "credential") if field in server}
        for server in answer.json()[name]
    ]
    if not servers or not all("urls" in server for server in servers):
        raise ValueError("no servers in the answer")
    return servers


def _reason(error: Exception) -> str:
    """A short reason, without the URL, which contains the account's id."""
    response = getattr(error, "response", None)
    return f"status {response.status_code}" if response is not None else type(error).__name__
