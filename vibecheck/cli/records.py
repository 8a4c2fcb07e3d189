"""The records that a command works on."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vibecheck.records.store import Store
    from vibecheck.settings import Settings


def open_store(settings: "Settings") -> "Store":
    """The records of the settings; a `with` statement closes them. Raises RecordsError."""
    from vibecheck.records.store import Store

    return Store.open(settings.records_url, settings.images_url, settings.sends)
