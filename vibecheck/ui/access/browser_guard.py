"""Binds what a browser does to its cookies, before Streamlit sees it.

- Each browser has a visitor id in an HttpOnly cookie, set or renewed when a page is loaded.
- The access link is exchanged for a pass in a cookie by a redirect, before any page is drawn.
- A session is resumed, files are uploaded to it, and its downloads are served only with the cookies of the
  browser that opened it. Streamlit's addresses below /media would open for anybody.
- Uploads hold a bounded amount of memory (vibecheck/ui/access/upload_quota.py).
- Messages over the WebSocket are limited in size and rate, and those of a developer are dropped
  (vibecheck/ui/access/websocket_messages.py).
"""

import logging
import re
import time
from dataclasses import dataclass
from html import escape
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request, cookie_parser
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from vibecheck.access.browsers import Browser, is_visitor, new_visitor
from vibecheck.ui.access import access_link, websocket_messages
from vibecheck.ui.access.access_link import PARAMETER, session_owners, visitors
from vibecheck.ui.access.security_headers import path_of
from vibecheck.ui.access.upload_quota import Upload, quota

log = logging.getLogger(__name__)

VISITOR_COOKIE = "vibecheck_visitor"
# What the visitor lets the app keep: written by a script of Home, and renewed here, since Safari forgets what
# scripts write after seven days.
KEEP_COOKIE = "vibecheck_keep"
# Passed to the pages: the browser sent no visitor cookie, for example because the host drops cookies.
NO_COOKIE = "x-vibecheck-no-cookie"
YEAR = 365 * 24 * 3600  # s
# The address of live video, the one WebSocket that is not Streamlit's: it checks each connection itself.
VIDEO = "/video"
UPLOAD = re.compile(r"/_stcore/upload_file/([^/]*)/")
MEDIA = re.compile(rb"/media/([0-9a-f]+)")
NO_PAGES = ("/_stcore", "/media", "/component", "/static", "/oauth2callback")
POLICY_VIOLATION = 1008  # close code, RFC 6455
REFUSED = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>VibeCheck</title>
<meta name="viewport" content="width=device-width"><style>body {{ background: #0E1016; color: #F2F4F8;
font: 16px/1.5 system-ui, sans-serif; display: grid; place-content: center; min-height: 90vh; }}
a {{ color: #B79BFF; }}</style></head><body><main><h1>This link does not open VibeCheck</h1><p>{text}</p>
<p><a href="./">Go to the first page</a></p></main></body></html>"""


@dataclass(frozen=True)
class Client:
    """The sender of a request: the browser, its pass as sent, and the Set-Cookie headers the answer needs."""

    browser: Browser
    shown_pass: str | None
    set_cookies: tuple[str, ...]


class BrowserGuard:
    """ASGI middleware, around all of Streamlit's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        # Not just at Streamlit's path: its router also accepts variants of it, such as one with a line break.
        elif scope["type"] == "websocket" and path_of(scope) != VIDEO:
            await self._socket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, client = path_of(scope), identify(scope)
        if scope["method"] == "GET" and not path.startswith(NO_PAGES):
            request = Request(scope)
            if PARAMETER in request.query_params:
                await exchange(request, client)(scope, receive, send)
                return
        if not self._may(client.browser, path):
            await PlainTextResponse("Forbidden", status_code=403)(scope, receive, send)
            return
        if scope["method"] == "PUT" and (session := UPLOAD.match(path)):
            await _upload(self._app, scope, receive, send, client.browser, session[1])
            return

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start" and not path.startswith(NO_PAGES):
                headers = MutableHeaders(scope=message)
                if headers.get("content-type", "").startswith("text/html"):
                    for cookie in client.set_cookies:
                        headers.append("Set-Cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookies)

    @staticmethod
    def _may(browser: Browser, path: str) -> bool:
        """Whether a browser may use an address that belongs to a session."""
        if upload := UPLOAD.match(path):
            return session_owners().owns(browser, upload[1])
        if media := MEDIA.match(path.encode()):
            return session_owners().may_open(browser, media[1])
        return not path.startswith(("/_stcore/upload_file", "/media"))

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = identify(scope)
        browser = client.browser
        session, closed = "", False
        allowance = websocket_messages.Allowance(time.monotonic())

        async def close() -> Message:
            nonlocal closed
            closed = True
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return {"type": "websocket.disconnect", "code": POLICY_VIOLATION}

        async def receive_checked() -> Message:
            while True:
                message = await receive()
                if message["type"] != "websocket.receive":
                    return message
                if browser.has_pass and not access_link.valid(client.shown_pass):
                    return await close()  # signed out, or expired
                try:
                    allowance.take(time.monotonic())
                    if websocket_messages.is_allowed(message.get("bytes") or b""):
                        return message
                except websocket_messages.TooMuch as error:
                    log.warning("Closed a browser's connection: %s.", error)
                    return await close()

        async def send_checked(message: Message) -> None:
            nonlocal session
            if closed:
                return
            if message["type"] == "websocket.accept":
                headers = MutableHeaders(scope=message)
                for cookie in client.set_cookies:
                    headers.append("Set-Cookie", cookie)
            elif message["type"] == "websocket.send" and (data := message.get("bytes")):
                if not session and (session := _session_in(data)):
                    session_owners().bind(session, browser)
                if session and b"/media/" in data:
                    for file in MEDIA.findall(data):
                        session_owners().name_file(session, file)
            await send(message)

        try:
            await self._app(_for_streamlit(scope, browser), receive_checked, send_checked)
        finally:
            session_owners().close(session, time.monotonic())


async def _upload(
    app: ASGIApp, scope: Scope, receive: Receive, send: Send, browser: Browser, session: str
) -> None:
    """Hand an upload to Streamlit, if there is room for it."""
    size = Headers(scope=scope).get("content-length", "")
    if not size.isdecimal():
        sentence, status = "An upload needs a Content-Length header.", 411
    else:
        upload = Upload(session, browser, _address(scope), int(size))
        sentence, status = quota().refuse(upload), 429
        if not sentence:
            with quota().arriving(upload):
                await app(scope, receive, send)
            return
    await PlainTextResponse(sentence, status_code=status)(scope, receive, send)


def _address(scope: Scope) -> str:
    """The network address that a request came from; behind a proxy that uvicorn trusts, the client's."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def identify(scope: Scope) -> Client:
    """The sender of a request, by its cookies. A browser without a visitor id gets one."""
    cookies = cookie_parser(Headers(scope=scope).get("cookie", ""))
    shown, shown_pass = cookies.get(VISITOR_COOKIE), cookies.get(access_link.cookie_name())
    visitor = visitors().current(shown) if shown and is_visitor(shown) else new_visitor()
    has_pass = access_link.valid(shown_pass)
    headers, page = [], scope["type"] == "http"
    # Renewed by each page, since without it a visitor could not delete recent records.
    if page or visitor != shown:
        headers.append(_cookie(scope, VISITOR_COOKIE, visitor, f"HttpOnly; Max-Age={YEAR}; SameSite=Lax"))
    if shown_pass is not None and not has_pass:
        headers.append(_cookie(scope, access_link.cookie_name(), "", "HttpOnly; Max-Age=0; SameSite=Strict"))
    if page and (keep := cookies.get(KEEP_COOKIE, "")).isalpha() and keep.isascii():
        headers.append(_cookie(scope, KEEP_COOKIE, keep, f"Max-Age={YEAR}; SameSite=Lax"))
    return Client(Browser(visitor, has_pass), shown_pass, tuple(headers))


def exchange(request: Request, client: Client) -> Response:
    """The response to an address with a token: a redirect to the same address without it, or a refusal.

    The redirect sets a pass if the token is right. Its cookie has no Max-Age: closing the browser deletes it.
    """
    page = request.url.path.rpartition("/")[2]
    rest = [(name, value) for name, value in request.query_params.multi_items() if name != PARAMETER]
    answer = RedirectResponse(f"./{quote(page)}" + (f"?{urlencode(rest)}" if rest else ""), status_code=303)
    answer.headers["Cache-Control"] = "no-store"
    for cookie in client.set_cookies:
        answer.headers.append("Set-Cookie", cookie)
    if not access_link.opens_pages():
        return answer  # people sign in here; the page says how
    given = access_link.passes().exchange(request.query_params[PARAMETER], time.time())
    if given is None:
        return _refused(request)
    answer.headers.append(
        "Set-Cookie", _cookie(request.scope, access_link.cookie_name(), given, "HttpOnly; SameSite=Strict")
    )
    return answer


def _refused(request: Request) -> Response:
    wait = access_link.wrong_tries().wait(_address(request.scope), time.monotonic())
    text = "It may be from before the last start: the right one is in VibeCheck's terminal, or in its log."
    if wait:
        text = f"Too many wrong links came from your address. Wait {wait:.0f} s before you try another."
    answer = HTMLResponse(REFUSED.format(text=escape(text)), status_code=429 if wait else 403)
    answer.headers["Cache-Control"] = "no-store"
    if wait:
        answer.headers["Retry-After"] = f"{wait:.0f}"
    return answer


def _cookie(scope: Scope, name: str, value: str, attributes: str) -> str:
    """A Set-Cookie header, restricted to HTTPS if the page was loaded by it, even through a proxy."""
    proxied = Headers(scope=scope).get("x-forwarded-proto", "")
    secure = "; Secure" if scope["scheme"] in ("https", "wss") or proxied == "https" else ""
    return f"{name}={value}; Path=/; {attributes}{secure}"


def _for_streamlit(scope: Scope, browser: Browser) -> Scope:
    """The handshake for Streamlit, with the current visitor id, and a session's id only from its owner."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    pairs = [pair for pair in headers.get("cookie", "").split(";") if pair.strip()]
    others = [pair for pair in pairs if pair.partition("=")[0].strip() != VISITOR_COOKIE]
    del headers[NO_COOKIE]
    if len(others) == len(pairs):
        headers[NO_COOKIE] = "yes"
    headers["cookie"] = ";".join([*others, f" {VISITOR_COOKIE}={browser.visitor}"]).strip()
    offered = headers.get("sec-websocket-protocol", "").split(",")
    if len(offered) > 2 and not session_owners().owns(browser, offered[2].strip()):
        headers["sec-websocket-protocol"] = ",".join(offered[:2])
    return {**scope, "headers": headers.raw}


def _session_in(data: bytes) -> str:
    """The id of the session that a message to a browser starts; empty for any other message."""
    message = ForwardMsg.FromString(data)
    if message.WhichOneof("type") != "new_session":
        return ""
    return message.new_session.initialize.session_id
