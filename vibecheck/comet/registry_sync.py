"""The registry in Comet: a record of each version and every promotion, and how they are restored.

The records lie in one experiment, so restoring a registry takes one list and one small file per version.
"""

import hashlib
import logging
from datetime import UTC

from pydantic import TypeAdapter

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.errors import CometRejected
from vibecheck.models.registry import Registry
from vibecheck.models.registry_records import VersionRecord
from vibecheck.records.values import Promotion

log = logging.getLogger(__name__)

_RECORD = TypeAdapter(VersionRecord)


def put_current(comet: Comet, place: layout.Place, name: str, content: bytes) -> None:
    """Makes sure that there is one asset of this name, with this content. Raises CometError."""
    digest = hashlib.sha256(content).hexdigest()
    there = [asset for asset in comet.assets(place) if asset.name == name]
    current = [asset for asset in there if asset.metadata.get("sha256") == digest]
    if not current:
        comet.put(place, name, content, {"sha256": digest}, "asset")
    comet.delete(place, *(asset for asset in there if asset not in current[:1]))


def restore_models(comet: Comet, registry: Registry) -> int:
    """Merges versions, promotions and aliases from Comet into the registry; returns how many are new.

    Raises CometError and RecordsError.
    """
    found: dict[str, VersionRecord] = {}
    promotions: set[Promotion] = set()
    for asset in sorted(comet.assets(layout.MODELS), key=lambda asset: asset.created_at):
        try:
            if layout.MODEL_NAME.fullmatch(asset.name):
                record = _RECORD.validate_json(comet.get(layout.MODELS, asset))
                record.registered_at.astimezone(UTC)  # within the years 1 to 9999
                if layout.model_name(record.version) == asset.name:
                    found[record.version] = record
            elif layout.PROMOTION_NAME.fullmatch(asset.name):
                promotions.add(layout.value_from(Promotion, asset.metadata))
        except (ValueError, RecursionError, OverflowError, CometRejected) as error:
            # Somebody else's, or deleted since it was listed.
            log.warning("%s in Comet cannot be used: %s", asset.name, str(error).split("\n")[0])
    return registry.merge(list(found.values()), promotions)
