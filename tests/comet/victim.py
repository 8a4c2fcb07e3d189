"""Runs the real sending process repeatedly, to be killed: python -m tests.comet.victim DATABASE DATA URL

Loading the SDK takes seconds, so it is loaded once, and each sender is a fork of this process that has
done nothing yet but load. It prints the number of each sender's process; a line on its standard input
asks for the next one. A claim holds for half a second, so that the next sender need not wait.
"""

import os
import sys
from dataclasses import replace
from datetime import timedelta

from tests.databases import open_store
from vibecheck.comet import client, sender
from vibecheck.settings import Settings

PACE = sender.Pace(poll=0.02, first_pause=0.01, longest_pause=0.05, lease=timedelta(seconds=0.5))


def send(settings: Settings) -> None:
    store = open_store(settings)
    sender.Sender(settings, store, replace(PACE)).run()


def main() -> None:
    database, data, url = sys.argv[1:]
    settings = Settings(
        data=data, database_url=database, comet_api_key="key", comet_url_override=f"{url}/clientlib/"
    )
    os.environ.update(client.SDK)
    import comet_ml  # noqa: F401

    sys.stdout.write("ready\n")
    sys.stdout.flush()
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            send(settings)
            os._exit(0)
        sys.stdout.write(f"{child}\n")
        sys.stdout.flush()
        os.waitpid(child, 0)
        sys.stdout.write("dead\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
