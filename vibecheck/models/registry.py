"""The registry: which models exist, which of them runs, and why.

It is part of the records' database, so all copies of the app share it; each machine builds the files of a
version from its `source` (see `vibecheck.export.build`). Three aliases name versions: `champion` runs,
`previous` ran before it, `challenger` waits for its proof. They move in one transaction, together with
the promotion that says why. There is always a champion: at first the embedded model, until the model of
VIBECHECK_MODEL is ready, or somebody promotes another one.

It knows versions, not files, and never loads a model.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Self

from sqlalchemy import Engine, select, update

from vibecheck.errors import ModelError
from vibecheck.evaluation.proof import ATTEMPTS, PROOF, Proof, attempts_of, refusal
from vibecheck.models import registry_records, registry_rows
from vibecheck.models.calibrations import Calibrations
from vibecheck.models.registry_records import VersionRecord
from vibecheck.models.version import CHALLENGER, CHAMPION, DISCARDED, PREVIOUS, Version
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.tables import promotions, registered_models, trained_on
from vibecheck.records.db.transactions import Queries, fetch, reading, writing
from vibecheck.records.outbox import messages
from vibecheck.records.values import Promotion
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME


class Registry(Queries):
    """All versions, aliases and promotions, and the `calibrations` of the versions.

    Any number of processes may have one. Where a method raises RecordsError, nothing has changed.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.calibrations = Calibrations(engine)

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The registry in the records that the settings name, with the embedded model as first champion."""
        registry = cls(open_database(settings.records_url, settings.sends))
        try:
            registry._register_embedded(Manifest.read(EMBEDDED))
        except BaseException:
            registry.close()
            raise
        return registry

    def _register_embedded(self, shipped: Manifest) -> None:
        """Registers the embedded model, and makes it the champion if there is none that can run.

        That is in a new installation, and after an update that removed the embedded model before it. Each
        becomes the champion at most once, or copies of two releases would take turns.
        """
        with reading(self._engine) as connection:
            known = registry_rows.find(connection, shipped.version) is not None
            if known and CHAMPION in registry_rows.aliases_of(connection):
                return
        now, version = datetime.now(UTC), shipped.version
        with registry_rows.changing(self._engine) as connection:
            if registry_rows.find(connection, version) is None:
                registry_rows.add(connection, version, shipped.origin, EMBEDDED_NAME, {}, now)
                messages.enqueue_model(connection, version)
                registry_rows.replace_removed(connection, version, now)
            if CHAMPION not in registry_rows.aliases_of(connection):
                first = Promotion(version, None, "first", "It ships with VibeCheck.", now)
                registry_rows.promoted(connection, first)

    def register(
        self,
        version: str,
        origin: str,
        source: str,
        metrics: Mapping[str, Any],
        now: datetime,
        predictions: Iterable[str] = (),
        all_recorded: bool = False,
        base: str | None = None,
    ) -> None:
        """Adds a version, and the ids of the predictions it was trained on, also those of its `base`.

        `all_recorded` says that all these predictions were in the records, so that those which are not
        there any more count as deleted. For a version that is there already, metrics and predictions are
        merged into the existing ones.
        """
        with registry_rows.changing(self._engine) as connection:
            registry_rows.add(connection, version, origin, source, metrics, now)
            registry_rows.learn(connection, version, predictions, all_recorded, base)
            messages.enqueue_model(connection, version)

    def versions(self) -> list[Version]:
        """All versions, oldest first."""
        with reading(self._engine) as connection:
            return registry_rows.versions_of(connection)

    def get(self, version: str) -> Version:
        """One version. Raises ModelError if it is not registered."""
        with reading(self._engine) as connection:
            return registry_rows.get(connection, version)

    def record(self, version: str) -> VersionRecord | None:
        """Everything known about a version, for a copy outside the records; None if it is not registered."""
        with reading(self._engine) as connection:
            return registry_records.read(connection, version)

    def merge(self, found: Sequence[VersionRecord], told: Collection[Promotion]) -> int:
        """Adds missing versions and promotions; returns how many versions were new."""
        with registry_rows.changing(self._engine) as connection:
            return registry_records.merge(connection, found, told, Manifest.read(EMBEDDED).version)

    def enqueue_all(self) -> None:
        """Schedules an update of the records of all versions in Comet."""
        with writing(self._engine) as connection:
            for version in connection.execute(select(registered_models.c.version)).scalars().all():
                messages.enqueue_model(connection, version)

    def note(self, version: str, name: str, value: object) -> None:
        """Adds a metric to a version without reporting it to Comet."""
        with registry_rows.changing(self._engine) as connection:
            if found := registry_rows.find(connection, version):
                registry_rows.set_metrics(connection, version, {**found.metrics, name: value})

    def correct_times(self, now: datetime) -> None:
        """Sets promotion times later than `now` to `now`: a clock was ahead, or was set back."""
        ahead = update(promotions).where(promotions.c.made_at > now)
        with registry_rows.changing(self._engine) as connection:
            connection.execute(ahead.values(made_at=now))

    def learned_from(self, prediction_id: str) -> list[str]:
        """The versions that were trained on this prediction's picture, sorted."""
        query = select(trained_on.c.version).where(trained_on.c.prediction_id == prediction_id)
        return sorted(row.version for row in fetch(self._engine, query))

    def aliases(self) -> dict[str, str]:
        """Which version each alias names; an alias that names none is not in it."""
        with reading(self._engine) as connection:
            return registry_rows.aliases_of(connection)

    def champion(self) -> Version:
        """The version that runs."""
        return self.get(self.aliases()[CHAMPION])

    def promotions(self) -> list[Promotion]:
        """All promotions and rollbacks, newest first."""
        with reading(self._engine) as connection:
            return registry_rows.promotions_of(connection)

    def challenge(self, version: str) -> None:
        """Makes a version the challenger. Raises ModelError if it is not registered or is the champion."""
        with registry_rows.changing(self._engine) as connection:
            metrics = registry_rows.get(connection, version).metrics
            aliases = registry_rows.aliases_of(connection)
            if aliases.get(CHAMPION) == version:
                raise ModelError(f"{version} is the champion already.")
            registry_rows.set_alias(connection, CHALLENGER, version)
            registry_rows.note(connection, version, {**metrics, DISCARDED: None})
            if (before := aliases.get(CHALLENGER)) not in (None, version):
                messages.enqueue_model(connection, before)

    def attempt(self, version: str, champion: str, take: bool = False, again: bool = False) -> int:
        """How many challengers were judged against this champion, up to and with this version.

        A version that was judged before keeps its number, so looking again costs nothing, unless it has to be
        proved `again`. With `take`, a registered version takes its number, so no other one gets it. The
        embedded model, which is compared with every champion, has the threshold of a first one and uses up no
        number.
        """
        with (registry_rows.changing if take else reading)(self._engine) as connection:
            known = {each.version: each for each in registry_rows.versions_of(connection)}
            mine = known.get(version)
            if mine and mine.source == EMBEDDED_NAME:
                return 1
            own = attempts_of(mine.metrics) if mine else {}
            if champion in own and not again:
                return own[champion]
            others = (each for each in known.values() if each.source != EMBEDDED_NAME)
            number = 1 + max((attempts_of(each.metrics).get(champion, 0) for each in others), default=0)
            if take and mine:
                metrics = {**mine.metrics, ATTEMPTS: own | {champion: number}}
                registry_rows.set_metrics(connection, version, metrics)
            return number

    def prove(self, version: str, proof: Proof) -> None:
        """Stores the proof with its version, replacing an earlier one. Raises ModelError if unknown."""
        with registry_rows.changing(self._engine) as connection:
            metrics = registry_rows.get(connection, version).metrics
            attempts = attempts_of(metrics) | {proof.against: proof.attempt}
            registry_rows.note(connection, version, {**metrics, PROOF: proof.plain(), ATTEMPTS: attempts})

    def discard(self, version: str, now: datetime) -> None:
        """Discards a version: it is no longer the challenger, but remains registered.

        Raises ModelError if it is not registered, or is the champion or the one to roll back to.
        """
        with registry_rows.changing(self._engine) as connection:
            metrics = registry_rows.get(connection, version).metrics
            for alias in (CHAMPION, PREVIOUS):
                if registry_rows.aliases_of(connection).get(alias) == version:
                    raise ModelError(f"{version} is the {alias} model: promote another one first.")
            registry_rows.clear_alias(connection, CHALLENGER, version)
            registry_rows.note(connection, version, {**metrics, DISCARDED: now.isoformat()})

    def promote(self, version: str, why: str, now: datetime, override: bool = False) -> Promotion:
        """Makes a version the champion; the one before becomes `previous`.

        It has to be proved better than the champion that it replaces (see `prove`), or, with `override`, be
        promoted for the reason `why`; the promotion is then recorded as an override. Raises ModelError if
        it is not registered, not proved, the champion already, or no reason is given.
        """
        if not why.strip():
            raise ModelError("A promotion needs a reason: say why.")
        with registry_rows.changing(self._engine) as connection:
            metrics = registry_rows.get(connection, version).metrics
            before = registry_rows.aliases_of(connection).get(CHAMPION)
            if before == version:
                raise ModelError(f"{version} is the champion already.")
            refused = refusal(version, metrics, before)
            if refused and not override:
                raise ModelError(refused)
            if DISCARDED in metrics:
                registry_rows.note(connection, version, {**metrics, DISCARDED: None})
            kind = "override" if refused else "promotion"
            return registry_rows.promoted(connection, Promotion(version, before, kind, why.strip(), now))

    def champion_is_provisional(self) -> bool:
        """Whether the champion is provisional: an embedded model chosen by default."""
        with reading(self._engine) as connection:
            return registry_rows.champion_is_provisional(connection)

    def begin(self, version: str, why: str, now: datetime) -> bool:
        """Makes a version the champion if the current one is provisional; returns whether it did.

        If several copies of the app start together, only one does it. Raises ModelError if the version is not
        registered.
        """
        with registry_rows.changing(self._engine) as connection:
            registry_rows.get(connection, version)
            before = registry_rows.aliases_of(connection).get(CHAMPION)
            if before == version or not registry_rows.champion_is_provisional(connection):
                return False
            registry_rows.promoted(connection, Promotion(version, before, "first", why, now))
            return True

    def rollback(self, now: datetime, why: str = "", champion: str | None = None) -> Promotion:
        """Makes `previous` the champion again; a second rollback undoes the first.

        Raises ModelError if there was no champion before, or if another one than `champion` runs by now.
        """
        with registry_rows.changing(self._engine) as connection:
            aliases = registry_rows.aliases_of(connection)
            if PREVIOUS not in aliases:
                raise ModelError(
                    "There was no champion before this one, so there is nothing to roll back to."
                )
            before = aliases[CHAMPION]
            if champion not in (None, before):
                raise ModelError(f"The champion is now {before}, not {champion}.")
            why = why.strip() or f"back from {before}"
            return registry_rows.promoted(
                connection, Promotion(aliases[PREVIOUS], before, "rollback", why, now)
            )
