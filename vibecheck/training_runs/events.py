"""The events of the training command, and the progress of a run computed from them.

The command prints one JSON object a line. It loads models and pictures of others, so its output is untrusted:
unknown lines are dropped, long ones cut, and the rest is validated.
"""

import re
from collections.abc import Iterator
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

# Longer lines are dropped; an event is a few hundred bytes.
LONGEST_LINE = 64 * 1024
# Curves with more points are thinned to half.
MOST_POINTS = 400
MOST_EPOCHS = 1000
LONGEST_TEXT = 2000


def _cut(value: Any) -> Any:
    """Text without control characters, truncated."""
    return re.sub(r"[\x00-\x1f\x7f]+", " ", value)[:LONGEST_TEXT] if isinstance(value, str) else value


def _or_nothing(value: Any, handler: ValidatorFunctionWrapHandler) -> dict[str, int]:
    try:
        return handler(value)
    except ValidationError:
        return {}


Text = Annotated[str, BeforeValidator(_cut)]
Count = Annotated[int, Field(ge=0, le=10**9)]
Proportion = Annotated[float, Field(ge=0, le=1)]
Minutes = Annotated[float, Field(ge=0, le=10**6)]
# Counts by name; an invalid one does not invalidate its event.
Counts = Annotated[dict[Text, Count], Field(max_length=50), WrapValidator(_or_nothing)]


class _EventModel(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Collected(_EventModel):
    """The labelled pictures. `judging` may judge a model, `left_out` counts by reason."""

    event: Literal["collected"] = "collected"
    rows: Count
    train: Count = 0
    validation: Count = 0
    held_out: Count = 0
    judging: Count = 0
    left_out: Counts = {}


class Started(_EventModel):
    """Training begins."""

    event: Literal["started"] = "started"
    device: Text = ""


class TrainingStep(_EventModel):
    """Progress within an epoch; `done` is the share of the whole run."""

    event: Literal["step"] = "step"
    stage: Text = ""
    epoch: Annotated[float, Field(ge=0, le=10**6)] = 0
    of: Annotated[float, Field(ge=0, le=10**6)] = 0
    done: Proportion = 0.0
    loss: float | None = None
    minutes_left: Minutes | None = None


class Epoch(_EventModel):
    """The end of an epoch; accuracy is on the validation set."""

    event: Literal["epoch"] = "epoch"
    stage: Text = ""
    epoch: Annotated[float, Field(ge=0, le=10**6)]
    accuracy: Proportion | None = None
    balanced_accuracy: Proportion | None = None


class Milestone(_EventModel):
    """After training: old and new weights are mixed, the model is registered, it is judged."""

    event: Literal["blend", "exported", "judged"]


class Finished(_EventModel):
    """The end: the new version."""

    event: Literal["finished"] = "finished"
    version: Text


class Failed(_EventModel):
    """The end: why there is no result."""

    event: Literal["failed"] = "failed"
    error: Text


Event = Collected | Started | TrainingStep | Epoch | Milestone | Finished | Failed
_EVENT: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])


class RunProgress(_EventModel):
    """The state of a run. `losses` are pairs of progress (0 to 1) and loss."""

    collected: Collected | None = None
    started: Started | None = None
    step: TrainingStep | None = None
    losses: tuple[tuple[Proportion, float], ...] = ()
    epochs: tuple[Epoch, ...] = ()
    blend: Milestone | None = None
    exported: Milestone | None = None
    judged: Milestone | None = None
    finished: Finished | None = None
    failed: Failed | None = None

    def heard(self, event: Event | None) -> "RunProgress":
        """The state after one more event; None changes nothing."""
        if event is None:
            return self
        changes: dict[str, Any] = {event.event: event}
        if isinstance(event, Epoch):
            changes = {"epochs": (*self.epochs, event)[-MOST_EPOCHS:]}
        if isinstance(event, TrainingStep) and event.loss is not None:
            points = (*self.losses, (event.done, event.loss))
            changes["losses"] = points if len(points) <= MOST_POINTS else (*points[:-1:2], points[-1])
        return self.model_copy(update=changes)

    @property
    def done(self) -> float:
        """The share of the whole run that is done, 0 to 1."""
        if self.finished:
            return 1.0
        return self.step.done if self.step else 0.0

    @property
    def stage(self) -> str:
        """The current stage, for people."""
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
    """The event in a line, or None."""
    try:
        return _EVENT.validate_json(line)
    except ValidationError:
        return None


def read_progress(content: Any) -> RunProgress:
    """RunProgress from its JSON; an empty one where it cannot be read."""
    try:
        return RunProgress.model_validate(content or {})
    except ValidationError:  # written by another version of VibeCheck
        return RunProgress()


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a stream without line ends, as soon as they are complete; too long ones are dropped."""
    begins = True  # whether the next part is the beginning of a line
    while part := stream.readline(LONGEST_LINE + 1):
        line = part.removesuffix(b"\n")
        if begins and len(line) <= LONGEST_LINE:
            yield line
        begins = line != part
