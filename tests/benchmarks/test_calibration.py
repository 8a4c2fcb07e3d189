"""The simulated deployments of the benchmark: what is planted shows in their rows."""

import numpy as np
import pytest

from benchmarks.calibration import FEWEST_FACES, MIXES, NATURAL, Answers, _deployment, run
from tests.analytics.test_calibration_fit import miscalibrated


@pytest.mark.quick
def test_calibration_benchmark_shows_overconfidence_only_without_calibration():
    said, truth = miscalibrated(3000, 2.5, 20)
    row = _deployment(Answers("planted", said, truth, np.ones(3000)), MIXES[0], 1)
    assert row["as shipped"] > 0.2 and row["200 audits"] < 0.06
    assert row["50 audits"] < row["as shipped"] and row["adopted"] == "1 of 1"


@pytest.mark.quick
def test_balanced_sample_leaves_out_a_mood_with_few_faces():
    truth = np.repeat(np.arange(7), [500, 200, 200, 200, 200, 200, FEWEST_FACES - 1])
    faces = Answers("some", np.full((len(truth), 7), 1 / 7), truth, np.ones(len(truth)))
    mixed, weights = faces.mixed(MIXES[1])
    sums = np.bincount(mixed.truth, weights, minlength=7)
    assert sums[:6] == pytest.approx(sums[0]) and sums[6] == 0


@pytest.mark.quick
def test_missing_data_is_named(tmp_path):
    rows, ways, missing = run(tmp_path, 1, tmp_path)
    assert (rows, ways) == ([], []) and str(NATURAL) in missing
