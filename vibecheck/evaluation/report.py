"""The report of a challenger's comparison with the champion on the same labelled pictures: `report.json`.

`python -m finetune` writes it, in another process and perhaps on another machine, so it is untrusted
input: `Report.parse` refuses what does not fit.
"""

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config

from vibecheck.emotions import NAMES
from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison, Count, Proportion, SignedProportion, veto
from vibecheck.evaluation.proof import Proof
from vibecheck.text.version_name import VersionName

JSON_FILE, HTML_FILE = "report.json", "report.html"
LARGEST = 10_000_000  # bytes

Text = Annotated[str, Field(max_length=2000, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]
Mood = Annotated[str, Field(pattern=f"^({'|'.join(NAMES)})$")]
_STRICT = ConfigDict(extra="ignore", allow_inf_nan=False)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Scores:
    """One model on `n` pictures. `ece` is its calibration error, `bias` mean confidence minus accuracy.

    `per_class` has for each mood how many of its pictures were recognised, and how many there are;
    `confusion` a row for each true mood and a column for each answer, in the order of EMOTIONS.
    `balanced_accuracy` is over the moods that occur.
    """

    n: Count
    right: Count
    accuracy: Proportion
    balanced_accuracy: Proportion
    ece: Proportion
    bias: SignedProportion
    per_class: dict[Mood, tuple[Count, Count]]
    confusion: Annotated[
        tuple[Annotated[tuple[Count, ...], Field(min_length=7, max_length=7)], ...],
        Field(min_length=7, max_length=7),
    ]

    def __post_init__(self) -> None:
        if self.right > self.n or any(k > n for k, n in self.per_class.values()):
            raise ValueError("more are right than there are")


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class BothScores:
    """The same of both models."""

    champion: Scores
    challenger: Scores


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Changed:
    """A picture that changed sides: one model's answer is the label, the other's is not."""

    prediction_id: Annotated[str, Field(max_length=64, pattern=r"^[\w.-]*$")]
    label: Mood
    champion: Mood
    champion_confidence: Proportion
    challenger: Mood
    challenger_confidence: Proportion

    @property
    def won(self) -> bool:
        """Whether it is the challenger that is right."""
        return self.challenger == self.label


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class Report:
    """The result of a comparison.

    `proved`: the challenger may go live; `reason` says in a sentence why, or why not. `needed` is about how
    many more audits would prove it, None where it is not ahead. `trained_on` is how many predictions the
    challenger learned from, `left_out` how many labels could not judge, by reason. It is the `attempt`-th
    challenger that was judged against this champion. `held_out` decides; `reference` is the same on the
    operator's own pictures. `scores` are those of both models on the labels that judge (None without any).
    `changed` are the faces that one model got right and the other wrong, those that were lost first.
    """

    challenger: VersionName
    champion: VersionName
    made_at: datetime
    proved: bool
    reason: Text
    needed: Count | None
    trained_on: Count
    left_out: Annotated[dict[Text, Count], Field(max_length=50)]
    held_out: Comparison
    reference: Comparison | None
    scores: BothScores | None
    changed: Annotated[tuple[Changed, ...], Field(max_length=20_000)]
    attempt: Annotated[int, Field(ge=1, le=10**6)] = 1
    format: Literal[1] = 1

    @classmethod
    def parse(cls, text: str | bytes) -> "Report":
        """The report in the text of a `report.json`. Raises ModelError for anything that is not one."""
        if len(text) > LARGEST:
            raise ModelError("The report is larger than any that python -m finetune writes.")
        try:
            return _REPORT.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, first["loc"])) or "as a whole"
            raise ModelError(f"The report cannot be read ({where}: {first['msg']}).") from error

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"made_at": self.made_at.isoformat()}

    def as_json(self) -> str:
        """The text of `report.json`."""
        return json.dumps(self.plain(), indent=1) + "\n"

    def proof(self, report: str = "") -> Proof:
        """What the registry keeps of it; `report` is the path of the report for people."""
        against, seen, forbids = self.champion, self.held_out.figures, veto(self.reference)
        return Proof(
            self.proved, self.reason, self.needed, against, *seen, self.made_at, report, self.attempt, forbids
        )


_REPORT = TypeAdapter(Report)
