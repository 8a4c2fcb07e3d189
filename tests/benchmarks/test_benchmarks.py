"""The benchmarks run at a small size; their results are in benchmarks/README.md."""

import pytest

from benchmarks.harness.record import table, write
from vibecheck.vision.classifier import EMBEDDED

# Benchmarks are imported where they are tested, which takes seconds; quick runs collect this file as well.


def test_dashboard_benchmark_measures_each_step(tmp_path):
    from benchmarks.store import run

    rows = run(300, tmp_path)
    assert rows[0]["step"].startswith("all time, cold") and len(rows) == 6
    assert all(row["cpu_s"] > 0 and row["rss_growth_mb"] > 0 for row in rows)
    assert run(300, tmp_path)[0]["step"] == rows[0]["step"], "what is there is measured again"


def test_noise_benchmark_promotes_nothing():
    from benchmarks import noise

    (found,) = noise.run(20, 200)
    assert found["runs"] == 20 and found["promoted"] == 0


def test_vibe_check_benchmark_measures_with_and_without_a_shadow_model():
    from benchmarks import shadow

    without, beside = shadow.run(EMBEDDED, 2, blocks=2, every=0.6)
    assert (without["shadow readings"], beside["vibe checks"]) == (0, 2) and beside["shadow readings"] > 0
    assert 0 < without["median ms"] <= without["p95 ms"]


def test_growth_benchmark_measures_each_size(tmp_path):
    from benchmarks import growth

    rows = growth.run([100, 300], postgres="postgresql+psycopg://nobody@127.0.0.1:9/none")
    assert [(row["database"], row["vibe_checks"]) for row in rows] == [("SQLite", 100), ("SQLite", 300)]
    assert all(row["checks_per_s"] > 0 and row["dashboard_all_ms"] > 0 for row in rows)


def test_recordings_at_every_rate_have_the_same_length():
    from benchmarks.harness.clip import SECONDS, encodings

    found = encodings((5, 10))
    assert {rate: len(frames) for rate, frames in found.items()} == {5: 5 * SECONDS, 10: 10 * SECONDS}


def test_many_visitors_benchmark_counts_readings_and_leaves_few_threads(monkeypatch):
    """The real app, real pages, real WebRTC: what each gets is counted at both ends."""
    from benchmarks import many_visitors

    monkeypatch.setattr(many_visitors, "SETTLE", 1.0)
    monkeypatch.setattr(many_visitors, "WARM_UP", many_visitors.AT_ONCE)
    monkeypatch.setattr(many_visitors, "REMEMBERED", 1)
    monkeypatch.setattr(many_visitors, "COLLECT_EVERY", 0.0)
    here, gone = many_visitors.run([2], seconds=2, joins=2, fps=5)
    assert here["visitors"] == 2 and here["frames_sent_per_s"] > 0
    assert here["readings_per_s"] > 0 and 0 < here["fairness"] <= 1
    assert here["cores_per_visitor"] > 0
    assert gone["visitors"] == 2 and gone["threads_leaked"] <= 5


def test_figures_are_written_into_their_section_of_the_readme(tmp_path):
    file = tmp_path / "README.md"
    file.write_text("# B\n\n<!-- live -->\nold\n<!-- /live -->\n\nafter\n")
    write("live", [{"step": "a|b", "p50_ms": 1234.56, "none": None}, {"step": "c", "more": True}], file)
    text = file.read_text()
    assert "old" not in text and text.startswith("# B\n") and text.endswith("<!-- /live -->\n\nafter\n")
    assert "| a\\|b | 1,235 |  |  |" in text and "| c |  |  | True |" in text
    assert "Python 3" in text and "commit" in text
    write("live", [{"step": "again"}], file)
    assert file.read_text().count("commit") == 1
    with pytest.raises(LookupError, match="<!-- store -->"):
        write("store", [], file)


def test_table_has_one_line_per_row():
    assert table([{"a": 1, "b": "x"}]).splitlines() == ["| a | b |", "| --- | --- |", "| 1 | x |"]
