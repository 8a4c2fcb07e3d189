"""The content of a registry as records outside the database, and merging such records into a registry."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Annotated, Any

from pydantic import AwareDatetime, Field
from sqlalchemy import Connection, delete, insert, select

from vibecheck.models import registry_rows
from vibecheck.models.version import CHALLENGER, CHAMPION, PREVIOUS
from vibecheck.records import learned_calibration
from vibecheck.records.db.tables import promotions, registered_models
from vibecheck.records.db.transactions import database_now
from vibecheck.records.labels import learned_from
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.values import Promotion
from vibecheck.text.version_name import VersionName

Id = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00]*$")]


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """Everything that the registry knows about a version.

    `trained_on` are the ids of the predictions it learned from, `deleted` those of them that were deleted
    since. `challenger` says whether it is the challenger. `learned` are its calibrations.
    """

    version: VersionName
    origin: Text
    source: Text
    metrics: dict[str, Any]
    registered_at: AwareDatetime
    trained_on: Annotated[tuple[Id, ...], Field(max_length=1_000_000)]
    deleted: Annotated[tuple[Id, ...], Field(max_length=1_000_000)]
    challenger: bool
    learned: Annotated[tuple[LearnedCalibration, ...], Field(max_length=100_000)] = ()

    def __post_init__(self) -> None:
        if any(each.version != self.version for each in self.learned):
            raise ValueError("a calibration belongs to one version")

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        learned = [asdict(each) | {"from_when": each.from_when.isoformat()} for each in self.learned]
        return asdict(self) | {"registered_at": self.registered_at.isoformat(), "learned": learned}


def read(connection: Connection, version: str) -> VersionRecord | None:
    """The record of a version; None where it is not registered."""
    query = select(registered_models).where(registered_models.c.version == version)
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return None
    learned = sorted(learned_from.ids(connection, version).items())
    return VersionRecord(
        **row,
        trained_on=tuple(prediction_id for prediction_id, _ in learned),
        deleted=tuple(prediction_id for prediction_id, deleted_at in learned if deleted_at is not None),
        challenger=registry_rows.aliases_of(connection).get(CHALLENGER) == version,
        learned=tuple(learned_calibration.history(connection, version)),
    )


def merge(
    connection: Connection, found: Sequence[VersionRecord], told: Collection[Promotion], shipped: str
) -> int:
    """Adds versions, calibrations and promotions that are not here yet; returns how many versions were new.

    If no decision was made here yet, the aliases become those after the last promotion, and the embedded
    model `shipped`, which a new disk has from the start, gets its metrics back.
    """
    here = set(connection.execute(select(registered_models.c.version)).scalars())
    new = [record for record in found if record.version not in here]
    for record in new:
        registry_rows.add(
            connection, record.version, record.origin, record.source, record.metrics, record.registered_at
        )
        registry_rows.learn(connection, record.version, record.trained_on)
        learned_from.mark_these(connection, record.version, record.deleted, database_now(connection))
    for record in found:
        learned_calibration.merge(connection, record.learned)
    history = sorted(set(told), key=lambda each: each.made_at)
    mine = set(registry_rows.promotions_of(connection))
    undecided = all(each.kind == "first" for each in mine)
    if undecided and told:
        # The first model of a new disk was chosen by default.
        connection.execute(delete(promotions))
        mine = set()
    # One whose time was corrected here (`Registry.correct_times`) was sent with a later one.
    corrected = mine.difference(history)
    mine |= {replace(a, made_at=b.made_at) for a in corrected for b in history if b.made_at > a.made_at}
    if missing := [each for each in history if each not in mine]:
        connection.execute(insert(promotions), [asdict(each) for each in missing])
    if undecided:
        _restore_champion(connection, history, here | {record.version for record in new})
        waiting = [record.version for record in found if record.challenger]
        aliases = registry_rows.aliases_of(connection)
        if waiting and CHALLENGER not in aliases and aliases.get(CHAMPION) != waiting[-1]:
            registry_rows.set_alias(connection, CHALLENGER, waiting[-1])
        for record in found:
            if record.version == shipped and shipped in here:
                known = registry_rows.get(connection, shipped).metrics
                registry_rows.set_metrics(connection, shipped, {**record.metrics, **known})
        registry_rows.replace_removed(connection, shipped, database_now(connection))
    return len(new)


def _restore_champion(connection: Connection, history: Sequence[Promotion], known: Collection[str]) -> None:
    """Sets champion and previous as after the last promotion, if the versions are known."""
    if not history or history[-1].version not in known:
        return
    last = history[-1]
    registry_rows.set_alias(connection, CHAMPION, last.version)
    registry_rows.clear_alias(connection, PREVIOUS)
    if last.replaced is not None and last.replaced in known and last.replaced != last.version:
        registry_rows.set_alias(connection, PREVIOUS, last.replaced)
