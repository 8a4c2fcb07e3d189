"""The proxy's own limits, in front of an app that does not answer."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer

import pytest

from tests.standins.nginx import nginx_before

pytestmark = pytest.mark.quick
AT_MOST = 300  # as in deploy/nginx.conf


class FrontPageOnly(StreamRequestHandler):
    """Answers "/", and holds every other request until its sender leaves."""

    def handle(self) -> None:
        if self.rfile.readline().startswith(b"GET / "):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            self.rfile.read()


class App(ThreadingTCPServer):
    request_queue_size = AT_MOST


@contextmanager
def app() -> Iterator[int]:
    """Runs the app, and yields its port."""
    with App(("127.0.0.1", 0), FrontPageOnly) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def test_one_address_holds_three_hundred_connections_at_most(tmp_path):
    with app() as port, nginx_before([port, port], tmp_path) as nginx, ExitStack() as stack:
        waiting = stack.enter_context(selectors.DefaultSelector())
        for _ in range(AT_MOST + 5):
            address = "127.0.0.1", int(nginx.url.rpartition(":")[2])
            visitor = stack.enter_context(socket.create_connection(address, timeout=60))
            visitor.sendall(b"GET /_stcore/stream HTTP/1.1\r\nHost: here\r\n\r\n")
            waiting.register(visitor, selectors.EVENT_READ)
        refused = set()
        while len(refused) < 5:
            ready = waiting.select(timeout=60)
            assert ready, "nobody was refused"
            refused |= {key.fileobj for key, _ in ready}
        assert {visitor.recv(1000).split()[1] for visitor in refused} == {b"429"}
        assert len(refused) == 5
