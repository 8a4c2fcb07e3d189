"""The measurements run, at a size that takes no time; what they find is in benchmarks/README.md."""

from benchmarks import noise
from benchmarks.store import run


def test_the_dashboards_data_is_measured_step_by_step(tmp_path):
    rows = run(300, 100, tmp_path)
    assert rows[0]["step"].startswith("all, cold") and len(rows) == 6
    assert all(row["cpu_s"] > 0 and row["grown_mb"] > 0 for row in rows)
    assert run(300, 100, tmp_path)[0]["step"] == rows[0]["step"], "what is there is measured again"


def test_labels_that_are_pure_noise_promote_nothing():
    (found,) = noise.run(20, 200)
    assert found["runs"] == 20 and found["promoted"] == 0
