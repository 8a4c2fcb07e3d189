"""A version of a model, as the registry knows it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from vibecheck.evaluation.proof import Proof, proof_of
from vibecheck.records.values import Promotion, as_utc

# The aliases of the version that runs, the one that waits for its proof, and the one that ran before.
CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
# What happened to a version, by the kind of its promotion.
PROMOTED = {
    "first": "First model",
    "promotion": "Promoted",
    "override": "Promoted without proof",
    "rollback": "Rolled back to",
}
# The metric that holds the time at which a version was discarded.
DISCARDED = "discarded_at"


@dataclass(frozen=True, slots=True)
class Version:
    """A model that may run. `source` is what `python -m vibecheck compile` makes it from.

    `metrics` are measurements and facts about it, as plain JSON. `trained_on` counts the predictions whose
    pictures it learned from, `deleted` those of them that were deleted since. `promotions` are newest first.
    """

    version: str
    origin: str
    source: str
    metrics: Mapping[str, Any]
    registered_at: datetime
    trained_on: int = 0
    deleted: int = 0
    aliases: tuple[str, ...] = ()
    promotions: tuple[Promotion, ...] = ()

    @property
    def proof(self) -> Proof | None:
        """How it compared with the champion, or None if it was never judged."""
        return proof_of(self.metrics)

    @property
    def discarded_at(self) -> datetime | None:
        """When it was discarded; None if it was not, or if the metric, which others may write, is no time."""
        written = self.metrics.get(DISCARDED)
        try:
            return as_utc(datetime.fromisoformat(written)) if isinstance(written, str) else None
        except (ValueError, OverflowError):
            return None

    @property
    def undecided(self) -> bool:
        """Whether it waits to be promoted or discarded: it neither runs, nor ran before, nor is discarded."""
        return self.discarded_at is None and not {CHAMPION, PREVIOUS} & set(self.aliases)
