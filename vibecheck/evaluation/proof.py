"""The proof of a version: how it compared with the champion, as the registry keeps it.

`Report.proof` and `models.promotion` make it; this module reads it and says what a promotion requires.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

# Its name among the metrics of a version.
PROOF = "proof"
ATTEMPTS = "attempts"


@dataclass(frozen=True, slots=True)
class Verdict:
    """`proved`, and in a sentence why or why not. `needed` is about how many more such labels it takes to
    prove the observed difference, if it is real; None if the challenger is not ahead."""

    proved: bool
    reason: str
    needed: int | None


@dataclass(frozen=True, slots=True)
class Proof(Verdict):
    """The verdict on a version, compared with `against`, the champion of that time.

    On `n` labels the champion got `champion` right and the version `challenger`; `evidence` is that of the
    test, None in proofs of earlier versions of VibeCheck. It is the `attempt`-th challenger of this champion.
    `report` is the path of the report for people on the machine that judged, or empty; `veto` why the
    operator's reference set forbids a promotion, or empty.
    """

    against: str
    n: int
    champion: int
    challenger: int
    evidence: float | None
    judged_at: datetime
    report: str = ""
    attempt: int = 1
    veto: str = ""

    def plain(self) -> dict[str, Any]:
        """As plain JSON."""
        return asdict(self) | {"judged_at": self.judged_at.isoformat()}


_PROOF = TypeAdapter(Proof)


def proof_of(metrics: Mapping[str, Any]) -> Proof | None:
    """The proof among a version's metrics; None if it was never judged, or the proof is invalid."""
    found = metrics.get(PROOF)
    try:
        return _PROOF.validate_python({"evidence": None} | found if isinstance(found, dict) else found)
    except ValidationError:
        return None


def attempts_of(metrics: Mapping[str, Any]) -> dict[str, int]:
    """The champions that a version was judged against, each with the number of challengers until then."""
    found = metrics.get(ATTEMPTS)
    known = found if isinstance(found, Mapping) else {}
    proof = proof_of(metrics)
    before = {proof.against: proof.attempt} if proof else {}
    return before | {str(name): k for name, k in known.items() if isinstance(k, int) and k > 0}


def refusal(version: str, metrics: Mapping[str, Any], champion: str | None) -> str | None:
    """Why a version may not be promoted in place of `champion`, in a sentence that says what to do.

    None if it may: it was proved better than this champion, or there is no champion.
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
    return f'{why} To promote it anyway, give a reason, which is kept: --override "REASON".'
