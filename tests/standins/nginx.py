"""Debian's nginx with the configuration in deploy/, in front of copies of the app on this machine."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.harness.running import free_port
from tests.conftest import missing
from tests.waiting import wait_for_server

OURS = Path(__file__).parents[2] / "deploy" / "nginx.conf"
# What Debian's nginx.conf has around a file in conf.d, with all that it writes in a folder of the test's.
AROUND = """
{user}pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; daemon off;
events {{ worker_connections 1024; }}
http {{
    log_format copies '$cookie_vibecheck_copy $upstream_addr $status $request_uri';
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    include {folder}/vibecheck.conf;
}}
"""


class Nginx:
    """A running nginx: where it is, and what it wrote."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self._folder = url, folder

    def copies_of(self, cookie: str) -> set[str]:
        """The copies, as host:port, that answered browsers with this cookie."""
        lines = (line.split(" ", 1) for line in (self._folder / "copies.log").read_text().splitlines())
        asked = [re.match(r"(?:.*, )?(\S+) \d", rest) for name, rest in lines if name == cookie]
        return {found[1] for found in asked if found}


@contextmanager
def nginx_before(ports: Sequence[int], folder: Path, host: str = "127.0.0.1") -> Iterator[Nginx]:
    """nginx in front of apps at these ports of this machine, or of `host`; `folder` is its own."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        missing("nginx is not installed: apt install nginx")
    port = free_port()
    text = OURS.read_text(encoding="utf-8")
    for written, meant in zip((8501, 8502), ports, strict=True):
        assert f"server 127.0.0.1:{written} " in text
        text = text.replace(f"server 127.0.0.1:{written} ", f"server {host}:{meant} ")
    log = "access_log /var/log/nginx/access.log vibecheck;"
    assert "listen 80;" in text and log in text
    text = text.replace(log, f"{log} access_log {folder}/copies.log copies;")
    text = text.replace("/var/log/nginx/", f"{folder}/")
    (folder / "vibecheck.conf").write_text(text.replace("listen 80;", f"listen 127.0.0.1:{port};"))
    (folder / "nginx.conf").write_text(
        AROUND.format(folder=folder, user="user root; " if os.geteuid() == 0 else "")
    )
    with subprocess.Popen(
        [program, "-c", folder / "nginx.conf", "-p", folder, "-e", folder / "error.log"]
    ) as process:
        try:
            wait_for_server(f"http://127.0.0.1:{port}/", process)
            yield Nginx(f"http://127.0.0.1:{port}", folder)
        finally:
            process.terminate()
