"""The registry: which models there are, which of them runs, and why.

It lives in the records' database, so that all copies of the app share it; the files of a version are
made on each machine (see `build`), from its `source`. Three aliases name versions: `champion` runs,
`previous` ran before it, `challenger` waits for its proof. They move in one transaction, together with
the promotion that says why.

It knows versions, not files, and never loads a model.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, Engine, delete, func, insert, select, text

from vibecheck.errors import ModelError
from vibecheck.records import outbox
from vibecheck.records.database import open_database
from vibecheck.records.tables import model_aliases, promotions, registered_models, trained_on
from vibecheck.records.transactions import reading, writing
from vibecheck.records.values import Promotion
from vibecheck.settings import Settings

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
# Held in Postgres while aliases move: any number that nothing else in the database uses as its own.
LOCK = 0x76696266


@dataclass(frozen=True, slots=True)
class Version:
    """A model that may run. `source` is what `python -m vibecheck compile` makes it from.

    `metrics` are what is known of it, as plain JSON. `trained_on` counts the predictions whose pictures
    it learned from here.
    """

    version: str
    origin: str
    source: str
    metrics: Mapping[str, Any]
    registered_at: datetime
    trained_on: int = 0


class Registry:
    """All versions, aliases and promotions. Any number of processes may have one.

    Every method raises RecordsError where the database fails; nothing has changed then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The registry in the records that the settings name."""
        return cls(open_database(settings.records_url))

    def close(self) -> None:
        """Closes the connections to the database."""
        self._engine.dispose()

    def register(
        self,
        version: str,
        origin: str,
        source: str,
        metrics: Mapping[str, Any],
        now: datetime,
        predictions: Iterable[str] = (),
    ) -> None:
        """Adds a version, and the ids of the predictions it was trained on.

        Of one that is there already, the new metrics are added to the old, and the predictions too.
        """
        with writing(self._engine) as connection:
            _lock(connection)
            there = connection.execute(
                select(registered_models.c.metrics).where(registered_models.c.version == version)
            ).scalar_one_or_none()
            row = {"origin": origin, "source": source, "metrics": dict(there or {}) | dict(metrics)}
            if there is None:
                connection.execute(
                    insert(registered_models).values(version=version, registered_at=now, **row)
                )
            else:
                same = registered_models.c.version == version
                connection.execute(registered_models.update().where(same).values(row))
            known = set(
                connection.execute(
                    select(trained_on.c.prediction_id).where(trained_on.c.version == version)
                ).scalars()
            )
            if new := sorted(set(predictions) - known):
                rows = [{"version": version, "prediction_id": prediction_id} for prediction_id in new]
                connection.execute(insert(trained_on), rows)

    def versions(self) -> list[Version]:
        """All versions, the one that came first, first."""
        query = (
            select(registered_models, func.count(trained_on.c.prediction_id).label("trained_on"))
            .outerjoin(trained_on, trained_on.c.version == registered_models.c.version)
            .group_by(registered_models.c.version)
            .order_by(registered_models.c.registered_at, registered_models.c.version)
        )
        # Postgres does not compare JSON, so it is grouped by the key, on which the rest depends.
        with reading(self._engine) as connection:
            return [Version(**row) for row in connection.execute(query).mappings()]

    def get(self, version: str) -> Version:
        """One version. Raises ModelError if it is not registered."""
        query = select(registered_models).where(registered_models.c.version == version)
        learned = select(func.count()).select_from(trained_on).where(trained_on.c.version == version)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise _unknown(version)
            return Version(**row, trained_on=connection.execute(learned).scalar_one())

    def trained_on(self, version: str) -> list[str]:
        """The ids of the predictions that a version learned from, some of them deleted since, sorted."""
        query = select(trained_on.c.prediction_id).where(trained_on.c.version == version)
        with reading(self._engine) as connection:
            return sorted(connection.execute(query).scalars())

    def learned_from(self, prediction_id: str) -> list[str]:
        """The versions that were trained on this prediction's picture, sorted."""
        query = select(trained_on.c.version).where(trained_on.c.prediction_id == prediction_id)
        with reading(self._engine) as connection:
            return sorted(connection.execute(query).scalars())

    def aliases(self) -> dict[str, str]:
        """Which version each alias names; an alias that names none is not in it."""
        with reading(self._engine) as connection:
            return _aliases(connection)

    def champion(self) -> Version | None:
        """The version that runs, or None in a new installation."""
        alias = self.aliases().get(CHAMPION)
        return None if alias is None else self.get(alias)

    def promotions(self) -> list[Promotion]:
        """All promotions and rollbacks, newest first."""
        columns = [column for column in promotions.c if column.name != "id"]
        query = select(*columns).order_by(promotions.c.id.desc())
        with reading(self._engine) as connection:
            return [Promotion(**row) for row in connection.execute(query).mappings()]

    def challenge(self, version: str) -> None:
        """Makes a version the challenger. Raises ModelError if it is not registered or is the champion."""
        with writing(self._engine) as connection:
            _lock(connection)
            _check_registered(connection, version)
            if _aliases(connection).get(CHAMPION) == version:
                raise ModelError(f"{version} is the champion already.")
            _set(connection, CHALLENGER, version)

    def promote(self, version: str, why: str, now: datetime) -> Promotion:
        """Makes a version the champion; the one before becomes `previous`.

        Raises ModelError if it is not registered, is the champion already, or no reason is given.
        """
        if not why.strip():
            raise ModelError("A promotion needs a reason: say why.")
        with writing(self._engine) as connection:
            _lock(connection)
            _check_registered(connection, version)
            before = _aliases(connection).get(CHAMPION)
            if before == version:
                raise ModelError(f"{version} is the champion already.")
            return _promoted(connection, Promotion(version, before, "promotion", why.strip(), now))

    def begin(self, version: str, why: str, now: datetime, stood_in: str | None = None) -> bool:
        """Makes a version the champion if there is none; returns whether it did.

        `stood_in` ran until now, and becomes `previous`. Of several copies of the app that start
        together, one does it. Raises ModelError if one of them is not registered.
        """
        with writing(self._engine) as connection:
            _lock(connection)
            _check_registered(connection, version)
            if stood_in is not None:
                _check_registered(connection, stood_in)
            if CHAMPION in _aliases(connection):
                return False
            _promoted(connection, Promotion(version, stood_in, "promotion", why, now))
            return True

    def rollback(self, now: datetime, why: str = "") -> Promotion:
        """Makes `previous` the champion again; rolling back twice is where it began.

        Raises ModelError if there was no champion before.
        """
        with writing(self._engine) as connection:
            _lock(connection)
            aliases = _aliases(connection)
            if PREVIOUS not in aliases:
                raise ModelError("There was no champion before this one, so there is nothing to go back to.")
            before = aliases[CHAMPION]
            why = why.strip() or f"back from {before}"
            return _promoted(connection, Promotion(aliases[PREVIOUS], before, "rollback", why, now))


def _promoted(connection: Connection, promotion: Promotion) -> Promotion:
    _set(connection, CHAMPION, promotion.version)
    if promotion.replaced is not None:
        _set(connection, PREVIOUS, promotion.replaced)
    done = (model_aliases.c.alias == CHALLENGER) & (model_aliases.c.version == promotion.version)
    connection.execute(delete(model_aliases).where(done))
    connection.execute(insert(promotions).values(asdict(promotion)))
    outbox.enqueue(connection, promotion)
    return promotion


def _lock(connection: Connection) -> None:
    """Keeps others from moving aliases until the transaction ends; on SQLite, `writing` does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": LOCK})


def _aliases(connection: Connection) -> dict[str, str]:
    return {row.alias: row.version for row in connection.execute(select(model_aliases))}


def _set(connection: Connection, alias: str, version: str) -> None:
    connection.execute(delete(model_aliases).where(model_aliases.c.alias == alias))
    connection.execute(insert(model_aliases).values(alias=alias, version=version))


def _check_registered(connection: Connection, version: str) -> None:
    query = select(registered_models.c.version).where(registered_models.c.version == version)
    if connection.execute(query).one_or_none() is None:
        raise _unknown(version)


def _unknown(version: str) -> ModelError:
    return ModelError(
        f"{version} is not registered. python -m vibecheck models list shows what is; "
        "python -m vibecheck compile MODEL adds one."
    )
