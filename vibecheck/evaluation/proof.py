"""The proof of a version: what its trial against the champion said, as the registry keeps it.

    version.metrics["proof"] → Proof → may it become champion?

`python -m finetune judge` makes one (see `finetune/judging/judge.py`); this module reads it back, and knows
what a promotion asks for.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

# Under this name it stands among the metrics of a version.
PROOF = "proof"


@dataclass(frozen=True, slots=True)
class Proof:
    """A version's trial. `against` is the version that was champion then.

    `reason` says in a sentence why it is proved better, or is not; `needed` about how many more audits
    it would take, None where the version is not ahead. On `n` held-out labels the champion got
    `champion` right and the version `challenger`; `p` is of the test. `report` is the path of the
    report for people on the machine that judged, or empty.
    """

    proved: bool
    reason: str
    needed: int | None
    against: str
    n: int
    champion: int
    challenger: int
    p: float
    judged_at: datetime
    report: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"judged_at": self.judged_at.isoformat()}


_PROOF = TypeAdapter(Proof)


def proof_of(metrics: Mapping[str, Any]) -> Proof | None:
    """The proof among a version's metrics; None where it was never judged, or what is there is none."""
    try:
        return _PROOF.validate_python(metrics.get(PROOF))
    except ValidationError:
        return None


def refusal(version: str, metrics: Mapping[str, Any], champion: str | None) -> str | None:
    """Why a version may not be promoted in place of `champion`, in a sentence that says what to do.

    None where it may: it was proved better than this champion, or there is none to be better than.
    """
    if champion is None:
        return None
    proof = proof_of(metrics)
    if proof is None:
        why = f"{version} was never judged against {champion}: python -m finetune judge {version} does so."
    elif not proof.proved:
        why = f"{version} is not proved better than {proof.against}. {proof.reason}"
    elif proof.against != champion:
        why = (
            f"{version} was proved better than {proof.against}, but {champion} runs now: "
            f"python -m finetune judge {version} judges again."
        )
    else:
        return None
    return f'{why} To promote it all the same, give a reason, which is kept: --override "REASON".'
