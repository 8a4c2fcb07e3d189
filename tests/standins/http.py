"""A local HTTP server with given answers that records its requests."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Asked:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Reply:
    """An answer with more to it: headers, the connection cut after some bytes, a pause before each 64 KB."""

    status: int
    content: object
    headers: dict[str, str] = field(default_factory=dict)
    cut_after: int | None = None
    pause: float = 0.0


@dataclass
class Standin:
    """`url` is where it listens; `asked` what it was asked, oldest first."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(answer: Callable[[Asked], tuple[int, object] | Reply]) -> Iterator[Standin]:
    """Serve on loopback; `answer` gives a status and a body (bytes, or what JSON can say), or a Reply."""

    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(self.command, self.path, dict(self.headers), body)
            standin.asked.append(asked)
            reply = answer(asked)
            reply = reply if isinstance(reply, Reply) else Reply(*reply)
            raw = reply.content if isinstance(reply.content, bytes) else json.dumps(reply.content).encode()
            self.send_response(reply.status)
            for name, value in ({"Content-Length": str(len(raw))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            if asked.method != "HEAD":
                self._send(raw[: reply.cut_after], reply.pause)

        def _send(self, raw: bytes, pause: float) -> None:
            if not pause:
                self.wfile.write(raw)
                return
            with contextlib.suppress(ConnectionError):  # the client may have given up
                for start in range(0, len(raw), 1 << 16):
                    time.sleep(pause)
                    self.wfile.write(raw[start : start + (1 << 16)])

        do_GET = do_HEAD = do_POST = _any  # noqa: N815

        def log_message(self, *args) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        standin = Standin(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield standin
        finally:
            server.shutdown()
            thread.join()
