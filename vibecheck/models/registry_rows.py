"""The rows of the registry, within a transaction: versions, aliases, promotions (see `registry`)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, Select, delete, exists, func, insert, select, text, update

from vibecheck.errors import ModelError
from vibecheck.models.version import CHALLENGER, CHAMPION, DISCARDED, PREVIOUS, Version
from vibecheck.records.db.batches import found_in
from vibecheck.records.db.tables import model_aliases, promotions, registered_models, trained_on
from vibecheck.records.db.tables import predictions as predictions_table
from vibecheck.records.db.transactions import insert_if_new, writing
from vibecheck.records.labels import learned_from
from vibecheck.records.outbox import messages
from vibecheck.records.values import Promotion
from vibecheck.vision.model_source import EMBEDDED_NAME

# The advisory lock held in Postgres while aliases move: any number that nothing else in the database uses.
LOCK = 0x76696266

_VERSIONS = (
    select(
        registered_models,
        func.count(trained_on.c.prediction_id).label("trained_on"),
        func.count(trained_on.c.deleted_at).label("deleted"),
    )
    .outerjoin(trained_on, trained_on.c.version == registered_models.c.version)
    # Postgres cannot group by JSON columns, so it groups by the key, on which the rest depends.
    .group_by(registered_models.c.version)
    .order_by(registered_models.c.registered_at, registered_models.c.version)
)


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A writing transaction that locks the aliases; on SQLite, every writing transaction does."""
    with writing(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})
        yield connection


def versions_of(connection: Connection, query: Select[Any] = _VERSIONS) -> list[Version]:
    """All versions, oldest first, or those of a narrower query."""
    aliases, made = aliases_of(connection), promotions_of(connection)
    return [
        Version(
            **row,
            aliases=tuple(sorted(alias for alias, version in aliases.items() if version == row["version"])),
            promotions=tuple(each for each in made if each.version == row["version"]),
        )
        for row in connection.execute(query).mappings()
    ]


def find(connection: Connection, version: str) -> Version | None:
    """A version; None if it is not registered."""
    return next(iter(versions_of(connection, _VERSIONS.where(registered_models.c.version == version))), None)


def get(connection: Connection, version: str) -> Version:
    """A version. Raises ModelError if it is not registered."""
    found = find(connection, version)
    if found is None:
        raise ModelError(
            f"{version} is not registered. python -m vibecheck models list shows what is; "
            "python -m vibecheck compile MODEL adds one."
        )
    return found


def add(
    connection: Connection, version: str, origin: str, source: str, metrics: Mapping[str, Any], now: datetime
) -> None:
    """Adds a version; for one that is there already, merges the metrics."""
    row = {"version": version, "origin": origin, "source": source, "registered_at": now}
    if insert_if_new(connection, registered_models, row | {"metrics": dict(metrics)}):
        return
    known = {**get(connection, version).metrics, **metrics}
    values = {"origin": origin, "source": source, "metrics": known}
    connection.execute(update(registered_models).where(registered_models.c.version == version).values(values))


def learn(
    connection: Connection,
    version: str,
    predictions: Iterable[str],
    all_recorded: bool = False,
    base: str | None = None,
) -> None:
    """Adds ids of predictions that a version, or its base, was trained on (see `Registry.register`)."""
    known = learned_from.ids(connection, version)
    own = set(predictions) - known.keys()
    inherited = learned_from.ids(connection, base) if base else {}
    if new := sorted((own | inherited.keys()) - known.keys()):
        rows = [
            {"version": version, "prediction_id": each, "deleted_at": inherited.get(each)} for each in new
        ]
        connection.execute(insert(trained_on), rows)
        here = found_in(connection, predictions_table.c.id, inherited)
        learned_from.mark_gone(connection, version, sorted(here | (own if all_recorded else set())))


def promoted(connection: Connection, promotion: Promotion) -> Promotion:
    """Records a promotion or rollback, moves the aliases accordingly, and returns it."""
    set_alias(connection, CHAMPION, promotion.version)
    if promotion.replaced is not None:
        set_alias(connection, PREVIOUS, promotion.replaced)
    clear_alias(connection, CHALLENGER, promotion.version)
    connection.execute(insert(promotions).values(asdict(promotion)))
    messages.enqueue(connection, promotion)
    messages.enqueue_model(connection, promotion.version)
    return promotion


def replace_removed(connection: Connection, shipped: str, now: datetime) -> None:
    """Puts the embedded model `shipped` in the place of earlier ones, which an update removed."""
    shipped_ones = (each for each in versions_of(connection) if each.source == EMBEDDED_NAME)
    removed = {each.version: each for each in shipped_ones if each.version != shipped}
    aliases = aliases_of(connection)
    champion, previous = aliases.get(CHAMPION), aliases.get(PREVIOUS)
    if champion in removed:
        kind = "first" if champion_is_provisional(connection) else "override"
        why = f"It came with an update of VibeCheck, in place of {champion}."
        promoted(connection, Promotion(shipped, champion, kind, why, now))
        champion = shipped
    if previous in removed:
        previous = shipped
    clear_alias(connection, PREVIOUS)
    if previous not in (None, champion):
        set_alias(connection, PREVIOUS, previous)
    for version, each in removed.items():
        clear_alias(connection, CHALLENGER, version)
        if each.discarded_at is None:
            note(connection, version, {**each.metrics, DISCARDED: now.isoformat()})


def promotions_of(connection: Connection) -> list[Promotion]:
    """All promotions and rollbacks, newest first."""
    columns = [column for column in promotions.c if column.name != "id"]
    query = select(*columns).order_by(promotions.c.made_at.desc(), promotions.c.id.desc())
    return [Promotion(**row) for row in connection.execute(query).mappings()]


def aliases_of(connection: Connection) -> dict[str, str]:
    """Which version each alias names."""
    return {row.alias: row.version for row in connection.execute(select(model_aliases))}


def set_alias(connection: Connection, alias: str, version: str) -> None:
    """Makes the alias name this version."""
    connection.execute(delete(model_aliases).where(model_aliases.c.alias == alias))
    connection.execute(insert(model_aliases).values(alias=alias, version=version))


def clear_alias(connection: Connection, alias: str, version: str | None = None) -> None:
    """Removes the alias; with a version, only if it names this one."""
    named = model_aliases.c.alias == alias
    if version is not None:
        named &= model_aliases.c.version == version
    connection.execute(delete(model_aliases).where(named))


def set_metrics(connection: Connection, version: str, metrics: Mapping[str, Any]) -> None:
    """Stores the metrics of a version, without those that are None."""
    known = {name: value for name, value in metrics.items() if value is not None}
    same = registered_models.c.version == version
    connection.execute(update(registered_models).where(same).values(metrics=known))


def note(connection: Connection, version: str, metrics: Mapping[str, Any]) -> None:
    """Stores the metrics of a version, and queues it for Comet."""
    set_metrics(connection, version, metrics)
    messages.enqueue_model(connection, version)


def champion_is_provisional(connection: Connection) -> bool:
    """Whether the champion is an embedded model chosen by default, or there is none yet."""
    champion = model_aliases.c.version == registered_models.c.version, model_aliases.c.alias == CHAMPION
    source = connection.execute(select(registered_models.c.source).where(*champion)).scalar_one_or_none()
    if source is None:
        return True
    decided = exists().where(promotions.c.kind != "first")
    return source == EMBEDDED_NAME and not connection.execute(select(decided)).scalar_one()
