"""Reads predictions, with their labels, plays, sides and readings, from the list of a day's assets."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

from vibecheck.comet import layout
from vibecheck.comet.layout import PART_NAME, PREDICTION_NAME, SIDE_NAME, Asset
from vibecheck.records.merge import RestoredPrediction
from vibecheck.records.readings import ShadowReading
from vibecheck.records.values import Feedback, Play, Prediction, SideDrawn

Part = TypeVar("Part", Feedback, Play)


@dataclass(slots=True)
class DayRecords:
    """The content of a day's assets. `refused` says why assets could not be used, by their names."""

    predictions: dict[str, Prediction] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    pictures: dict[str, Asset] = field(default_factory=dict)
    feedback: dict[str, list[Feedback]] = field(default_factory=dict)
    plays: dict[str, list[Play]] = field(default_factory=dict)
    sides: dict[str, SideDrawn] = field(default_factory=dict)
    readings: dict[str, tuple[ShadowReading, ...]] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def found(self) -> list[RestoredPrediction]:
        """The predictions, newest first; labels without a prediction are left out."""
        made = sorted(self.predictions.values(), key=lambda each: each.made_at, reverse=True)
        return [self._restored(prediction) for prediction in made]

    def _restored(self, prediction: Prediction) -> RestoredPrediction:
        key = prediction.id
        labels = sorted(self.feedback.get(key, ()), key=lambda each: (each.n, each.given_at))
        plays = sorted(self.plays.get(key, ()), key=lambda each: (each.n, each.suggested_at))
        side = self.sides[key].side if key in self.sides else None
        readings = self.readings.get(key, ())
        return RestoredPrediction(prediction, self.origins[key], tuple(labels), tuple(plays), side, readings)


def read_day(assets: Iterable[Asset]) -> DayRecords:
    """Parses a list of assets. Anybody may have put some there, so unparsable ones are left out."""
    day = DayRecords()
    for asset in assets:
        try:
            _read(asset, day)
        except (ValueError, RecursionError, OverflowError) as error:
            day.refused[asset.name] = str(error).split("\n")[0][:200] or type(error).__name__
    return day


def _read(asset: Asset, day: DayRecords) -> None:
    if match := PREDICTION_NAME.fullmatch(asset.name):
        prediction = layout.value_from(Prediction, asset.metadata)
        if prediction.id != (match[1] or match[2]):
            raise ValueError("its name and its content do not agree")
        # It may also exist without its picture, from before the picture was allowed.
        if match[1] or prediction.id not in day.predictions:
            day.predictions[prediction.id] = prediction
            day.origins[prediction.id] = str(asset.metadata.get("model_origin") or "unknown")
        if match[1]:
            day.pictures[prediction.id] = asset
        if readings := layout.readings_from(asset.metadata, prediction.id):
            day.readings[prediction.id] = readings
    elif match := SIDE_NAME.fullmatch(asset.name):
        side = layout.value_from(SideDrawn, asset.metadata)
        if side.prediction_id != match[1]:
            raise ValueError("its name and its content do not agree")
        # A model may have been trained by the earliest assignment.
        before = day.sides.setdefault(match[1], side)
        day.sides[match[1]] = min(before, side, key=lambda each: each.drawn_at)
    elif match := PART_NAME.fullmatch(asset.name):
        kind, prediction_id, n = match[1], match[2], int(match[3])
        if kind == "feedback":
            _add(layout.value_from(Feedback, asset.metadata), prediction_id, n, day.feedback)
        else:
            _add(layout.value_from(Play, asset.metadata | {"playlist_name": ""}), prediction_id, n, day.plays)


def _add(part: Part, prediction_id: str, n: int, parts: dict[str, list[Part]]) -> None:
    """Adds a label or play to those of its prediction, once."""
    if (part.prediction_id, part.n) != (prediction_id, n):
        raise ValueError("its name and its content do not agree")
    there = parts.setdefault(prediction_id, [])
    if part not in there:
        there.append(part)
