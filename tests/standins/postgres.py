"""A PostgreSQL server of the test's own, which may be stopped and started again."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.running import free_port
from tests.conftest import missing

BINARIES = "/usr/lib/postgresql"
OWNER = "postgres"


class PostgresServer:
    """`url` is an empty database of a server that listens on this machine only."""

    def __init__(self, folder: Path, binaries: Path, port: int) -> None:
        self._folder, self._binaries, self._port = folder, binaries, port
        self.url = f"postgresql+psycopg://{OWNER}@127.0.0.1:{port}/postgres"

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        options = f"-p {self._port} -c listen_addresses=127.0.0.1 -c unix_socket_directories="
        self._run("pg_ctl", "start", "-w", "-s", "-l", str(self._folder / "log"), "-o", options)

    def stop(self) -> None:
        """Ends it like a crash, without closing connections."""
        self._run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")

    def make(self) -> None:
        """Makes the files of an empty server."""
        self._run("initdb", "-A", "trust", "-U", OWNER, "--no-sync", "-E", "UTF8", "--locale=C")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self._folder / "data"), *arguments]
        if os.geteuid() == 0:  # which PostgreSQL refuses
            command = ["runuser", "-u", OWNER, "--", *command]
        # Its output goes nowhere: the server would hold the pipe open for as long as it lives.
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/")


@contextmanager
def postgres_of_its_own() -> Iterator[PostgresServer]:
    """A running server; its files are deleted afterwards."""
    found = sorted(Path(BINARIES).glob("*/bin/initdb"))
    if not found:
        missing("PostgreSQL is not installed: apt install postgresql")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="vibecheck-postgres-"))
    if os.geteuid() == 0:
        owner = pwd.getpwnam(OWNER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    server = PostgresServer(folder, found[-1].parent, port)
    try:
        server.make()
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
