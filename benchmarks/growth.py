"""Scaling with the number of records: writes, labels, and the dashboard's data, in each database."""

import timeit
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from benchmarks.harness.history import fill
from benchmarks.store import DAYS, model_status, page
from vibecheck.records.db.connect import open_database
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.settings import Settings
from vibecheck.vision.faces import Face, FaceQuality

# A server on this machine, through its Unix socket.
POSTGRES = "postgresql+psycopg:///postgres?host=/var/run/postgresql"
WRITES = 200
LANDMARKS = ((100.0, 120.0), (220.0, 120.0), (160.0, 170.0), (110.0, 220.0), (210.0, 220.0))


def run(sizes: Sequence[int], postgres: str = POSTGRES) -> list[dict]:
    """A row for each database and number of vibe checks; each holds an eighth as many labels.

    Postgres is skipped if no local server accepts this user.
    """
    rows = []
    for size in sizes:
        with TemporaryDirectory() as name:
            rows.append(_measure("SQLite", size, f"sqlite:///{name}/vibecheck.db", Path(name)))
        with TemporaryDirectory() as name, _schema(postgres) as url:
            if url:
                rows.append(_measure("Postgres", size, url, Path(name)))
    return sorted(rows, key=lambda row: row["database"], reverse=True)


def _measure(kind: str, size: int, url: str, folder: Path) -> dict:
    """Fill an empty database, then time what the app does with it."""
    settings = Settings(data=folder, database_url=url)
    store = Store.open(settings.records_url, settings.images_url)
    try:
        engine = open_database(settings.records_url)
        fill(engine, size, DAYS, datetime.now(UTC), pictured=True)
        if kind == "Postgres":
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("ANALYZE"))  # the server does so by itself within a minute
        added = [_example() for _ in range(WRITES)]
        now = datetime.now(UTC)
        row = {"database": kind, "vibe_checks": size}
        row["checks_per_s"] = _rate(lambda each: store.add(each, None), added)
        row["labels_per_s"] = _rate(lambda each: store.label(each.id, "sad", "volunteered", None, now), added)
        page(engine, "week")  # warm-up: imports
        for name, what in {
            "dashboard_week_ms": lambda: page(engine, "week"),
            "dashboard_all_ms": lambda: page(engine, "all"),
            "model_status_ms": lambda: model_status(engine),
            "label_queues_ms": lambda: (store.queues.next("useful", 10), store.queues.next("random", 10)),
        }.items():
            row[name] = _ms(what)
        return row
    finally:
        engine.dispose()
        store.close()


def _example() -> Prediction:
    quality = FaceQuality(light=120.0, blur=300.0, size=220.0, yaw=-4.5, roll=2.0)
    face = Face(60.0, 50.0, 200.0, 220.0, LANDMARKS, 0.9)
    shares = (0.05, 0.05, 0.05, 0.7, 0.05, 0.05, 0.05)
    return Prediction(
        uuid4().hex, datetime.now(UTC), "live", "happy", 0.7, shares, "face-3", "a1b2", face, quality, 12.5,
        audit=False, picture_kept=False,
    )  # fmt: skip


def _rate(what: Callable[[Prediction], object], each: Sequence[Prediction]) -> float:
    return len(each) / timeit.timeit(lambda: [what(one) for one in each], number=1)


def _ms(what: Callable[[], object]) -> float:
    """The fastest of three: other work on the machine only ever adds."""
    return 1000 * min(timeit.repeat(what, repeat=3, number=1))


@contextmanager
def _schema(server: str) -> Iterator[str]:
    """The URL of an empty schema on a server, dropped afterwards; an empty string without a server."""
    engine = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 5})
    name = f"vibecheck_benchmark_{uuid4().hex}"
    try:
        with engine.connect() as connection:
            connection.execute(text(f"CREATE SCHEMA {name}"))
    except OperationalError:
        engine.dispose()
        yield ""
        return
    try:
        url = make_url(server).update_query_dict({"options": f"-c search_path={name}"})
        yield url.render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()
