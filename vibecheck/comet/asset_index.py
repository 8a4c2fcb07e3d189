"""Which day's experiment holds a prediction of which nothing is left here."""

from datetime import UTC, date, datetime

from vibecheck.comet.client import Comet
from vibecheck.comet.layout import PREDICTION_NAME


class AssetIndex:
    """Answers from one look at all days, and looks again for what may have come since."""

    def __init__(self, comet: Comet) -> None:
        self._comet = comet
        self._looked_at: datetime | None = None
        self._days: dict[str, date] = {}

    def day_of(self, prediction_id: str, told_at: datetime) -> date | None:
        """The day of a prediction whose deletion was told at `told_at`; None where Comet has none of it.

        A request for each day of history, shared by all deletions that were told before it. Raises
        CometError.
        """
        if prediction_id not in self._days and (self._looked_at is None or self._looked_at <= told_at):
            self._look()
        return self._days.pop(prediction_id, None)

    def _look(self) -> None:
        now = datetime.now(UTC)
        self._days = {
            match[1] or match[2]: day
            for day in self._comet.days()
            for asset in self._comet.assets(day)
            if (match := PREDICTION_NAME.fullmatch(asset.name))
        }
        self._looked_at = now
