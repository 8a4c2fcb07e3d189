"""The synthetic world is plausible in the ways that the dashboard looks at."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from vibecheck.demo.world import LIVE_FROM, Plan, World, make
from vibecheck.emotions import NAMES

PLAN = Plan(until=datetime(2026, 11, 22, 18, tzinfo=UTC))
WEEK = 7 * 86400


@pytest.fixture(scope="module")
def world() -> World:
    return make(PLAN)


def right(world: World) -> np.ndarray:
    return world.probabilities.argmax(axis=1) == world.truth


def test_the_same_plan_makes_the_same_world_and_another_seed_another(world):
    again, other = make(PLAN), make(replace(PLAN, seed=2))
    assert np.array_equal(again.probabilities, world.probabilities) and np.array_equal(again.at, world.at)
    assert not np.array_equal(other.at, world.at)


@pytest.mark.parametrize(("checks", "days"), [(1, 2), (2, 2), (7, 3), (1000, 30), (20_000, 150)])
def test_world_has_the_planned_checks_in_order_and_in_time(checks, days):
    made = make(replace(PLAN, checks=checks, days=days))
    assert len(made.at) == len(made.truth) == checks
    assert (np.diff(made.at) >= 0).all()
    start = PLAN.until.timestamp() - days * 86400
    assert start <= made.at[0] and made.at[-1] <= PLAN.until.timestamp() - 1


def test_probabilities_are_seven_that_sum_to_one(world):
    assert world.probabilities.shape == (PLAN.checks, len(NAMES))
    assert np.allclose(world.probabilities.sum(axis=1), 1) and (world.probabilities >= 0).all()


def test_each_model_is_better_than_the_one_before(world):
    accuracies = [right(world)[world.version == version].mean() for version in range(len(LIVE_FROM))]
    assert 0.55 < accuracies[0] < accuracies[1] - 0.04 < accuracies[2] - 0.06 < 0.8


def test_confidence_is_slightly_too_high(world):
    confidence = world.probabilities.max(axis=1)
    for low in (0.4, 0.6, 0.8):
        chosen = (confidence >= low) & (confidence < low + 0.2)
        gap = confidence[chosen].mean() - right(world)[chosen].mean()
        assert 0 < gap < 0.12


@pytest.mark.parametrize("hard", ["dark", "small", "turned", "blurred"])
def test_hard_pictures_fail_more_often(world, hard):
    among = {
        "dark": world.light < 60,
        "small": world.size < 64,
        "turned": np.abs(world.yaw) > 25,
        "blurred": world.blur < 25,
    }[hard]
    assert among.sum() > 200
    assert right(world)[among].mean() < right(world)[~among].mean() - 0.1


def test_a_third_of_the_audits_are_answered_and_are_representative(world):
    answers = world.audit & world.answered
    assert answers.sum() / world.audit.sum() == pytest.approx(0.35, abs=0.02)
    assert right(world)[answers].mean() == pytest.approx(right(world).mean(), abs=0.03)
    last_week = answers & (world.at > world.at[-1] - WEEK)
    assert last_week.sum() > 30, "enough to say how good the model is this week"


def test_volunteered_labels_are_mostly_on_wrong_predictions(world):
    volunteered = ~world.audit & world.answered
    assert right(world)[volunteered].mean() < right(world).mean() - 0.3


def test_light_and_accuracy_drop_in_the_last_week(world):
    end = world.at[-1]
    last, before = world.at > end - WEEK, (world.at > end - 6 * WEEK) & (world.at < end - 3 * WEEK)
    assert right(world)[last].mean() < right(world)[before].mean() - 0.05
    assert world.light[last].mean() < world.light[before].mean() - 20
    happy = world.probabilities.argmax(axis=1) == NAMES.index("happy")
    assert happy[last].mean() < happy[before].mean() - 0.08


def test_there_are_many_visitors_and_some_return(world):
    people, visits = np.unique(world.visitor, return_counts=True)
    assert len(people) > 1000 and visits.max() > 50
    assert len(np.unique(world.visitor[world.kept])) > 100


def test_moods_depend_on_the_hour(world):
    hour = world.at // 3600 % 24
    neutral = world.truth == NAMES.index("neutral")
    assert neutral[hour < 11].mean() > neutral[hour >= 17].mean() + 0.04


def test_planned_number_of_pictures_is_kept(world):
    assert world.kept.sum() == PLAN.pictures
    few = make(replace(PLAN, checks=500))
    assert 0 < few.kept.sum() < 250
