"""The records that a command works on."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibecheck.records.store import Store
    from vibecheck.settings import Settings


@contextmanager
def open_store(settings: "Settings") -> Iterator["Store"]:
    """Opens the records and closes them after the block. Raises RecordsError."""
    from vibecheck.records.store import Store

    with closing(Store.open(settings.records_url, settings.images_url, settings.sends)) as store:
        yield store
