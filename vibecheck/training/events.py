"""What the training command says, line by line, and what is known of the run by then.

The command prints one JSON object a line. It loads models and pictures of others, so its output is outside
input: what is not understood is left out, what is too long is cut, and the little that is kept has a shape.
"""

import re
from collections.abc import Callable, Iterator
from typing import Annotated, Any, BinaryIO, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

# Longer lines are left out: an event is a few hundred bytes.
LONGEST_LINE = 64 * 1024
CHUNK = 64 * 1024
# A curve with more points than this shows no more than one with half of them.
MOST_POINTS = 400
MOST_EPOCHS = 1000
LONGEST_TEXT = 2000


def _cut(value: Any) -> Any:
    """Text without control characters, and not too long."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)[:LONGEST_TEXT] if isinstance(value, str) else value


def _or_nothing(value: Any, handler: ValidatorFunctionWrapHandler) -> dict[str, int]:
    try:
        return handler(value)
    except ValidationError:
        return {}


Text = Annotated[str, BeforeValidator(_cut)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Share = Annotated[float, Field(ge=0, le=1)]
Minutes = Annotated[float, Field(ge=0, le=10**6)]
# A count of each of some names: what is told beside the point, so it does not spoil an event.
Counts = Annotated[dict[Text, Count], Field(max_length=50), WrapValidator(_or_nothing)]


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Collected(_Told):
    """Which labels there are. `judging` may judge a model, `left_out` counts reasons, `unit` is what was
    split: "visitor" or "visit"."""

    event: Literal["collected"] = "collected"
    rows: Count
    train: Count = 0
    validation: Count = 0
    held_out: Count = 0
    judging: Count = 0
    left_out: Counts = {}
    by_class: Counts = {}
    unit: Text = ""


class Started(_Told):
    """Training begins."""

    event: Literal["started"] = "started"
    stages: Annotated[tuple[Text, ...], Field(max_length=20)] = ()
    epochs: Count = 0
    device: Text = ""
    base: Text = ""


class Step(_Told):
    """How far it is: `done` is 0 to 1 of the whole run."""

    event: Literal["step"] = "step"
    stage: Text = ""
    epoch: Annotated[float, Field(ge=0, le=10**6)] = 0
    of: Annotated[float, Field(ge=0, le=10**6)] = 0
    done: Share = 0.0
    loss: float | None = None
    minutes_left: Minutes | None = None


class Epoch(_Told):
    """An epoch is over; accuracy is on the validation part."""

    event: Literal["epoch"] = "epoch"
    stage: Text = ""
    epoch: Annotated[float, Field(ge=0, le=10**6)]
    of: Count = 0
    loss: float | None = None
    accuracy: Share | None = None
    balanced_accuracy: Share | None = None
    minutes: Minutes | None = None
    minutes_left: Minutes | None = None


class Blend(_Told):
    """How much of the new weights is in the mix of old and new."""

    event: Literal["blend"] = "blend"
    mix: Share
    accuracy: Share | None = None


class Exported(_Told):
    """The model can run."""

    event: Literal["exported"] = "exported"
    version: Text = ""


class Judged(_Told):
    """Whether the challenger is proved better than the champion."""

    event: Literal["judged"] = "judged"
    proved: bool
    reason: Text = ""
    needed: Count | None = None
    n: Count | None = None
    p: Share | None = None


class Finished(_Told):
    """The end: which version came out, and where its report is."""

    event: Literal["finished"] = "finished"
    version: Text
    report: Text | None = None
    html: Text | None = None
    proved: bool | None = None
    promoted: bool = False


class Failed(_Told):
    """The end: why nothing came out."""

    event: Literal["failed"] = "failed"
    error: Text


Event = Collected | Started | Step | Epoch | Blend | Exported | Judged | Finished | Failed
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class Progress(_Told):
    """All that is known of a run so far. `losses` are pairs of how much was done and the loss then."""

    collected: Collected | None = None
    started: Started | None = None
    step: Step | None = None
    losses: tuple[tuple[Share, float], ...] = ()
    epochs: tuple[Epoch, ...] = ()
    blend: Blend | None = None
    exported: Exported | None = None
    judged: Judged | None = None
    finished: Finished | None = None
    failed: Failed | None = None

    def heard(self, event: Event) -> "Progress":
        """What is known after one more event."""
        changes: dict[str, Any] = {event.event: event}
        if isinstance(event, Epoch):
            changes = {"epochs": (*self.epochs, event)[-MOST_EPOCHS:]}
        if isinstance(event, Step) and event.loss is not None:
            changes["losses"] = _thinned((*self.losses, (event.done, event.loss)))
        return self.model_copy(update=changes)

    @property
    def done(self) -> float:
        """How much of the whole run is done, 0 to 1."""
        if self.finished:
            return 1.0
        return self.step.done if self.step else 0.0

    @property
    def stage(self) -> str:
        """What it does now, in a few words."""
        if self.judged or self.finished:
            return "Writing the report"
        if self.exported:
            return "Judging it against the champion"
        if self.blend:
            return "Making the model ready to run"
        if self.step and self.step.stage:
            return self.step.stage
        if self.started:
            return "Beginning to train"
        return "Opening the base model" if self.collected else "Collecting labels"


def parse(line: bytes) -> Event | None:
    """The event that a line tells, or None where it tells none."""
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None


def read_progress(content: Any) -> Progress:
    """Progress as `model_dump(mode="json")` wrote it; an empty one where it cannot be read."""
    try:
        return Progress.model_validate(content or {})
    except ValidationError:  # written by another version of VibeCheck
        return Progress()


def lines(stream: BinaryIO, read: Callable[[int], bytes] | None = None) -> Iterator[bytes]:
    """The whole lines of a stream, without their ends; those that are too long are left out.

    Each comes as soon as it is whole. A last line without an end comes when the stream ends.
    """
    if read is None:
        read = getattr(stream, "read1", stream.read)
    held, too_long = bytearray(), False
    while chunk := read(CHUNK):
        *whole, rest = chunk.split(b"\n")
        for part in whole:
            held += part
            if not too_long and len(held) <= LONGEST_LINE:
                yield bytes(held)
            held.clear()
            too_long = False
        held += rest
        if len(held) > LONGEST_LINE:
            held.clear()
            too_long = True
    if held and not too_long:
        yield bytes(held)


def _thinned(points: tuple[tuple[float, float], ...]) -> tuple[tuple[float, float], ...]:
    return points if len(points) <= MOST_POINTS else (*points[:-1:2], points[-1])
