"""Converts values to rows of the tables and back."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import RowMapping

from vibecheck.records.db.tables import PROBABILITIES
from vibecheck.records.learned_calibration import LearnedCalibration
from vibecheck.records.values import Feedback, Play, Prediction
from vibecheck.vision.faces import Face, FaceQuality


def prediction_row(prediction: Prediction) -> dict[str, Any]:
    """The row of `predictions`."""
    face = prediction.face
    return {
        "id": prediction.id,
        "made_at": prediction.made_at,
        "source": prediction.source,
        "mood": prediction.mood,
        "confidence": prediction.confidence,
        **dict(zip(PROBABILITIES, prediction.probabilities, strict=True)),
        "model_version": prediction.model_version,
        "visitor": prediction.visitor,
        "face_x": face.x,
        "face_y": face.y,
        "face_width": face.width,
        "face_height": face.height,
        "face_score": face.score,
        "landmarks": [[float(x), float(y)] for x, y in face.landmarks],  # JSON cannot serialise NumPy numbers
        **asdict(prediction.quality),
        "latency_ms": prediction.latency_ms,
        "audit": prediction.audit,
        "picture_kept": prediction.picture_kept,
        "calibration": prediction.calibration,
    }


def prediction_of(row: RowMapping) -> Prediction:
    """The prediction in a row of `predictions`."""
    return Prediction(
        id=row["id"],
        made_at=row["made_at"],
        source=row["source"],
        mood=row["mood"],
        confidence=row["confidence"],
        probabilities=tuple(row[name] for name in PROBABILITIES),
        model_version=row["model_version"],
        visitor=row["visitor"],
        face=Face(
            x=row["face_x"],
            y=row["face_y"],
            width=row["face_width"],
            height=row["face_height"],
            landmarks=tuple((x, y) for x, y in row["landmarks"]),
            score=row["face_score"],
        ),
        quality=FaceQuality(
            light=row["light"], blur=row["blur"], size=row["size"], yaw=row["yaw"], roll=row["roll"]
        ),
        latency_ms=row["latency_ms"],
        audit=row["audit"],
        picture_kept=row["picture_kept"],
        calibration=row["calibration"],
    )


def feedback_of(row: RowMapping) -> Feedback:
    """The label in a row of `feedback`, whose columns are the fields."""
    return Feedback(**row)


def play_of(row: RowMapping) -> Play:
    """The playlist in a row of `plays`, whose columns are the fields."""
    return Play(**row)


def calibration_of(row: RowMapping) -> LearnedCalibration:
    """The calibration in a row of `calibrations`, whose columns are the fields."""
    return LearnedCalibration(**{**row, "bias": tuple(row["bias"])})
