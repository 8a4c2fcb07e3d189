"""Additions to the SDK's HTTP sessions: time-outs for whole requests, and a check that Comet answered."""

import functools
import threading
from concurrent.futures import Future
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import BaseAdapter

if TYPE_CHECKING:
    from comet_ml.api import API


# Bytes a second; slower uploads are given up.
SLOWEST_UPLOAD = 50_000


class NotComet(requests.RequestException):
    """Something else answered instead of Comet: a proxy, a login page, a captive portal."""


def limit_requests() -> None:
    """Makes every new session of the SDK apply time-outs to whole requests."""
    from comet_ml.connection import http_session

    make = http_session.get_http_session
    if getattr(make, "limited", False):
        return

    @functools.wraps(make)
    def make_limited(*arguments: Any, **options: Any) -> requests.Session:
        session = make(*arguments, **options)
        for prefix, adapter in list(session.adapters.items()):
            session.mount(prefix, _WholeRequestTimeout(adapter))
        return session

    make_limited.limited = True  # type: ignore[attr-defined]
    http_session.get_http_session = make_limited


def refuse_others(api: "API") -> None:
    """Makes a client of Comet's REST API raise NotComet for answers that cannot come from Comet."""
    client = api._client.low_level_api_client
    for session in (client.session, client.retry_session):
        session.hooks["response"].append(_refuse_others)


def _refuse_others(response: requests.Response, *_: Any, **__: Any) -> None:
    """Raises NotComet for an HTML page, and for an error without Comet's JSON."""
    if response.is_redirect:
        return
    kind = response.headers.get("Content-Type", "").lower()
    if response.ok and "html" not in kind:
        return
    try:
        answer = response.json()
        is_comets = isinstance(answer, dict) and bool(answer.keys() & {"msg", "code", "sdk_error_code"})
    except (ValueError, RecursionError):
        is_comets = False
    if not is_comets and response.status_code < 500 and response.status_code != 429:
        raise NotComet(f"status {response.status_code}", response=response)


class _WholeRequestTimeout(BaseAdapter):
    """Applies the time-out of a request, which `requests` applies to each wait for data, to the whole of it.

    A request with a large body may take longer. The body of a streamed response is left to its reader.
    """

    def __init__(self, inner: BaseAdapter) -> None:
        self._inner = inner

    def close(self) -> None:
        self._inner.close()

    def send(self, request, stream=False, timeout=None, **options):
        seconds = max(timeout) if isinstance(timeout, tuple) else timeout
        if seconds is None:
            return self._inner.send(request, stream=stream, timeout=timeout, **options)
        seconds += int(request.headers.get("Content-Length") or 0) / SLOWEST_UPLOAD
        begun: list[requests.Response] = []  # the response, once its headers are there
        outcome: Future[requests.Response] = Future()

        def exchange() -> None:
            try:
                begun.append(self._inner.send(request, stream=True, timeout=timeout, **options))
                if not stream:
                    _ = begun[0].content
                outcome.set_result(begun[0])
            except Exception as error:  # noqa: BLE001  raised below, in the caller's thread
                outcome.set_exception(error)

        # In a thread, so that it can be abandoned.
        threading.Thread(target=exchange, name="comet-request", daemon=True).start()
        try:
            return outcome.result(seconds)
        except TimeoutError as error:
            with suppress(Exception):  # there is no response yet, or it ended at this moment
                begun[0].raw.shutdown()
            raise requests.ReadTimeout(f"no complete answer within {seconds:g} s", request=request) from error
