"""Adds predictions with pictures until it is killed; prints the id of each once the store has it.

python -m tests.records.adder DATABASE_URL DATA_FOLDER
"""

import sys
from itertools import count

from tests.records.examples import a_prediction
from vibecheck.records.store import Store
from vibecheck.settings import Settings


def picture_of(prediction_id: str) -> bytes:
    """4 MiB that belong to the id: long to write, and known as such if they are not whole."""
    return bytes.fromhex(prediction_id) * 2**18


def main() -> None:
    settings = Settings(data=sys.argv[2], database_url=sys.argv[1])
    store = Store.open(settings.records_url, settings.images_url)
    for _ in count():
        prediction = a_prediction(picture_kept=True)
        store.add(prediction, picture_of(prediction.id))
        sys.stdout.write(prediction.id + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
