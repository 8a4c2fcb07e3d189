"""feedback_log.csv: one row per prediction, with its effective label.

`python -m vibecheck export` writes it from the store, the roll-up writes one per day to Comet.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain

from vibecheck.records.csv_safety import harmless
from vibecheck.records.values import Feedback, Prediction

COLUMNS = (
    "prediction_id",
    "timestamp",
    "mood_prediction",
    "confidence",
    "ground_truth_mood",
    "source",
    "model_version",
    "image",
)


def lines(labelled: Iterable[tuple[Prediction, Feedback | None]]) -> Iterator[str]:
    """The lines of the file, header first, for predictions with their effective labels."""
    for cells in chain([COLUMNS], (_row(*each) for each in labelled)):
        line = io.StringIO()
        csv.writer(line, lineterminator="\n").writerow(cells)
        yield line.getvalue()


def _row(prediction: Prediction, label: Feedback | None) -> tuple[str, ...]:
    # The label's mood and source (see FEEDBACK_SOURCES) are empty without one; so is the name of no picture.
    cells = (
        prediction.id,
        prediction.made_at.isoformat(),
        prediction.mood,
        f"{prediction.confidence:.6f}",
        label.label if label else "",
        label.source if label else "",
        prediction.model_version,
        prediction.picture_name if prediction.picture_kept else "",
    )
    return tuple(map(harmless, cells))
