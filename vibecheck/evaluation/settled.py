"""Settled bets of a comparison: their value survives the deletion of its labels (see `evidence`).

They are stored with the metrics of the version that is compared.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter, ValidationError, with_config

NODES = 48  # bets of different size


@with_config(ConfigDict(extra="ignore", allow_inf_nan=False))
@dataclass(frozen=True, slots=True)
class Settled:
    """The bets on vibe checks made up to `until`.

    `logs` are the natural logarithms of the value of each bet, in the order of `evidence`.
    """

    until: AwareDatetime
    logs: Annotated[tuple[float, ...], Field(min_length=NODES, max_length=NODES)]

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"until": self.until.isoformat()}


_SETTLED = TypeAdapter(Settled)


def name_of(champion: str, since: datetime | None = None) -> str:
    """The name, among a version's metrics, of the settled bets of its comparison with a champion.

    A guard compares the two again, using only labels given `since` the promotion.
    """
    return f"settled {champion}" + (f" {since.isoformat()}" if since else "")


def settled_of(metrics: Mapping[str, Any], champion: str, since: datetime | None = None) -> Settled | None:
    """The settled bets of a version's comparison with a champion; None if there are none."""
    try:
        return _SETTLED.validate_python(metrics.get(name_of(champion, since)))
    except ValidationError:
        return None
