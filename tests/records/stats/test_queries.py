"""The dashboard's queries, compared with counts of the same records in plain Python."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import astuple
from datetime import date, timedelta

import pytest

from tests.databases import new_postgres, open_store
from tests.records.examples import JPEG, NOON, PLAY, a_prediction
from tests.records.rows import bin_of, engine_of
from vibecheck.emotions import NAMES
from vibecheck.models.registry import Registry
from vibecheck.records.stats import queries
from vibecheck.records.stats.bins import CONFIDENCE, SIGNALS, Signal
from vibecheck.records.stats.results import LabelTally, Scope, VisitorTally
from vibecheck.records.stats.steps import STEPS, first_day
from vibecheck.records.store import Store
from vibecheck.records.values import Feedback, Prediction
from vibecheck.settings import Settings

ALL = Scope()
SCOPES = [ALL, Scope(date(2026, 2, 2), date(2026, 2, 4)), Scope(model_version="b"), Scope(source="photo")]
Known = list[tuple[Prediction, Feedback | None]]


def fill(store: Store) -> Known:
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
            visitor=rng.choice("stuvwxyz"),
        )
        store.add(prediction, JPEG)
        label = None
        if number % 2:
            source = "audit" if number % 3 else "volunteered"
            label = store.label(prediction.id, rng.choice(NAMES), source, None, prediction.made_at)
        store.played(prediction.id, again=number % 5 == 0, now=prediction.made_at, **PLAY)
        found.append((prediction, label))
    return found


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def history(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[tuple[Store, Known]]:
    """A filled store for the tests that only read, in each kind of database in turn."""
    folder = tmp_path_factory.mktemp("history")
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{folder / 'vibecheck.db'}"
        else:
            server, template = map(request.getfixturevalue, ("postgres_server", "postgres_template"))
            url = stack.enter_context(new_postgres(server, template)).render_as_string(hide_password=False)
        store = open_store(Settings(data=folder, database_url=url))
        stack.callback(store.close)
        yield store, fill(store)


@pytest.fixture
def filled(history: tuple[Store, Known]) -> Store:
    return history[0]


@pytest.fixture
def known(history: tuple[Store, Known]) -> Known:
    return history[1]


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


def signal_of(prediction: Prediction, signal: Signal) -> float:
    return prediction.confidence if signal is CONFIDENCE else getattr(prediction.quality, signal.column)


def tallied(answers: Known) -> VisitorTally:
    """The tally of audits, counted one by one."""
    mine: dict[str, list[bool]] = defaultdict(list)
    for p, f in answers:
        mine[p.visitor or p.id].append(p.mood == f.label)
    shares = [sum(each) / len(each) for each in mine.values()]
    right = [each for answers in mine.values() for each in answers]
    return VisitorTally(len(right), sum(right), len(mine), sum(shares), sum(share**2 for share in shares))


def close(tally: VisitorTally) -> object:
    return pytest.approx(astuple(tally))


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_answers_cells_days_and_plays_match_a_count_in_python(filled, known, scope):
    here = inside(known, scope)
    asked = audits(here)
    ask = filled.statistics
    assert astuple(ask.audits(scope).tally()) == close(tallied(asked))
    counts = {moods: n for moods, (n, _) in ask.audits(scope).cells().items()}
    assert counts == Counter((f.label, p.mood) for p, f in asked)
    assert sum(d.n for d in ask.days(scope)) == len(here)
    assert sum(d.audits for d in ask.days(scope)) == sum(p.audit for p, _ in here)
    n = Counter(f.source for p, f in here if f)
    right = Counter(f.source for p, f in here if f and f.label == p.mood)
    assert ask.answers(scope) == {kind: LabelTally(n[kind], right[kind], n[kind]) for kind in n}
    plays = {each.mood: (each.predictions, each.plays) for each in ask.plays(scope)}
    assert plays == {mood: (n, n) for mood, n in Counter(p.mood for p, _ in here).items()}


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_groups_are_tallied_against_all_others(filled, known, scope):
    asked = audits(inside(known, scope))
    groups = filled.statistics.audits(scope).groups()
    for signal in SIGNALS:
        names = dict(index for name, bins in signal.groups for index in [(bin_, name) for bin_ in bins])
        places = [names[bin_of(signal, signal_of(p, signal))] for p, _ in asked]
        for name in set(places):
            mine = [each for each, place in zip(asked, places, strict=True) if place == name]
            rest = [each for each, place in zip(asked, places, strict=True) if place != name]
            found = tuple(map(astuple, groups[signal.column, name]))
            assert found == (close(tallied(mine)), close(tallied(rest)))
    for what, value in (("mood", "mood"), ("source", "source"), ("model_version", "model_version")):
        for name in {getattr(p, value) for p, _ in asked}:
            mine = [each for each in asked if getattr(each[0], value) == name]
            rest = [each for each in asked if getattr(each[0], value) != name]
            found = tuple(map(astuple, groups[what, name]))
            assert found == (close(tallied(mine)), close(tallied(rest)))


def test_audits_are_tallied_by_model_version(filled, known):
    versions = filled.statistics.audits(ALL).by_version()
    asked = audits(known)
    assert set(versions) == {p.model_version for p, _ in asked}
    for version, found in versions.items():
        mine = [each for each in asked if each[0].model_version == version]
        assert astuple(found.tally()) == close(tallied(mine))
        assert found.bins() == filled.statistics.audits(Scope(model_version=version)).bins()


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_each_visitor_has_one_vote_in_bins_cells_and_pairs(filled, known, scope):
    asked = audits(inside(known, scope))
    votes = {id(p): 1 / sum(o.visitor == p.visitor for o, _ in asked) for p, _ in asked}
    found = filled.statistics.audits(scope)
    bins = found.bins()
    assert sum(each.tally.n for each in bins) == len(asked)
    for each in bins:
        mine = [(p, f) for p, f in asked if bin_of(CONFIDENCE, p.confidence) == each.number]
        assert astuple(each.tally) == close(tallied(mine))
        assert each.weight == pytest.approx(sum(votes[id(p)] for p, _ in mine))
        assert each.right == pytest.approx(sum(votes[id(p)] for p, f in mine if p.mood == f.label))
        assert each.confidence == pytest.approx(sum(votes[id(p)] * p.confidence for p, _ in mine))
    for (label, mood), cell in found.cells().items():
        row = [(p, f) for p, f in asked if f.label == label]
        mine = [p for p, _ in row if p.mood == mood]
        weight = sum(1 / sum(o.visitor == p.visitor for o, _ in row) for p in mine)
        assert cell == (len(mine), pytest.approx(weight))
    wrong = [(p, f) for p, f in asked if p.mood != f.label]
    confused = found.confused()
    assert sum(tally.correct for tally in confused.values()) == len(wrong)
    for moods, tally in confused.items():
        pair = set(moods)
        shares = {
            v: sum({p.mood, f.label} == pair for p, f in wrong if p.visitor == v)
            / sum(p.visitor == v for p, _ in wrong)
            for v in {p.visitor for p, _ in wrong}
        }
        assert tally.shares == pytest.approx(sum(shares.values()))
        assert tally.correct == sum({p.mood, f.label} == pair for p, f in wrong)
        assert (tally.n, tally.visitors) == (len(wrong), len(shares))


@pytest.mark.parametrize(
    "scope", [*SCOPES, Scope(model_version="c")], ids=["all", "days", "model", "source", "none"]
)
def test_mix_counts_the_moods_and_the_bins_of_each_day(filled, known, scope):
    days = defaultdict(list)
    for p, _ in inside(known, scope):
        days[p.made_at.date()].append(p)
    mix = filled.statistics.mix(scope)
    expected = [[sum(p.mood == name for p in days[day]) for name in NAMES] for day in sorted(days)]
    assert mix.moods.tolist() == expected
    for signal in SIGNALS:
        bins = range(len(signal.names))
        expected = [
            [sum(bin_of(signal, signal_of(p, signal)) == number for p in days[day]) for number in bins]
            for day in sorted(days)
        ]
        assert mix.signals[signal.column].tolist() == expected


def test_visitor_whose_answers_are_fetched_in_several_parts_has_one_vote(filled, known, monkeypatch):
    monkeypatch.setattr(queries, "ROWS", 2)
    assert astuple(filled.statistics.audits(ALL).tally()) == close(tallied(audits(known)))


def test_days_are_selected_after_a_query_as_in_one(filled):
    for first, last in ((date(2026, 2, 2), date(2026, 2, 4)), (date(2026, 2, 3), None), (None, None)):
        found = filled.statistics.audits(ALL).between(first, last)
        assert found.tally() == filled.statistics.audits(Scope(first, last)).tally()
        assert found.bins() == filled.statistics.audits(Scope(first, last)).bins()


def test_without_answers_there_are_no_figures(filled):
    nothing = filled.statistics.audits(Scope(model_version="another"))
    assert nothing.tally() == VisitorTally() and nothing.bins() == []
    empty = nothing.by_step("day", NOON.date()), nothing.cells(), nothing.confused(), nothing.groups()
    assert empty == ({}, {}, {}, {}) and nothing.by_version() == {}


@pytest.mark.parametrize("step", STEPS)
def test_audits_are_tallied_by_the_first_day_of_their_step(filled, known, step):
    last = known[-1][0].made_at.date()
    by_start = defaultdict(list)
    for p, f in audits(known):
        by_start[first_day(p.made_at.date(), last, step)].append((p, f))
    found = filled.statistics.audits(ALL).by_step(step, last)
    assert set(found) == set(by_start)
    for start, mine in by_start.items():
        assert astuple(found[start]) == close(tallied(mine))


@pytest.mark.parametrize("scope", SCOPES, ids=["all", "days", "model", "source"])
def test_examples_are_ordered_by_confidence(filled, known, scope):
    here, ask = inside(known, scope), filled.statistics
    unsure = [each.prediction_id for each in ask.least_sure(scope, 3)]
    assert unsure == [p.id for p, _ in sorted(here, key=lambda each: each[0].confidence)][:3]
    wrong = sorted((-p.confidence, p.id) for p, f in here if f and f.label != p.mood)
    assert [each.prediction_id for each in ask.mistakes(scope, 4)] == [each for _, each in wrong][:4]


def test_confusion_matrix_cell_lists_exactly_its_audits(filled, known):
    for (label, mood), (n, _) in filled.statistics.audits(ALL).cells().items():
        found = filled.statistics.mistakes(ALL, 99, label, mood)
        assert len(found) == n
        assert {(each.kind, each.label, each.mood) for each in found} == {("audit", label, mood)}


def test_model_versions_list_their_dates_count_and_latency(filled, known):
    versions = filled.statistics.versions()
    assert {version.version for version in versions} == {"a", "b"}
    for version in versions:
        mine = [p for p, _ in known if p.model_version == version.version]
        assert version.n == len(mine)
        assert version.first_used_at == mine[0].made_at and version.last_day == mine[-1].made_at.date()
        assert version.latency_ms == pytest.approx(sum(p.latency_ms for p in mine) / len(mine))
    assert filled.statistics.sources() == ["live", "photo"]


def test_doubtful_labels_are_those_the_model_confidently_contradicts(store):
    known, ask = fill(store), store.trainable
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


def test_labels_without_a_picture_are_never_listed_as_doubtful(store):
    seen, unseen = a_prediction(picture_kept=True), a_prediction()
    store.add(seen, JPEG)
    store.add(unseen, None)
    for prediction in (seen, unseen):
        store.label(prediction.id, "sad", "volunteered", None, NOON)
    number, found = store.trainable.suspects(dict.fromkeys(NAMES, 0.1), 9)
    assert number == 1 and [each.prediction_id for each in found] == [seen.id]
    assert store.trainable.suspects(dict.fromkeys(NAMES, 0.1), 9, NOON)[0] == 1
    assert store.trainable.suspects(dict.fromkeys(NAMES, 0.1), 9, NOON + timedelta(seconds=1))[0] == 0


def test_model_is_live_since_its_promotion_or_its_first_prediction(store):
    registry = Registry(engine_of(store))
    store.add(a_prediction(model_version="used", made_at=NOON), None)
    assert store.statistics.live_since("used") == NOON and store.statistics.live_since("never") is None
    registry.register("used", "here", "/nowhere", {}, NOON)
    registry.begin("used", "The first.", NOON + timedelta(days=2))
    assert store.statistics.live_since("used") == NOON + timedelta(days=2)
    assert store.trainable.trained_at("used") is None
    registry.register("tuned", "here", "/nowhere", {}, NOON, ["f" * 32])
    assert store.trainable.trained_at("tuned") == NOON and store.statistics.live_since("tuned") is None


def test_mean_probability_is_grouped_by_label(filled, known):
    means = filled.trainable.mean_label_probability()
    given = [(f.label, p.probabilities[NAMES.index(f.label)]) for p, f in known if f]
    assert means.keys() == {label for label, _ in given}
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
    store.label(relabelled.id, "sad", "labeller", "a", NOON, "random")
    drawn = store.statistics.drawn(ALL)
    found = drawn.tally()
    assert (found.n, found.correct) == (2, 1)
    assert drawn.by_step("day", NOON.date()) == {NOON.date(): found}


def test_at_most_three_answers_per_visitor_and_day_count(store):
    """The first three by when they were given; deleting one of them lets the fourth count."""
    made = [a_prediction(made_at=NOON, audit=True, visitor="keen") for _ in range(5)]
    other = a_prediction(made_at=NOON, audit=True, visitor="other")
    tomorrow = a_prediction(made_at=NOON + timedelta(days=1), audit=True, visitor="keen")
    for minute, prediction in enumerate([*made, other, tomorrow]):
        store.add(prediction, None)
        store.label(prediction.id, "happy", "audit", None, NOON + timedelta(minutes=minute))
    assert store.statistics.audits(ALL).tally() == VisitorTally(5, 5, 2, 2.0, 2.0)
    assert store.statistics.answers(ALL) == {"audit": LabelTally(5, 5, 7)}
    counted = {each.prediction_id for each in store.statistics.mistakes(ALL, 99, "happy", "happy")}
    assert counted == {each.id for each in [*made[:3], other, tomorrow]}
    store.forget([made[0].id], NOON)
    counted = {each.prediction_id for each in store.statistics.mistakes(ALL, 99, "happy", "happy")}
    assert counted == {each.id for each in [*made[1:4], other, tomorrow]}


def test_a_hostile_visitor_moves_the_headline_by_one_vote(store):
    for number in range(20):
        prediction = a_prediction(made_at=NOON, audit=True, visitor=f"honest {number}")
        store.add(prediction, None)
        store.label(prediction.id, "happy" if number % 4 else "sad", "audit", None, NOON)
    for number in range(20):
        prediction = a_prediction(made_at=NOON + timedelta(seconds=number), audit=True, visitor="hostile")
        store.add(prediction, None)
        store.label(prediction.id, "sad", "audit", None, NOON + timedelta(seconds=number))
    found = store.statistics.audits(ALL).tally()
    assert (found.n, found.visitors) == (23, 21) and found.shares / found.visitors == pytest.approx(15 / 21)
