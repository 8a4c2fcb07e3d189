"""The layout of the records in Comet: one experiment per deployment and day, one asset per record.

    input_{id}.jpg              a picture; the whole prediction in its metadata, and what each model said of
                                the same face under "shadow"
    prediction_{id}.json        the same, where no picture is kept
    feedback_{id}_{n}.json      a label
    play_{id}_{n}.json          a playlist that was suggested
    side_{id}.json              whether its picture trains models or judges them
    feedback_log.csv            the day in one table, rolled up

A deployment also has an experiment for its models, and each model that was made here has one of its own (see
`model_files.py`):

    model_{…}.json              the registry's record of a version
    promotion_{…}.json          a promotion or rollback

Everything about a prediction is in the experiment of the UTC day on which it was made, so that one list of a
day's assets has all of it, and a deletion has to look in one place only.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from pydantic import TypeAdapter

from vibecheck.records.readings import ShadowReading
from vibecheck.records.values import Feedback, Play, Prediction, Promotion, SideDrawn

# Places that have their own experiment: a day, or a name of at most 17 letters and digits.
Place = date | str
MODELS: Place = "models"

FEEDBACK_LOG = "feedback_log.csv"
# In the metadata of a prediction: its readings.
SHADOW = "shadow"
MOST_READINGS = 20

PREDICTION_NAME = re.compile(r"(?:input_([0-9a-f]{32})\.jpg|prediction_([0-9a-f]{32})\.json)")
PROMOTION_NAME = re.compile(r"promotion_[0-9a-f]{32}\.json")
MODEL_NAME = re.compile(r"model_[0-9a-f]{32}\.json")
PART_NAME = re.compile(r"(feedback|play)_([0-9a-f]{32})_([1-9][0-9]{0,8})\.json")

SIDE_NAME = re.compile(r"side_([0-9a-f]{32})\.json")

Value = TypeVar("Value", Prediction, Feedback, Play, SideDrawn, Promotion, ShadowReading)
# Records written by a newer version may have more fields, which are ignored.
_ADAPTERS: dict[type, TypeAdapter[Any]] = {
    kind: TypeAdapter(kind) for kind in (Prediction, Feedback, Play, SideDrawn, Promotion, ShadowReading)
}
_TIMES = ("made_at", "given_at", "suggested_at", "drawn_at")
_INNER = ("face", "quality", "probabilities")


def experiment_key(deployment: str, place: Place) -> str:
    """The key of a place's experiment: the same for every copy and every start of a deployment."""
    # Comet takes 32 to 50 letters and digits. A hash: deployments whose names differ only in other characters
    # must not collide.
    name = place if isinstance(place, str) else f"{place:%Y%m%d}"
    return f"vibecheck{hashlib.sha256(deployment.encode()).hexdigest()[:24]}{name}"


def place_of_model(version: str) -> Place:
    """The experiment of a model that was made here."""
    return f"m{hashlib.sha256(version.encode()).hexdigest()[:15]}"


def day_of_key(deployment: str, key: str) -> date | None:
    """The day of one of this deployment's experiments; None for any other experiment."""
    with suppress(ValueError):
        day = date.fromisoformat(key[-8:])
        if experiment_key(deployment, day) == key:
            return day
    return None


def day_of(moment: datetime) -> date:
    """The UTC day to whose experiment a prediction of this moment belongs."""
    return moment.astimezone(UTC).date()


def prediction_name(prediction_id: str, picture: bool) -> str:
    """The name of a prediction's asset, with or without its picture."""
    return f"input_{prediction_id}.jpg" if picture else f"prediction_{prediction_id}.json"


def name_of(kind: str, payload: Mapping[str, Any]) -> str:
    """The name of the asset of a message, by its kind and payload: the same each time that it is sent."""
    match kind:
        case "prediction":
            return prediction_name(payload["id"], payload["picture_kept"])
        case "side":
            return f"side_{payload['prediction_id']}.json"
        case "promotion":
            return f"promotion_{hashlib.sha256(as_json(payload)).hexdigest()[:32]}.json"
        case _:  # "feedback" or "play"
            return f"{kind}_{payload['prediction_id']}_{payload['n']}.json"


def id_of(name: str) -> str | None:
    """The prediction that an asset of this name belongs to; None for any other name."""
    ours = any(each.fullmatch(name) for each in (PREDICTION_NAME, SIDE_NAME, PART_NAME))
    return name.partition("_")[2][:32] if ours else None


def model_name(version: str) -> str:
    """The name of the record of a version."""
    return f"model_{hashlib.sha256(version.encode()).hexdigest()[:32]}.json"


def as_json(value: Mapping[str, Any]) -> bytes:
    """A record as the body of an asset."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True).encode()


@dataclass(frozen=True, slots=True)
class Asset:
    """One asset of a day as Comet lists it.

    `metadata` is {} if there is none, or none that can be used. `created_at` is in ms, `size` in bytes.
    """

    id: str
    name: str
    metadata: dict[str, Any]
    created_at: int
    size: int = 0

    @classmethod
    def of(cls, listed: Any) -> "Asset | None":
        """The asset in an item of Comet's list, with metadata as JSON or an object; None if unusable."""
        try:
            asset_id, name = str(listed["assetId"]), str(listed["fileName"])
            metadata = listed.get("metadata")
            created_at, size = int(listed.get("createdAt") or 0), int(listed.get("fileSize") or 0)
        except (KeyError, TypeError, AttributeError, ValueError, OverflowError):
            return None
        try:
            if isinstance(metadata, str):
                metadata = json.loads(metadata)
            # A lone surrogate cannot be stored anywhere.
            json.dumps(metadata, ensure_ascii=False).encode()
            name.encode()
        except (ValueError, RecursionError):
            metadata = None
        return cls(asset_id, name, metadata if isinstance(metadata, dict) else {}, created_at, size)


def value_from(kind: type[Value], metadata: Mapping[str, Any]) -> Value:
    """The value of this kind in an asset's metadata. Raises ValueError or OverflowError for any other."""
    return _ADAPTERS[kind].validate_python(_plain(metadata))


def readings_from(metadata: Mapping[str, Any], prediction_id: str) -> tuple[ShadowReading, ...]:
    """The readings in a prediction's metadata, if it has any. Raises ValueError for anything else."""
    found = _opened(metadata.get(SHADOW) or [])
    are_readings = isinstance(found, list) and all(isinstance(each, Mapping) for each in found)
    if not are_readings or len(found) > MOST_READINGS:
        raise ValueError(f"{SHADOW} is not a list of at most {MOST_READINGS} readings")
    read = _ADAPTERS[ShadowReading].validate_python
    made = [read({**each, "prediction_id": prediction_id}) for each in found]
    return tuple({each.version: each for each in made}.values())


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata with nested objects parsed where they came back as text. Raises ValueError."""
    if "\\u0000" in json.dumps(metadata):
        raise ValueError("a text contains NUL, which Postgres does not allow")
    if not all(isinstance(metadata.get(name, ""), str) for name in _TIMES):
        raise ValueError("a time is not a text")
    return {key: _opened(value) if key in _INNER else value for key, value in metadata.items()}


def _opened(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
