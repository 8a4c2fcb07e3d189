import math
import random
from dataclasses import astuple
from itertools import count

import numpy as np
import pytest

from vibecheck.analytics import words
from vibecheck.analytics.agreement import ENOUGH_PAIRS, agreement, kappa, outliers
from vibecheck.analytics.csv_tables import agreement_row
from vibecheck.emotions import NAMES
from vibecheck.records.stats.results import LabelPair

# 100 patients, by two psychiatrists: table 18.1 of Fleiss, Levin & Paik, Statistical Methods for Rates and
# Proportions.
PATIENTS = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]

numbers = count()


def pair(
    first: str, second: str, mood: str = "happy", by=("ann", "ben"), visitor=None, model="m"
) -> LabelPair:
    number = next(numbers)
    return LabelPair(f"{number:032x}", visitor or f"v{number}", model, mood, first, by[0], second, by[1])


def pairs_of(table: list[list[int]]) -> list[LabelPair]:
    cells = [(i, j, n) for i, row in enumerate(table) for j, n in enumerate(row)]
    return [pair(NAMES[i], NAMES[j]) for i, j, n in cells for _ in range(n)]


def fleiss_standard_error(p: np.ndarray, n: int) -> float:
    """Equation 18.15 of that book (Fleiss, Cohen & Everitt 1969), written out."""
    rows, columns, observed = p.sum(axis=1), p.sum(axis=0), float(np.trace(p))
    chance = float(rows @ columns)
    k = (observed - chance) / (1 - chance)
    size = range(len(p))
    a = sum(p[i, i] * (1 - (rows[i] + columns[i]) * (1 - k)) ** 2 for i in size)
    b = (1 - k) ** 2 * sum(p[i, j] * (columns[i] + rows[j]) ** 2 for i in size for j in size if i != j)
    c = (k - chance * (1 - k)) ** 2
    return math.sqrt(a + b - c) / ((1 - chance) * math.sqrt(n))


def test_kappa_matches_cohens_kappa_of_scikit_learn():
    from sklearn.metrics import cohen_kappa_score

    rng = random.Random(1)
    made = [pair(rng.choice(NAMES[:4]), rng.choice(NAMES[:3])) for _ in range(80)]
    made += [pair(mood, mood) for mood in rng.choices(NAMES, k=60)]
    expected = cohen_kappa_score([each.first_label for each in made], [each.second_label for each in made])
    assert kappa(made).value == pytest.approx(expected)


def test_kappa_interval_with_one_face_per_visitor_is_the_large_sample_interval():
    found = kappa(pairs_of(PATIENTS))
    p = np.array(PATIENTS) / 100
    error = fleiss_standard_error(p, 100)
    assert round(found.value, 3) == 0.676 and round(error, 3) == 0.088, "as the book has them"
    half = 1.9842 * error * math.sqrt(100 / 99)  # Student's t of 99, and the variance's n - 1
    assert found.high - found.value == pytest.approx(half, rel=1e-4) == found.value - found.low


def test_all_faces_of_a_visitor_count_as_one_vote():
    alike = [pair("sad", "fear", visitor="same") for _ in range(50)]
    others = [pair("sad", "sad"), pair("fear", "fear"), pair("happy", "happy")]
    found = agreement([*alike, *others], "m")
    assert found.labellers.value == 0.75 and found.labellers.k == 3 and found.labellers.n == 53
    once = kappa([alike[0], *others])
    assert astuple(kappa([*alike, *others])) == pytest.approx(astuple(once))


def test_kappa_interval_covers_the_truth_although_visitors_differ():
    rng = np.random.default_rng(7)

    def drawn(visitors: int) -> list[LabelPair]:
        made = []
        for _ in range(visitors):
            visitor, hard = f"v{next(numbers)}", rng.beta(2, 1)
            for _ in range(rng.integers(1, 5)):
                truth = NAMES[rng.choice(4, p=[0.5, 0.25, 0.15, 0.1])]
                said = [truth if rng.random() < hard else NAMES[rng.integers(4)] for _ in range(2)]
                made.append(pair(*said, visitor=visitor))
        return made

    truth = kappa(drawn(5_000)).value
    inside = [found.low <= truth <= found.high for found in (kappa(drawn(60)) for _ in range(200))]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_the_model_is_measured_by_both_labels_of_the_same_faces():
    made = [pair("happy", "happy") for _ in range(20)] + [pair("happy", "sad") for _ in range(10)]
    found = agreement(made, "m")
    assert found.labellers.value == pytest.approx(20 / 30) and found.of_champion
    assert found.model.value == pytest.approx((20 + 10 * 0.5) / 30)
    assert found.model.low < found.model.value < found.model.high


def test_another_models_faces_are_used_until_the_champion_has_enough():
    older = [pair("sad", "sad", model="older") for _ in range(40)]
    few = [pair("happy", "happy") for _ in range(ENOUGH_PAIRS - 1)]
    found = agreement([*older, *few], "m")
    assert (
        not found.of_champion
        and found.labellers.n == 69
        and "the models so far agree" in words.on_agreement(found)
    )
    found = agreement([*older, *few, pair("happy", "happy")], "m")
    assert found.of_champion and found.labellers.n == 30 and "the model agrees" in words.on_agreement(found)


@pytest.mark.parametrize(
    "made", [[], [pair("sad", "sad")], [pair("sad", "fear")]], ids=["none", "one", "differ"]
)
def test_with_too_few_faces_the_sentence_gives_the_number_missing(made):
    found = agreement(made, "m")
    assert found.ceiling is None and found.missing == ENOUGH_PAIRS - len(made)
    assert f"{len(made)} of 30 faces" in words.on_agreement(found)
    assert set(agreement_row(found)) == set(agreement_row(agreement(pairs_of(PATIENTS), "m")))


def test_sentence_gives_agreement_kappa_and_the_models_agreement():
    said = words.on_agreement(agreement(pairs_of(PATIENTS), "m"))
    assert said.startswith("Labellers agree on 89% (κ 0.68, 0.50 to 0.85); the model agrees with them on ")


def test_full_agreement_still_has_an_interval():
    found = kappa([pair(mood, mood) for mood in ("sad", "happy") * 20])
    assert found.value == found.high == 1.0 and 0.7 < found.low < 0.95
    assert kappa([pair("sad", "sad") for _ in range(40)]) is None, "no agreement beyond chance is possible"


def test_labeller_who_often_disagrees_with_the_others_is_named():
    rng = random.Random(3)
    made = []
    for by in [("ann", "ben"), ("ben", "cat"), ("cat", "ann")] * 10:
        mood = rng.choice(NAMES)
        made.append(pair(mood, mood, by=by))
    for other in ("ann", "ben", "cat") * 4:
        made.append(pair("sad", "happy", by=(other, "mallory")))
    (found,) = outliers(made)
    assert found.labeller == "mallory" and found.theirs.value == 0 and found.others.value == 1
    assert found.theirs.n == 12 and found.others.n == 30


def test_two_labellers_who_only_disagree_with_each_other_are_not_named():
    assert outliers([pair("sad", "happy") for _ in range(50)]) == []


def test_random_disagreement_names_nobody():
    rng = random.Random(5)
    names = ["ann", "ben", "cat", "dan", "eve"]
    named = 0
    for _ in range(60):
        made = []
        for _ in range(80):
            mood = rng.choice(NAMES)
            said = [mood if rng.random() < 0.8 else rng.choice(NAMES) for _ in range(2)]
            made.append(pair(*said, by=tuple(rng.sample(names, 2))))
        named += bool(outliers(made))
    assert named <= 6
