import socket
from contextlib import suppress

import pytest
from sqlalchemy import make_url

from vibecheck.errors import RecordsError
from vibecheck.records.db import connect
from vibecheck.records.db.circuit_breaker import FACTOR, CircuitBreaker
from vibecheck.records.db.transactions import reading


class Server:
    """Takes two seconds to fail, while it is away."""

    def __init__(self) -> None:
        self.now, self.away, self.asked = 0.0, True, 0

    def ask(self) -> str:
        self.asked += 1
        if self.away:
            self.now += 2.0
            raise OSError("away")
        return "here"


def test_slow_failure_makes_later_attempts_fail_at_once_for_a_while():
    server = Server()
    rest = CircuitBreaker(lambda: server.now)
    for _ in range(5):
        with pytest.raises(OSError, match="away"):
            rest.attempt(server.ask)
    assert (server.asked, server.now) == (1, 2.0)
    server.away = False
    server.now += 2.0 * FACTOR
    assert rest.attempt(server.ask) == "here" == rest.attempt(server.ask)


def test_fast_failures_do_not_open_the_circuit_breaker():
    rest, asked = CircuitBreaker(lambda: 1.0), []
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            rest.attempt(lambda: asked.append(1) or 1 / 0)
    assert len(asked) == 3


def test_only_the_first_reader_waits_for_a_postgres_server_that_stops_answering(monkeypatch):
    monkeypatch.setattr(connect, "CONNECT_SECONDS", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/vibes"
        engine = connect._postgres(make_url(url))

        def connections() -> int:
            silent.setblocking(False)
            found = 0
            with suppress(BlockingIOError):
                while True:
                    silent.accept()[0].close()
                    found += 1
            return found

        asked = []
        for _ in range(4):
            with pytest.raises(RecordsError, match="cannot be reached"), reading(engine):
                pass
            asked.append(connections())
    assert asked[0] > 0 and asked[1:] == [0, 0, 0], "the server is left alone for a while"
    engine.dispose()
