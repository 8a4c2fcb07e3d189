"""Any two models on the same faces, in numbers and in a sentence."""

from datetime import UTC, datetime, timedelta

from vibecheck.analytics.model_comparison import PairedComparison, compared, paired, same_faces, scores_by
from vibecheck.analytics.words import on_pair
from vibecheck.emotions import NAMES
from vibecheck.evaluation.compare import Comparison
from vibecheck.records.labels.judging_labels import JudgedReadings, JudgingLabel

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def judged(*answers: dict[str, bool]) -> JudgedReadings:
    """Faces of as many visitors; of each, which models are right."""
    labels, said = [], {}
    for number, right in enumerate(answers):
        name, truth = f"{number:032x}", NAMES[number % 7]
        at = NOON + timedelta(minutes=number)
        labels.append(JudgingLabel(name, truth, at, name, at, slices=("Dark",) if number % 2 else ()))
        wrong = NAMES[(number + 1) % 7]
        said[name] = {
            version: tuple(float(mood == (truth if ok else wrong)) for mood in NAMES)
            for version, ok in right.items()
        }
    return JudgedReadings(tuple(labels), said, {}, {})


def test_face_counts_only_for_models_that_read_it():
    found = judged(*[{"a": False, "b": True}] * 12, *[{"a": True, "b": True, "c": True}] * 8, {"c": True})
    seen = compared(same_faces(found, "a", "b"))
    assert (seen.n, seen.champion, seen.challenger, seen.won, seen.lost) == (20, 8, 20, 12, 0)
    assert seen.evidence > 20 and seen.low > 0
    assert compared(same_faces(found, "a", "c")).n == 8 and compared(same_faces(found, "a", "nobody")).n == 0
    assert compared(same_faces(found, "a", "b", since=NOON + timedelta(minutes=9))).n == 10


def test_champion_pairs_come_first_and_each_pair_ends_with_the_leader():
    found = judged(*[{"a": True, "b": False, "c": False}] * 9, *[{"b": True, "c": False}] * 30)
    assert [(each.first, each.second) for each in paired(found, "a")] == [("b", "a"), ("c", "a"), ("c", "b")]


def test_scores_by_group_add_up_to_the_total():
    found = judged(*[{"a": False, "b": True}, {"a": True, "b": False}, {"a": True, "b": True}] * 7)
    faces = same_faces(found, "a", "b")
    by_mood = scores_by(faces, lambda each: (each.label,))
    assert sum(each.n for each in by_mood) == 21 and sum(each.won for each in by_mood) == 7
    (dark,) = scores_by(faces, lambda each: each.slices)
    assert (dark.name, dark.n) == ("Dark", 10)


def test_pair_is_described_in_a_sentence():
    ahead = Comparison(412, 200, 216, 40, 24, 25.0, 0.0, 0.012, 0.071)
    assert on_pair(PairedComparison("hub/vit", "embedded-3", ahead)) == (
        "embedded-3 is 4 points ahead of hub/vit (1 to 7), on 412 labels."
    )
    close = Comparison(100, 50, 51, 5, 4, 1.0, 0.0, -0.05, 0.08)
    assert on_pair(PairedComparison("a", "b", close)) == (
        "b is 1 point ahead of a so far (−5 to 8, so perhaps not), on 100 labels."
    )
    level = Comparison(100, 50, 50, 5, 5, 1.0, 0.0, -0.06, 0.06)
    assert on_pair(PairedComparison("a", "b", level)) == (
        "a and b are equally accurate so far (−6 to 6 points), on 100 labels."
    )
