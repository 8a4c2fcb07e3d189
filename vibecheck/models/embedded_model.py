"""Registers the embedded model: the champion until the first model is ready, or somebody decides."""

from datetime import UTC, datetime

from sqlalchemy import Engine

from vibecheck.models import registry_rows
from vibecheck.models.registry_rows import CHAMPION
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox import messages
from vibecheck.records.values import Promotion
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME


def register(engine: Engine, shipped: Manifest) -> None:
    """Registers the embedded model, and makes it the champion if there is none that can run.

    That is in a new installation, and after an update that removed the embedded model before it. Each
    becomes the champion at most once, or copies of two releases would take turns.
    """
    with reading(engine) as connection:
        known = registry_rows.source_of(connection, shipped.version) is not None
        if known and CHAMPION in registry_rows.aliases_of(connection):
            return
    now, why = datetime.now(UTC), "It ships with VibeCheck."
    with writing(engine) as connection:
        registry_rows.lock(connection)
        new = registry_rows.source_of(connection, shipped.version) is None
        if new:
            registry_rows.add(connection, shipped.version, shipped.origin, EMBEDDED_NAME, {}, now)
            messages.enqueue_model(connection, shipped.version)
        before = registry_rows.aliases_of(connection).get(CHAMPION)
        kind = "first" if registry_rows.standing_in(connection) else "override"
        if before is not None:
            if not new or registry_rows.source_of(connection, before) != EMBEDDED_NAME:
                return
            why = f"It came with an update of VibeCheck, in place of {before}."
        registry_rows.promoted(connection, Promotion(shipped.version, before, kind, why, now))
