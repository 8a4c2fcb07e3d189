"""The registry: which models there are, which of them runs, and why.

It lives in the records' database, so that all copies of the app share it; the files of a version are
made on each machine (see `build`), from its `source`. Three aliases name versions: `champion` runs,
`previous` ran before it, `challenger` waits for its proof. They move in one transaction, together with
the promotion that says why.

It knows versions, not files, and never loads a model.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Engine, func, select

from vibecheck.errors import ModelError
from vibecheck.evaluation.proof import PROOF, Proof, proof_of, refusal
from vibecheck.models import registry_records, registry_rows
from vibecheck.models.registry_records import VersionRecord
from vibecheck.models.registry_rows import CHALLENGER, CHAMPION, PREVIOUS
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.tables import promotions, registered_models, trained_on
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox import messages
from vibecheck.records.values import Promotion
from vibecheck.settings import Settings

# Under this name it stands among a version's metrics when somebody said that it is not wanted.
DISCARDED = "discarded_at"


@dataclass(frozen=True, slots=True)
class Version:
    """A model that may run. `source` is what `python -m vibecheck compile` makes it from.

    `metrics` are what is known of it, as plain JSON. `trained_on` counts the predictions whose pictures
    it learned from here, `deleted` those of them that were deleted since.
    """

    version: str
    origin: str
    source: str
    metrics: Mapping[str, Any]
    registered_at: datetime
    trained_on: int = 0
    deleted: int = 0

    @property
    def proof(self) -> Proof | None:
        """What its trial said, or None where it was never judged."""
        return proof_of(self.metrics)


@dataclass(frozen=True, slots=True)
class Entry:
    """A version with its place in history: its aliases, and how it became champion, newest first.

    `discarded_at` is when somebody said that it is not wanted, or None.
    """

    version: Version
    aliases: tuple[str, ...]
    promotions: tuple[Promotion, ...]
    discarded_at: datetime | None


class Registry:
    """All versions, aliases and promotions. Any number of processes may have one.

    Every method raises RecordsError where the database fails; nothing has changed then.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The registry in the records that the settings name."""
        return cls(open_database(settings.records_url, settings.sends))

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
            registry_rows.lock(connection)
            registry_rows.add(connection, version, origin, source, metrics, now)
            registry_rows.learn(connection, version, predictions)
            messages.enqueue_model(connection, version)

    def versions(self) -> list[Version]:
        """All versions, the one that came first, first."""
        query = (
            select(
                registered_models,
                func.count(trained_on.c.prediction_id).label("trained_on"),
                func.count(trained_on.c.deleted_at).label("deleted"),
            )
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
        learned = select(func.count(), func.count(trained_on.c.deleted_at)).where(
            trained_on.c.version == version
        )
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise registry_rows.unknown(version)
            count, deleted = connection.execute(learned).one()
            return Version(**row, trained_on=count, deleted=deleted)

    def record(self, version: str) -> VersionRecord | None:
        """All that is known of a version, to be kept elsewhere too; None where it is not registered."""
        with reading(self._engine) as connection:
            return registry_records.read(connection, version)

    def merge(self, found: Sequence[VersionRecord], told: Collection[Promotion]) -> int:
        """Adds versions and promotions that are not here yet; returns how many versions were new."""
        with writing(self._engine) as connection:
            return registry_records.merge(connection, found, told)

    def enqueue_all(self) -> None:
        """Has the records of all versions in Comet brought up to date."""
        with writing(self._engine) as connection:
            for version in connection.execute(select(registered_models.c.version)).scalars().all():
                messages.enqueue_model(connection, version)

    def note(self, version: str, name: str, value: object) -> None:
        """Keeps one more metric of a version without reporting it to Comet."""
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            registry_rows.set_metric(connection, version, name, value)

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
            return registry_rows.aliases_of(connection)

    def champion(self) -> Version | None:
        """The version that runs, or None in a new installation."""
        alias = self.aliases().get(CHAMPION)
        return None if alias is None else self.get(alias)

    def promotions(self) -> list[Promotion]:
        """All promotions and rollbacks, newest first."""
        columns = [column for column in promotions.c if column.name != "id"]
        query = select(*columns).order_by(promotions.c.made_at.desc(), promotions.c.id.desc())
        with reading(self._engine) as connection:
            return [Promotion(**row) for row in connection.execute(query).mappings()]

    def history(self) -> list[Entry]:
        """All versions, newest first, with all that happened to each."""
        aliases, made = self.aliases(), self.promotions()
        return [
            Entry(
                each,
                tuple(sorted(alias for alias, version in aliases.items() if version == each.version)),
                tuple(promotion for promotion in made if promotion.version == each.version),
                _moment(each.metrics.get(DISCARDED)),
            )
            for each in reversed(self.versions())
        ]

    def challenge(self, version: str) -> None:
        """Makes a version the challenger. Raises ModelError if it is not registered or is the champion."""
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            metrics = registry_rows.metrics_of(connection, version)
            aliases = registry_rows.aliases_of(connection)
            if aliases.get(CHAMPION) == version:
                raise ModelError(f"{version} is the champion already.")
            registry_rows.set_alias(connection, CHALLENGER, version)
            registry_rows.note(connection, version, metrics | {DISCARDED: None})
            if (before := aliases.get(CHALLENGER)) not in (None, version):
                messages.enqueue_model(connection, before)

    def prove(self, version: str, proof: Proof) -> None:
        """Keeps the proof with its version, in place of an earlier one. Raises ModelError if unknown."""
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            registry_rows.note(
                connection, version, registry_rows.metrics_of(connection, version) | {PROOF: proof.plain()}
            )

    def discard(self, version: str, now: datetime) -> None:
        """Says that a version is not wanted: it is no longer the challenger; what is known of it stays.

        Raises ModelError if it is not registered, or is the champion or the one to roll back to.
        """
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            metrics = registry_rows.metrics_of(connection, version)
            for alias in (CHAMPION, PREVIOUS):
                if registry_rows.aliases_of(connection).get(alias) == version:
                    raise ModelError(f"{version} is the {alias} model: promote another one first.")
            registry_rows.clear_alias(connection, CHALLENGER, version)
            registry_rows.note(connection, version, metrics | {DISCARDED: now.isoformat()})

    def promote(self, version: str, why: str, now: datetime, override: bool = False) -> Promotion:
        """Makes a version the champion; the one before becomes `previous`.

        It has to be proved better than the champion that it replaces (see `prove`). With `override` it
        need not be: `why` is then the reason, and the promotion is kept as an override. Raises
        ModelError if it is not registered, not proved, the champion already, or no reason is given.
        """
        if not why.strip():
            raise ModelError("A promotion needs a reason: say why.")
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            metrics = registry_rows.metrics_of(connection, version)
            before = registry_rows.aliases_of(connection).get(CHAMPION)
            if before == version:
                raise ModelError(f"{version} is the champion already.")
            refused = refusal(version, metrics, before)
            if refused and not override:
                raise ModelError(refused)
            if DISCARDED in metrics:
                registry_rows.note(connection, version, metrics | {DISCARDED: None})
            kind = "override" if refused else "promotion"
            return registry_rows.promoted(connection, Promotion(version, before, kind, why.strip(), now))

    def begin(self, version: str, why: str, now: datetime, stood_in: str | None = None) -> bool:
        """Makes a version the champion if there is none; returns whether it did.

        `stood_in` ran until now, and becomes `previous`. Of several copies of the app that start
        together, one does it. Raises ModelError if one of them is not registered.
        """
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            for each in (version, stood_in):
                if each is not None:
                    registry_rows.metrics_of(connection, each)
            if CHAMPION in registry_rows.aliases_of(connection):
                return False
            registry_rows.promoted(connection, Promotion(version, stood_in, "first", why, now))
            return True

    def rollback(self, now: datetime, why: str = "") -> Promotion:
        """Makes `previous` the champion again; rolling back twice is where it began.

        Raises ModelError if there was no champion before.
        """
        with writing(self._engine) as connection:
            registry_rows.lock(connection)
            aliases = registry_rows.aliases_of(connection)
            if PREVIOUS not in aliases:
                raise ModelError("There was no champion before this one, so there is nothing to go back to.")
            before = aliases[CHAMPION]
            why = why.strip() or f"back from {before}"
            return registry_rows.promoted(
                connection, Promotion(aliases[PREVIOUS], before, "rollback", why, now)
            )


def _moment(written: object) -> datetime | None:
    """The time that a metric names; None if it is not one, since metrics may come from anywhere."""
    try:
        moment = datetime.fromisoformat(written) if isinstance(written, str) else None
    except ValueError:
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)
