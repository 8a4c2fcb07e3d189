"""Time and memory of the dashboard's data on a large database."""

import json
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from sqlalchemy import Engine

DAYS = 3 * 365
MB = 1_000_000


@dataclass(frozen=True)
class Measured:
    """One step: wall time, CPU time, and growth of resident memory since the process started."""

    step: str
    wall_s: float
    cpu_s: float
    rss_growth_mb: float


def run(predictions: int, folder: Path | None) -> list[dict]:
    """Fills a SQLite file where `folder` has none, then measures in a process of its own."""
    with tempfile.TemporaryDirectory() as temporary:
        place = folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        file = place / "vibecheck.db"
        if not file.is_file():
            _fill(file, predictions)
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            return [asdict(row) for row in pool.submit(measure, file).result()]


def measure(file: Path) -> list[Measured]:
    """What the dashboard queries and computes: first in a new process, then with other filters."""
    from vibecheck.records.db.connect import open_database

    engine = open_database(f"sqlite:///{file}")
    process = psutil.Process()
    before = process.memory_info().rss
    rows: list[Measured] = []

    def timed(step: str, what: Callable[[], object]) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        what()
        grown = (process.memory_info().rss - before) / MB
        rows.append(Measured(step, time.perf_counter() - wall, time.process_time() - cpu, grown))

    def cold() -> None:
        model_status(engine)
        page(engine, "all")

    timed("all time, cold (with imports)", cold)
    timed("this week", lambda: page(engine, "week"))
    timed("4 weeks", lambda: page(engine, "4 weeks"))
    timed("12 weeks, one model", lambda: page(engine, "12 weeks", "demo-3"))
    timed("all time, one source", lambda: page(engine, "all", None, "live"))
    timed("model status", lambda: model_status(engine))
    return rows


def page(engine: "Engine", period: str, model: str | None = None, source: str | None = None) -> None:
    """Everything on the page except Streamlit: queries, statistics, text, charts as JSON, picture ids.

    The model status does not depend on the filters, and the page caches it for a minute.
    """
    from vibecheck.analytics import charts, markup, time_charts
    from vibecheck.analytics.overview import compute_overview
    from vibecheck.records.stats.queries import StatisticsQueries

    counting = StatisticsQueries(engine)
    found = compute_overview(counting, datetime.now(UTC).date(), period, model, source)
    counting.mistakes(found.scope, 14)
    counting.least_sure(found.scope, 14)
    drawn = [
        time_charts.accuracy_line(found.line, (), "week"),
        charts.confusion_matrix(found.confusion),
        charts.pair_bars(found.confusion),
        charts.reliability(found.calibration),
        charts.confidence_histogram(found.calibration),
        time_charts.volume(found.days),
        *map(charts.drift_bars, found.drift.shifts[:1]),
    ]
    for chart in drawn:
        json.dumps(chart)
    markup.slice_rows(found.slices)


def model_status(engine: "Engine") -> None:
    from vibecheck.analytics.overview import compute_model_status
    from vibecheck.records.labels.trainable import TrainableLabels
    from vibecheck.records.stats.queries import StatisticsQueries
    from vibecheck.vision.manifest import Manifest

    compute_model_status(
        StatisticsQueries(engine),
        TrainableLabels(engine),
        Manifest(version="demo-3", promised_accuracy=0.8),
        datetime.now(UTC).date(),
    )


def _fill(file: Path, predictions: int) -> None:
    from benchmarks.harness.history import fill
    from vibecheck.records.db.connect import open_database

    engine = open_database(f"sqlite:///{file}")
    fill(engine, predictions, DAYS, datetime.now(UTC))
    engine.dispose()
