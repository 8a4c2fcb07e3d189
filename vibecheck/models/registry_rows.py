"""The rows of the registry, within a transaction: versions, aliases, promotions (see `registry`)."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, exists, insert, select, text, update

from vibecheck.errors import ModelError
from vibecheck.records.db.tables import model_aliases, promotions, registered_models, trained_on
from vibecheck.records.db.transactions import insert_if_new
from vibecheck.records.labels import learned_from
from vibecheck.records.outbox import messages
from vibecheck.records.values import Promotion
from vibecheck.vision.model_source import EMBEDDED_NAME

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
# The advisory lock held in Postgres while aliases move: any number that nothing else in the database uses.
LOCK = 0x76696266


def add(
    connection: Connection, version: str, origin: str, source: str, metrics: Mapping[str, Any], now: datetime
) -> None:
    """Adds a version; for one that is there already, merges the metrics."""
    row = {"version": version, "origin": origin, "source": source, "registered_at": now}
    if insert_if_new(connection, registered_models, row | {"metrics": dict(metrics)}):
        return
    known = metrics_of(connection, version) | dict(metrics)
    values = {"origin": origin, "source": source, "metrics": known}
    connection.execute(update(registered_models).where(registered_models.c.version == version).values(values))


def learn(
    connection: Connection, version: str, predictions: Iterable[str], all_recorded: bool = False
) -> None:
    """Adds ids of predictions that a version was trained on (see `Registry.register`)."""
    ids = select(trained_on.c.prediction_id).where(trained_on.c.version == version)
    if new := sorted(set(predictions) - set(connection.execute(ids).scalars())):
        rows = [{"version": version, "prediction_id": prediction_id} for prediction_id in new]
        connection.execute(insert(trained_on), rows)
        learned_from.mark_gone(connection, version, new if all_recorded else ())


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


def promotions_of(connection: Connection) -> list[Promotion]:
    """All promotions and rollbacks, newest first."""
    columns = [column for column in promotions.c if column.name != "id"]
    query = select(*columns).order_by(promotions.c.made_at.desc(), promotions.c.id.desc())
    return [Promotion(**row) for row in connection.execute(query).mappings()]


def lock(connection: Connection) -> None:
    """Keeps others from moving aliases until the transaction ends; on SQLite, `writing` does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


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


def metrics_of(connection: Connection, version: str) -> dict[str, Any]:
    """The metrics of a version. Raises ModelError if it is not registered."""
    query = select(registered_models.c.metrics).where(registered_models.c.version == version)
    found = connection.execute(query).one_or_none()
    if found is None:
        raise unknown(version)
    return dict(found.metrics)


def note(connection: Connection, version: str, metrics: Mapping[str, Any]) -> None:
    """Stores the metrics of a version, and queues it for Comet."""
    known = {name: value for name, value in metrics.items() if value is not None}
    same = registered_models.c.version == version
    connection.execute(update(registered_models).where(same).values(metrics=known))
    messages.enqueue_model(connection, version)


def set_metric(connection: Connection, version: str, name: str, value: object) -> None:
    """Adds a metric to a version; does nothing if it is not registered."""
    same = registered_models.c.version == version
    known = connection.execute(select(registered_models.c.metrics).where(same)).scalar_one_or_none()
    if known is not None:
        values = {"metrics": dict(known) | {name: value}}
        connection.execute(update(registered_models).where(same).values(values))


def source_of(connection: Connection, version: str) -> str | None:
    """The source that a version is built from; None if it is not registered."""
    query = select(registered_models.c.source).where(registered_models.c.version == version)
    return connection.execute(query).scalar_one_or_none()


def standing_in(connection: Connection) -> bool:
    """Whether the champion is an embedded model that nobody decided on, or there is none yet."""
    champion = aliases_of(connection).get(CHAMPION)
    decided = exists().where(promotions.c.kind != "first")
    return champion is None or (
        source_of(connection, champion) == EMBEDDED_NAME
        and not connection.execute(select(decided)).scalar_one()
    )


def unknown(version: str) -> ModelError:
    return ModelError(
        f"{version} is not registered. python -m vibecheck models list shows what is; "
        "python -m vibecheck compile MODEL adds one."
    )
