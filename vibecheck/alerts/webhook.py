"""Posts an alert to the webhook of VIBECHECK_ALERT_URL: Slack's incoming webhooks, or any that takes JSON.

The path of such an address is a secret: no message and no error of this module contains it.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

import requests

from vibecheck.errors import AlertNotSent, parse_retry_after

# s: until connected, and for each wait for data.
TIMEOUT = (5.0, 10.0)


@dataclass(frozen=True, slots=True)
class Alert:
    """A notification of the operator. `key` identifies it: each key is sent once.

    `event` is "retrain", "comparison", "drift" or "set_aside". A `lasting` one is sent again if its cause
    ends and returns.
    """

    event: str
    key: str
    text: str
    lasting: bool = True


def post(url: str, alert: Alert, deployment: str) -> None:
    """One POST of JSON: `text` (which Slack shows), `event`, and `id`, the same in each attempt.

    Redirects are not followed: only the address that was set is trusted. Raises AlertNotSent.
    """
    content = {
        "text": f"VibeCheck ({deployment}): {alert.text}",
        "event": alert.event,
        "id": f"{deployment} {alert.key}",
    }
    response = _request("POST", url, url, json=content)
    if not response.ok or response.is_redirect:
        wait = parse_retry_after(response.headers.get("Retry-After", ""))
        raise AlertNotSent(_refused(url, response.status_code), wait)


def reachable(url: str) -> str:
    """Checks that the webhook's server answers, without posting; returns a sentence. Raises AlertNotSent."""
    parts = urlsplit(url)
    _request("HEAD", f"{parts.scheme}://{parts.netloc}/", url)
    return f"{parts.hostname} answers. Alerts go there; the first one shows whether it takes them."


def _request(method: str, address: str, url: str, **content: dict[str, str]) -> requests.Response:
    """The response's status and headers; its body is never read."""
    try:
        with requests.request(
            method, address, timeout=TIMEOUT, allow_redirects=False, stream=True, **content
        ) as response:
            return response
    except (requests.RequestException, ValueError, OSError) as error:
        # Not its text, nor as its cause: both contain the address.
        raise AlertNotSent(_failed(url, error)) from None


def _failed(url: str, error: Exception) -> str:
    host = urlsplit(url).hostname
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer in time."
    if isinstance(error, requests.exceptions.SSLError):
        return f"{host} has no valid certificate: check VIBECHECK_ALERT_URL."
    if isinstance(error, requests.ConnectionError):
        return f"{host} cannot be reached: check the network, and VIBECHECK_ALERT_URL."
    return f"The request to {host} failed ({type(error).__name__}): check VIBECHECK_ALERT_URL."


def _refused(url: str, status: int) -> str:
    host = urlsplit(url).hostname
    if 300 <= status < 400:
        return f"{host} redirects ({status}): set VIBECHECK_ALERT_URL to the address it leads to."
    if status == 429 or status >= 500:
        return f"{host} does not take alerts at the moment ({status})."
    return f"{host} refuses alerts ({status}): check VIBECHECK_ALERT_URL."
