"""The proxy's own limits, in front of an app that does not answer."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from benchmarks.harness.running import free_port
from tests.standins.nginx import nginx_before

pytestmark = pytest.mark.quick
AT_MOST = 300  # as in deploy/nginx.conf
HALF = 1_000_000  # bytes


class FrontPageOnly(StreamRequestHandler):
    """Answers "/", and holds every other request until its sender leaves."""

    def handle(self) -> None:
        if self.rfile.readline().startswith((b"GET / ", b"GET /?")):
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        else:
            self.rfile.read()


class Uploads(StreamRequestHandler):
    """Answers once it has the first half of an upload."""

    arrived = threading.Event()

    def handle(self) -> None:
        upload = self.rfile.readline().startswith(b"PUT ")
        while self.rfile.readline().strip():
            pass
        if upload:
            self.rfile.read(HALF)
            self.arrived.set()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")


class App(ThreadingTCPServer):
    request_queue_size = AT_MOST


@contextmanager
def app(handler: type[StreamRequestHandler] = FrontPageOnly) -> Iterator[int]:
    """Runs the app, and yields its port."""
    with App(("127.0.0.1", 0), handler) as server:
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


def test_an_upload_is_passed_on_without_touching_the_disk(tmp_path):
    with app(Uploads) as port, nginx_before([port, port], tmp_path) as nginx:
        address = "127.0.0.1", int(nginx.url.rpartition(":")[2])
        with socket.create_connection(address, timeout=60) as visitor:
            visitor.sendall(b"PUT /upload HTTP/1.1\r\nHost: here\r\nContent-Length: %d\r\n\r\n" % (2 * HALF))
            visitor.sendall(bytes(HALF))
            assert Uploads.arrived.wait(20), "it waits for the whole upload, in a file"
    assert not [path for path in (tmp_path / "body").rglob("*") if path.is_file()]


# nginx calls the second failure critical, as it does where SELinux forbids it to connect.
@pytest.mark.parametrize("host", ["127.0.0.1", "unix:/nowhere"])
def test_the_logs_have_no_secret_of_an_access_link(tmp_path, host):
    no_copies = free_port(), free_port()
    with nginx_before(no_copies, tmp_path, host) as nginx, pytest.raises(HTTPError, match="502"):
        urlopen(f"{nginx.url}/?access=a-secret")
    log = (tmp_path / "access.log").read_text()
    assert '"GET /" 502' in log and "a-secret" not in log + (tmp_path / "error.log").read_text()
