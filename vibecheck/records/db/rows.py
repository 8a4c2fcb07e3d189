"""Converts rows of the tables to values; the columns of all but predictions are the values' fields."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, fields
from typing import Any, Protocol, TypeVar

from sqlalchemy import RowMapping

from vibecheck.records.db.tables import PROBABILITIES, predictions
from vibecheck.records.values import Prediction
from vibecheck.vision.faces import Face, FaceQuality

# The fields that are a column of their own.
PLAIN = [field.name for field in fields(Prediction) if field.name in predictions.c]
BOX = ("x", "y", "width", "height", "score")
QUALITY = [field.name for field in fields(FaceQuality)]


class OfPrediction(Protocol):
    """What belongs to a prediction: a label, a play, a reading."""

    @property
    def prediction_id(self) -> str: ...


Part = TypeVar("Part", bound=OfPrediction)


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """The row of `predictions`."""
    face = prediction.face
    return {
        **{name: getattr(prediction, name) for name in PLAIN},
        **dict(zip(PROBABILITIES, prediction.probabilities, strict=True)),
        **{f"face_{name}": getattr(face, name) for name in BOX},
        "landmarks": [[float(x), float(y)] for x, y in face.landmarks],  # JSON cannot serialise NumPy numbers
        **asdict(prediction.quality),
    }


def prediction_of(row: RowMapping) -> Prediction:
    """The prediction in a row of `predictions`."""
    return Prediction(
        **{name: row[name] for name in PLAIN},
        probabilities=tuple(row[name] for name in PROBABILITIES),
        face=Face(
            **{name: row[f"face_{name}"] for name in BOX},
            landmarks=tuple((x, y) for x, y in row["landmarks"]),
        ),
        quality=FaceQuality(**{name: row[name] for name in QUALITY}),
    )


def grouped(parts: Iterable[Part]) -> dict[str, list[Part]]:
    """Parts by the id of their prediction; the empty list for any other id."""
    found: dict[str, list[Part]] = defaultdict(list)
    for each in parts:
        found[each.prediction_id].append(each)
    return found
