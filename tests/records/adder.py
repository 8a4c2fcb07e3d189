"""Adds predictions with pictures until it is killed: python -m tests.records.adder DATABASE_URL DATA_FOLDER

For each line on its standard input it forks an adder, which prints its process id, and the id of each
prediction once the store has it. Then, once that one was killed, it prints "dead".
"""

import os
import sys
from itertools import count

from tests.records.examples import a_prediction, ids
from vibecheck.records.store import Store
from vibecheck.settings import Settings


def picture_of(prediction_id: str) -> bytes:
    """4 MiB that belong to the id: long to write, and recognised if they are incomplete."""
    return bytes.fromhex(prediction_id) * 2**18


def say(line: object) -> None:
    # One write of a short line into a pipe is whole, however the process ends.
    os.write(sys.stdout.fileno(), f"{line}\n".encode())


def add(settings: Settings) -> None:
    ids.seed()  # each adder has ids of its own
    say(os.getpid())
    store = Store.open(settings.records_url, settings.images_url)
    for _ in count():
        prediction = a_prediction(picture_kept=True)
        store.add(prediction, picture_of(prediction.id))
        say(prediction.id)


def main() -> None:
    settings = Settings(data=sys.argv[2], database_url=sys.argv[1])
    while sys.stdin.readline():
        child = os.fork()
        if child == 0:
            add(settings)
        os.waitpid(child, 0)
        say("dead")


if __name__ == "__main__":
    main()
