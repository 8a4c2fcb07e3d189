"""What Comet remembers of the registry: a record of each version, and every promotion; and back from there.

    version, origin, source, metrics, registered_at     as in the registry
    trained_on      the ids it learned from
    deleted         those of them that were deleted since
    challenger      whether it waits for its proof

The records lie in one experiment, so that one list and one small file a version bring a registry back.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, TypeAdapter
from sqlalchemy import Engine, delete, insert, select

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.errors import CometRejected
from vibecheck.models import registry_rows
from vibecheck.models.registry_rows import CHALLENGER, CHAMPION, PREVIOUS
from vibecheck.records.db.tables import promotions, registered_models, trained_on
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.labels import learned_from
from vibecheck.records.outbox.queue import moment
from vibecheck.records.values import Promotion

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class Record:
    """One version; see the head of this module."""

    version: Annotated[str, Field(pattern=r"^[\w.@/-]{1,120}$")]
    origin: Text
    source: Text
    metrics: dict[str, Any]
    registered_at: datetime
    trained_on: Annotated[tuple[Id, ...], Field(max_length=1_000_000)]
    deleted: Annotated[tuple[Id, ...], Field(max_length=1_000_000)]
    challenger: bool

    def __post_init__(self) -> None:
        if self.registered_at.utcoffset() is None:
            raise ValueError("a time must carry a time zone")

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"registered_at": self.registered_at.isoformat()}


_RECORD = TypeAdapter(Record)


def record_of(engine: Engine, version: str) -> Record | None:
    """What the registry knows of a version; None where it is not registered."""
    with reading(engine) as connection:
        row = (
            connection.execute(select(registered_models).where(registered_models.c.version == version))
            .mappings()
            .one_or_none()
        )
        if row is None:
            return None
        ids = select(trained_on.c.prediction_id, trained_on.c.deleted_at).where(
            trained_on.c.version == version
        )
        theirs = sorted(map(tuple, connection.execute(ids)), key=lambda pair: pair[0])
        challenger = registry_rows.aliases_of(connection).get(CHALLENGER) == version
    gone = tuple(prediction_id for prediction_id, deleted_at in theirs if deleted_at is not None)
    return Record(**row, trained_on=tuple(each for each, _ in theirs), deleted=gone, challenger=challenger)


def remember(comet: Comet, record: Record) -> None:
    """Brings Comet's record of a version up to date. Raises CometError."""
    put_current(comet, layout.MODELS, layout.model_name(record.version), layout.as_json(record.plain()))


def put_current(comet: Comet, place: layout.Place, name: str, content: bytes) -> None:
    """Has an asset of this name with this content, and none with another. Raises CometError."""
    digest = hashlib.sha256(content).hexdigest()
    there = [asset for asset in comet.assets(place) if asset.name == name]
    current = [asset for asset in there if asset.metadata.get("sha256") == digest]
    if not current:
        comet.put(place, name, content, {"sha256": digest}, "asset")
    for asset in there:
        if asset not in current[:1]:
            comet.delete(place, asset)


def restore_models(comet: Comet, engine: Engine) -> int:
    """Brings versions, promotions and aliases from Comet that are not here; returns how many versions.

    Where nothing was decided here yet, the champion is the one that was promoted last. Raises CometError
    and RecordsError.
    """
    assets = sorted(comet.assets(layout.MODELS), key=lambda asset: asset.created_at)
    found: dict[str, Record] = {}
    told: set[Promotion] = set()
    for asset in assets:
        try:
            if layout.MODEL_NAME.fullmatch(asset.name):
                record = _RECORD.validate_json(comet.get(layout.MODELS, asset))
                if layout.model_name(record.version) == asset.name:
                    found[record.version] = record
            elif layout.PROMOTION_NAME.fullmatch(asset.name):
                told.add(layout.promotion_from(asset.metadata))
        except (ValueError, CometRejected):  # made by somebody else, or deleted since it was listed
            continue
    return _merge(engine, found, told)


def _merge(engine: Engine, found: Mapping[str, Record], told: set[Promotion]) -> int:
    with writing(engine) as connection:
        registry_rows.lock(connection)
        here = set(connection.execute(select(registered_models.c.version)).scalars())
        for record in found.values():
            if record.version not in here:
                metrics = json.loads(json.dumps(record.metrics))
                registry_rows.add(
                    connection, record.version, record.origin, record.source, metrics, record.registered_at
                )
                registry_rows.learn(connection, record.version, record.trained_on)
                learned_from.mark_these(connection, record.version, record.deleted, moment(connection))
        columns = [column for column in promotions.c if column.name != "id"]
        mine = {Promotion(**row) for row in connection.execute(select(*columns)).mappings()}
        began = all(each.kind == "first" for each in mine)
        if began and told:
            # What a new disk began with was never a decision.
            connection.execute(delete(promotions))
            mine = set()
        new = sorted(told - mine, key=lambda each: each.made_at)
        if new:
            connection.execute(insert(promotions), [asdict(each) for each in new])
        known = here | set(found)
        if began:
            _take_up(connection, sorted(told, key=lambda each: each.made_at), known)
            waiting = [record.version for record in found.values() if record.challenger]
            aliases = registry_rows.aliases_of(connection)
            if waiting and CHALLENGER not in aliases and aliases.get(CHAMPION) != waiting[-1]:
                registry_rows.set_alias(connection, CHALLENGER, waiting[-1])
    return len(found.keys() - here)


def _take_up(connection: Any, history: list[Promotion], known: set[str]) -> None:
    """Champion and previous as the newest promotion left them, as far as the versions are known."""
    if not history or history[-1].version not in known:
        return
    last = history[-1]
    registry_rows.set_alias(connection, CHAMPION, last.version)
    registry_rows.clear_alias(connection, PREVIOUS)
    if last.replaced in known and last.replaced != last.version:
        registry_rows.set_alias(connection, PREVIOUS, last.replaced)
