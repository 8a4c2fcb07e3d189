"""Every question of the dashboard, against a count of the same records in plain Python."""

import random
from collections import Counter
from datetime import date, timedelta

import pytest

from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import engine_of
from vibecheck.emotions import NAMES
from vibecheck.models.registry import Registry
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS
from vibecheck.records.stats.results import Scope
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback, Prediction

ALL = Scope()
SCOPES = [ALL, Scope(date(2026, 2, 2), date(2026, 2, 4)), Scope(model_version="b"), Scope(source="photo")]
Known = list[tuple[Prediction, Feedback | None]]


@pytest.fixture
def known(store: Store) -> Known:
    """Forty predictions; every second one has a label, of which some are audits."""
    rng, found = random.Random(5), []
    for number in range(40):
        shares = [rng.random() ** 4 for _ in NAMES]
        shares = tuple(each / sum(shares) for each in shares)
        prediction = a_prediction(
            made_at=NOON + timedelta(hours=4 * number),
            probabilities=shares,
            confidence=max(shares),
            mood=NAMES[shares.index(max(shares))],
            model_version=rng.choice("ab"),
            source=rng.choice(["live", "photo"]),
            audit=number % 4 != 0,
            latency_ms=float(number),
            picture_kept=True,
        )
        store.add(prediction, JPEG)
        label = None
        if number % 2:
            source = "audit" if number % 3 else "volunteered"
            label = store.label(prediction.id, rng.choice(NAMES), source, None, prediction.made_at)
        store.played(prediction.id, again=number % 5 == 0, now=prediction.made_at, **PLAY)
        found.append((prediction, label))
    return found


def inside(known: Known, scope: Scope) -> Known:
    return [
        (p, f)
        for p, f in known
        if (scope.since or date.min) <= p.made_at.date() <= (scope.until or date.max)
        and scope.model_version in (None, p.model_version)
        and scope.source in (None, p.source)
    ]


def audits(known: Known) -> list[tuple[Prediction, Feedback]]:
    return [(p, f) for p, f in known if f and f.source == "audit"]


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_answers_are_counted_as_they_are(store, known, scope):
    here = inside(known, scope)
    asked = audits(here)
    ask = store.statistics
    assert {(c.label, c.mood): c.n for c in ask.cells(scope)} == Counter((f.label, p.mood) for p, f in asked)
    assert sum(d.n for d in ask.days(scope)) == len(here)
    assert sum(d.audits for d in ask.days(scope)) == sum(p.audit for p, _ in here)
    kinds = Counter((p.made_at.date(), f.source, f.label == p.mood) for p, f in here if f)
    for answer in ask.answers(scope):
        right = kinds[answer.day, answer.kind, True]
        assert (answer.correct, answer.n) == (right, right + kinds[answer.day, answer.kind, False])
    groups = {(g.what, g.name): (g.n, g.correct) for g in ask.groups(scope)}
    for signal in SIGNALS:
        values = [
            (p.confidence if signal is CONFIDENCE else getattr(p.quality, signal.column), p, f)
            for p, f in asked
        ]
        names = Counter(signal.names[signal.bin(value)] for value, _, _ in values)
        assert {n: c[0] for (what, n), c in groups.items() if what == signal.column} == names
    assert sum(n for (what, _), (n, _) in groups.items() if what == "source") == len(asked)
    bins = ask.bins(scope)
    assert sum(b.n for b in bins) == len(asked)
    assert sum(b.correct for b in bins) == sum(p.mood == f.label for p, f in asked)
    assert sum(b.confidence_sum for b in bins) == pytest.approx(sum(p.confidence for p, _ in asked))
    plays = {each.mood: (each.predictions, each.plays) for each in ask.plays(scope)}
    assert plays == {mood: (n, n) for mood, n in Counter(p.mood for p, _ in here).items()}


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_examples_come_in_their_order(store, known, scope):
    here, ask = inside(known, scope), store.statistics
    unsure = [each.prediction_id for each in ask.least_sure(scope, 3)]
    assert unsure == [p.id for p, _ in sorted(here, key=lambda each: each[0].confidence)][:3]
    wrong = sorted((-p.confidence, p.id) for p, f in here if f and f.label != p.mood)
    assert [each.prediction_id for each in ask.mistakes(scope, 4)] == [each for _, each in wrong][:4]


def test_a_cell_of_the_matrix_leads_to_exactly_its_audits(store, known):
    for cell in store.statistics.cells(ALL):
        found = store.statistics.mistakes(ALL, 99, cell.label, cell.mood)
        assert len(found) == cell.n
        assert {(each.kind, each.label, each.mood) for each in found} == {("audit", cell.label, cell.mood)}


def test_models_have_their_time_their_number_and_their_latency(store, known):
    for version in store.statistics.versions():
        mine = [p for p, _ in known if p.model_version == version.version]
        assert version.n == len(mine)
        assert version.first_used_at == mine[0].made_at and version.last_day == mine[-1].made_at.date()
        assert version.latency_ms == pytest.approx(sum(p.latency_ms for p in mine) / len(mine))
    assert store.statistics.span() == (known[0][0].made_at.date(), known[-1][0].made_at.date())
    assert store.statistics.sources() == ["live", "photo"]


def test_labels_in_doubt_are_those_the_model_contradicts_surely(store, known):
    ask = store.statistics
    sure = dict.fromkeys(NAMES, 0.5)
    expected = sorted(
        (p.probabilities[NAMES.index(f.label)], p.id)
        for p, f in known
        if f and f.label != p.mood and p.confidence >= 0.5
    )
    number, found = ask.suspects(sure, 2)
    assert (
        number == len(expected) > 2 and [each.prediction_id for each in found] == [i for _, i in expected][:2]
    )
    worst = found[0]
    store.label(worst.prediction_id, worst.label, "labeller", None, NOON)
    assert ask.suspects(sure, 2)[0] == number - 1, "what a labeller has looked at is settled"
    assert ask.suspects({}, 2) == (0, [])


def test_labels_without_a_picture_are_not_in_doubt_as_nobody_could_review_them(store):
    seen, unseen = a_prediction(picture_kept=True), a_prediction()
    store.add(seen, JPEG)
    store.add(unseen, None)
    for prediction in (seen, unseen):
        store.label(prediction.id, "sad", "volunteered", None, NOON)
    number, found = store.statistics.suspects(dict.fromkeys(NAMES, 0.1), 9)
    assert number == 1 and [each.prediction_id for each in found] == [seen.id]
    assert store.statistics.suspects(dict.fromkeys(NAMES, 0.1), 9, NOON)[0] == 1
    assert store.statistics.suspects(dict.fromkeys(NAMES, 0.1), 9, NOON + timedelta(seconds=1))[0] == 0


def test_a_model_is_live_since_its_promotion_or_else_its_first_prediction(store):
    registry = Registry(engine_of(store))
    store.add(a_prediction(model_version="used", made_at=NOON), None)
    assert store.statistics.live_since("used") == NOON and store.statistics.live_since("never") is None
    registry.register("used", "here", "/nowhere", {}, NOON)
    registry.begin("used", "The first.", NOON + timedelta(days=2))
    assert store.statistics.live_since("used") == NOON + timedelta(days=2)
    assert store.statistics.trained_at("used") is None
    registry.register("tuned", "here", "/nowhere", {}, NOON, ["f" * 32])
    assert store.statistics.trained_at("tuned") == NOON and store.statistics.live_since("tuned") is None


def test_the_mean_probability_of_labels_is_by_label(store, known):
    means = store.statistics.mean_label_probability()
    given = [(f.label, p.probabilities[NAMES.index(f.label)]) for p, f in known if f]
    for label, mean in means.items():
        mine = [share for name, share in given if name == label]
        assert mean == pytest.approx(sum(mine) / len(mine))


def test_only_labels_of_the_random_queue_were_drawn(store):
    random, useful, audit, relabelled = (a_prediction(made_at=NOON) for _ in range(4))
    for prediction in (random, useful, audit, relabelled):
        store.add(prediction, None)
    store.label(random.id, "happy", "labeller", "a", NOON, "random")
    store.label(useful.id, "sad", "labeller", "a", NOON, "useful")
    store.label(audit.id, "sad", "audit", "a", NOON)
    store.label(relabelled.id, "happy", "labeller", "a", NOON, "random")
    store.label(relabelled.id, "sad", "labeller", "b", NOON, "random")
    (answers,) = store.statistics.drawn(Scope())
    assert (answers.day, answers.kind, answers.n, answers.correct) == (NOON.date(), "random", 2, 1)
    assert store.statistics.drawn(Scope(model_version="another")) == []
