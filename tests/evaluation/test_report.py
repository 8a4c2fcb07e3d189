"""A report file is untrusted input: it is read back unchanged, or refused."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vibecheck.errors import ModelError
from vibecheck.evaluation.compare import Comparison
from vibecheck.evaluation.proof import Proof, attempts_of, proof_of, refusal
from vibecheck.evaluation.report import BothScores, Changed, Report, Scores

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
EMPTY = tuple((0,) * 7 for _ in range(7))
SCORES = Scores(2, 1, 0.5, 0.5, 0.1, -0.1, {"happy": (1, 2)}, EMPTY)
REPORT = Report(
    challenger="owner/name@0123-ft",
    champion="embedded-3",
    made_at=NOW,
    proved=False,
    reason="Not proved: about 40 more audits needed.",
    needed=40,
    trained_on=600,
    left_out={"twice": 1},
    held_out=Comparison(2, 1, 1, 1, 1, 0.75, 0.5, -0.4, 0.4),
    reference=None,
    scores=BothScores(SCORES, SCORES),
    changed=(Changed("0" * 32, "happy", "sad", 0.5, "happy", 0.7),),
)


def test_report_is_read_as_it_was_written():
    assert Report.parse(REPORT.as_json()) == REPORT
    assert Report.parse(json.dumps(REPORT.plain() | {"from a newer version": 1})) == REPORT
    assert REPORT.changed[0].won


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"proved": "perhaps"},
        {"challenger": "<script>"},
        {"challenger": ""},
        {"made_at": "yesterday"},
        {"reason": "x" * 3000},
        {"reason": "\x1b[31m"},
        {"needed": -1},
        {"held_out": {"n": 2, "champion": 1, "challenger": 1, "won": 2, "lost": 1}},
        {"held_out": {"n": 2, "champion": 1, "challenger": 1, "won": 1, "lost": 1, "evidence": -1}},
        {"scores": {"champion": {}, "challenger": {}}},
        {"changed": [{"prediction_id": "<img>", "label": "happy"}]},
        {"changed": None},
    ],
)
def test_invalid_report_is_refused_with_one_error(changes):
    with pytest.raises(ModelError, match="The report cannot be read"):
        Report.parse(json.dumps(REPORT.plain() | changes))


def test_report_with_more_right_than_total_is_refused():
    plain = REPORT.plain()
    plain["scores"]["champion"] = plain["scores"]["champion"] | {"per_class": {"happy": [3, 2]}}
    with pytest.raises(ModelError, match="more are right than there are"):
        Report.parse(json.dumps(plain))


@given(st.text() | st.binary())
def test_arbitrary_input_raises_only_model_errors(text):
    with pytest.raises(ModelError):
        Report.parse(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    max_leaves=10,
)


@given(JSON)
def test_metrics_of_any_shape_hold_no_proof(value):
    assert proof_of({"proof": value}) is None


def test_report_is_converted_to_a_proof_that_survives_json():
    proof = REPORT.proof("/somewhere/report.html")
    assert proof_of({"proof": json.loads(json.dumps(proof.plain()))}) == proof
    assert (proof.against, proof.n, proof.needed, proof.proved) == ("embedded-3", 2, 40, False)


def test_reports_and_proofs_of_earlier_versions_are_read():
    old = {"n": 2, "champion": 1, "challenger": 1, "won": 1, "lost": 1, "p": 0.75, "dealt": 0.5}
    plain = REPORT.plain() | {"held_out": old}
    del plain["attempt"]
    read = Report.parse(json.dumps(plain))
    assert read.held_out.evidence is None and read.held_out.p_shuffled == 0.5 and read.attempt == 1
    known = {"proved": True, "reason": "Proved.", "needed": 0, "against": "b", "n": 9, "champion": 1}
    known |= {"challenger": 8, "p": 0.01, "judged_at": NOW.isoformat(), "report": ""}
    assert refusal("a", {"proof": known}, "b") is None
    assert attempts_of({"proof": known}) == {"b": 1}


def test_the_first_champion_needs_no_proof():
    assert refusal("a", {}, None) is None
    proof = Proof(True, "Proved better.", 0, "b", 90, 40, 60, 90.0, NOW)
    assert refusal("a", {"proof": proof.plain()}, "b") is None
    assert "--override" in refusal("a", {"proof": proof.plain()}, "c")
