"""Turns the SDK's errors into three: a temporary failure, refused settings, or a rejected record.

No message quotes the SDK's own, which may contain the key.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import BufferingHandler

import requests

from vibecheck.comet.http import NotComet
from vibecheck.errors import CometError, CometRefuses, CometRejected, CometUnavailable, parse_retry_after

# Comet's code for "no more images in this experiment".
IMAGE_LIMIT = 7000001


@contextmanager
def sdk_errors(doing: str, gone: Callable[[], bool] | None = None) -> Iterator[None]:
    """Raises the SDK's errors as ours, with a message that names the action."""
    from comet_ml.exceptions import CometException, CometRestApiException

    try:
        yield
    except NotComet as error:
        raise CometUnavailable(
            f"Something other than Comet answered ({error}): check the proxy and the network, and "
            "COMET_URL_OVERRIDE if it is set. Until then records are kept here."
        ) from error
    except requests.RequestException as error:
        raise CometUnavailable(
            f"Comet cannot be reached ({type(error).__name__}): check the network, and COMET_URL_OVERRIDE "
            "if it is set. Until then records are kept here."
        ) from error
    except CometRestApiException as error:
        status = error.response.status_code
        if status in (400, 404) and gone is not None and gone():
            raise CometUnavailable(
                "The experiment was deleted in Comet; it will be created again."
            ) from error
        raise _error_of(doing, error.response) from error
    except CometException as error:
        response = getattr(error, "response", None)  # an upload that was throttled
        if isinstance(response, requests.Response):
            raise _error_of(doing, response) from error
        raise CometUnavailable(f"Comet could not {doing} ({type(error).__name__}).") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CometUnavailable(
            f"Comet's answer to “{doing}” was not understood ({type(error).__name__}): check "
            "COMET_URL_OVERRIDE if it is set."
        ) from error


@contextmanager
def logged_by(name: str) -> Iterator[BufferingHandler]:
    """Collects the warnings and errors of a logger."""
    handler = BufferingHandler(capacity=1000)
    handler.setLevel(logging.WARNING)
    logging.getLogger(name).addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger(name).removeHandler(handler)


def _error_of(doing: str, response: requests.Response) -> CometError:
    """The error for an unsuccessful response."""
    status, message, codes = response.status_code, "", set()
    try:
        answer = response.json()
        message = " ".join(str(answer.get("msg") or "").split())[:200]
        codes = {answer.get("code"), answer.get("sdk_error_code")}
    except (ValueError, AttributeError):
        pass
    quoted = f" ({message})" if message else ""
    if status in (401, 403):
        return CometRefuses(
            f"Comet refuses the key{quoted}. Check COMET_API_KEY, and that it may write in COMET_WORKSPACE."
        )
    if status == 402 or IMAGE_LIMIT in codes:
        return CometRefuses(f"A limit of the Comet plan is reached{quoted}: raise it, or free some space.")
    if status == 429:
        return CometUnavailable(f"Comet asks to send more slowly{quoted}.", _retry_after(response))
    if status >= 500 or status == 408:
        return CometUnavailable(
            f"Comet has an internal problem (status {status}){quoted}.", _retry_after(response)
        )
    return CometRejected(f"Comet rejected the request to {doing}: status {status}{quoted}.")


def _retry_after(response: requests.Response) -> float | None:
    """The seconds that Comet asks to wait."""
    asked = (parse_retry_after(response.headers.get(n, "")) for n in ("Retry-After-Custom", "Retry-After"))
    return next((each for each in asked if each is not None), None)
