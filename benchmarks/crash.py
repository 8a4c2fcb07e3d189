"""SIGKILL crash test: the app is killed repeatedly while visitors use it; nothing acknowledged may be lost.

Each visitor uploads a photo, makes a vibe check and labels it. The ids and acknowledgements that visitors
receive are noted as they arrive. After the last kill the records must hold all of them, once and complete.
"""

import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import groupby
from pathlib import Path

import numpy as np
import requests
from PIL import Image
from sqlalchemy import Engine

from benchmarks.harness.page_client import NotThere, Visitor
from benchmarks.harness.running import ROOT, RunningApp
from benchmarks.harness.visitors import portrait
from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.records.db.connect import open_database
from vibecheck.records.db.summary_tables import daily, outcomes
from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.stats.summaries import rebuild
from vibecheck.records.store import Store
from vibecheck.records.values import Prediction
from vibecheck.settings import Settings
from vibecheck.vision.images import decode

VISITORS = 3
# A run is killed at a random moment soon after its first result; every fifth at any moment after its start.
WORK = 1.5  # s
LIFE = 8.0  # s
LONGEST_LIFE = 120.0  # s, if no visitor gets a result
# Raised by a connection whose other end was killed.
GONE = (OSError, EOFError, TimeoutError, requests.RequestException)


@dataclass(frozen=True)
class Crashes:
    """What the records hold of everything that visitors were shown.

    `ids_shown` counts vibe checks, `pictures_consented` those whose picture may be kept, and
    `answers_acknowledged` the labels that were confirmed. `lost`, `altered`, `duplicated`, `partial` and
    `not_served` (a page without a result) describe each failure: all should be empty. `orphaned_pictures`
    are files written before a kill prevented their row; the clean-up removed them.
    """

    kills: int
    runs_with_visitors: int
    ids_shown: int
    pictures_consented: int
    answers_acknowledged: int
    stored: int
    orphaned_pictures: int
    seconds: float
    lost: list[str]
    altered: list[str]
    duplicated: list[str]
    partial: list[str]
    not_served: list[str]

    @property
    def faultless(self) -> bool:
        """Whether everything is stored, once and complete."""
        return not (self.lost or self.altered or self.duplicated or self.partial or self.not_served)


@dataclass
class Shown:
    """A vibe check as its visitor saw it: acknowledged `answers`, and one in transit."""

    id: str
    consented: bool
    answers: list[str] = field(default_factory=list)
    on_its_way: str | None = None

    def allows(self, labels: list[str]) -> bool:
        """Whether the records may hold these labels. Repeating an answer adds none."""
        with_the_last = [*self.answers, *filter(None, [self.on_its_way])]
        return labels in ([each for each, _ in groupby(given)] for given in (self.answers, with_the_last))


@dataclass
class Crowd:
    """Visitors of the running app, and everything that they were shown."""

    photos: list[bytes]
    seen: list[Shown] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)

    def visit(self, url: str, rng: random.Random, over: threading.Event) -> None:
        """One visitor, who makes vibe checks until the app is gone."""
        try:
            with Visitor(url, patience=LONGEST_LIFE) as tab:
                tab.pick("way", 2)
                while not over.is_set():
                    self._check(tab, rng)
        except GONE:
            return  # the app was killed, as intended
        except NotThere as error:
            self.unserved.append(str(error))

    def _check(self, tab: Visitor, rng: random.Random) -> None:
        consented = rng.random() < 0.5
        tab.pick("keep", int(consented))
        tab.upload("upload", "me.jpg", rng.choice(self.photos))
        before, shown = _result(tab), None
        try:
            tab.press("check")
        finally:  # counts as shown even if the connection broke meanwhile
            if (found := _result(tab)) not in ("", before):
                shown = Shown(found, consented)
                self.seen.append(shown)
        if shown is None:
            raise NotThere(tab.text())
        for _ in range(rng.randint(0, 2)):  # may change the answer
            _answer(tab, shown, rng)


def _result(tab: Visitor) -> str:
    """The id of the vibe check on the page, or empty."""
    return tab.find("answer-").id.rpartition("-")[2] if tab.has("answer-") else ""


def _answer(tab: Visitor, shown: Shown, rng: random.Random) -> None:
    """Press any of the seven moods."""
    titles = [option.content for option in tab.find("answer-").options]
    if len(titles) == 2:  # Yes and No
        tab.pick("answer-", 1)
        titles = [option.content for option in tab.find("answer-").options]
    names = [next((name for name in NAMES if BY_NAME[name].title == title), "") for title in titles]
    own = next(name for name in NAMES if name not in names)  # the model's own is called Yes
    number, before = rng.randrange(len(titles)), tab.runs
    shown.on_its_way = names[number] or own
    try:
        tab.pick("answer-", number)
    finally:
        if tab.runs > before and "Noted:" in tab.text():
            shown.answers.append(shown.on_its_way)
            shown.on_its_way = None


def run(kills: int, seed: int, database_url: str, tell: Callable[[int], None]) -> list[dict]:
    """One row, see `crash`."""
    with tempfile.TemporaryDirectory() as folder:
        result = crash(kills, seed, Path(folder), database_url, tell)
    return [asdict(result) | {"faultless": str(result.faultless)}]


def crash(
    kills: int,
    seed: int,
    folder: Path,
    database_url: str = "",
    tell: Callable[[int], None] = lambda killed: None,
) -> Crashes:
    """Kill the app `kills` times at random moments, and compare the records with what visitors were shown."""
    rng, began = random.Random(seed), time.monotonic()
    environment = {
        "VIBECHECK_DATA": str(folder / "data"),
        "VIBECHECK_MODEL": "embedded",
        "VIBECHECK_AUDIT_SHARE": "1",
    }
    if database_url:
        environment["VIBECHECK_DATABASE_URL"] = database_url
    crowd = Crowd(_photos())
    served = 0
    for killed in range(kills):
        before = len(crowd.seen)
        _life(crowd, rng, RunningApp(folder / "log", ROOT / "Home.py", **environment))
        served += len(crowd.seen) > before
        tell(killed + 1)
    settings = Settings(data=folder / "data", database_url=database_url or None, model="embedded")
    store = Store.open(settings.records_url, settings.images_url)
    try:
        return _judge(store, settings, crowd, kills, served, began)
    finally:
        store.close()


def _life(crowd: Crowd, rng: random.Random, app: RunningApp) -> None:
    """Start the app, let visitors in, and kill it."""
    over, before = threading.Event(), len(crowd.seen)
    any_moment, delay = rng.random() < 0.2, rng.random()
    threads = [
        threading.Thread(target=_come, args=(crowd, random.Random(rng.random()), app, over), daemon=True)
        for _ in range(VISITORS)
    ]
    for thread in threads:
        thread.start()
    try:
        if any_moment:
            time.sleep(delay * LIFE)
        else:
            give_up = time.monotonic() + LONGEST_LIFE
            while len(crowd.seen) == before and time.monotonic() < give_up:
                time.sleep(0.005)
            time.sleep(delay * WORK)
    finally:
        over.set()
        app.kill()
        for thread in threads:
            thread.join(LONGEST_LIFE)


def _come(crowd: Crowd, rng: random.Random, app: RunningApp, over: threading.Event) -> None:
    try:
        url = app.ready()
    except RuntimeError:
        if over.is_set():
            return  # killed before it was up
        raise
    crowd.visit(url, rng, over)


def _judge(store: Store, settings: Settings, crowd: Crowd, kills: int, served: int, began: float) -> Crashes:
    seen, engine = crowd.seen, open_database(settings.records_url)
    stored = [prediction for prediction, _ in store.history()]
    by_id = {prediction.id: prediction for prediction in stored}
    lost, altered, half = [], [], []
    shown_ids = Counter(each.id for each in seen)
    twice = [f"{each} was shown twice" for each, times in shown_ids.items() if times > 1]
    for shown in seen:
        prediction = by_id.get(shown.id)
        if prediction is None:
            lost.append(f"{shown.id} is not in the records")
            continue
        if prediction.picture_kept != shown.consented:
            altered.append(f"{shown.id}: a picture is kept: {prediction.picture_kept}")
        labels = [each.label for each in store.feedback_of(shown.id)]
        if not shown.allows(labels):
            lost.append(f"{shown.id}: {shown.answers} and perhaps {shown.on_its_way} became {labels}")
    for prediction in stored:
        if problem := _half_written(store, prediction):
            half.append(f"{prediction.id}: {problem}")
    kept = _summaries(engine)
    with writing(engine) as connection:
        rebuild(connection)
    if kept != _summaries(engine):
        half.append("the summaries do not count what is there")
    later = datetime.now(UTC) + timedelta(minutes=1)
    strays = store.pictures.remove_strays(later, lambda ids: by_id.keys() & set(ids), later)
    left = {path.name for path in (settings.data / "images").rglob("*") if path.is_file()}
    half += [f"{name} was left behind" for name in left - {each.picture_name for each in stored}]
    return Crashes(
        kills=kills,
        runs_with_visitors=served,
        ids_shown=len(seen),
        pictures_consented=sum(each.consented for each in seen),
        answers_acknowledged=sum(len(each.answers) for each in seen),
        stored=len(stored),
        orphaned_pictures=strays,
        seconds=round(time.monotonic() - began, 1),
        lost=lost,
        altered=altered,
        duplicated=twice,
        partial=half,
        not_served=crowd.unserved,
    )


def _half_written(store: Store, prediction: Prediction) -> str:
    """What a stored prediction lacks, whether or not a visitor was shown it; empty if complete."""
    if not prediction.picture_kept:
        return "a picture that nobody allowed" if store.pictures.exists(prediction.id) else ""
    jpeg = store.picture(prediction.id)
    if jpeg is None:
        return "no picture"
    if not jpeg.endswith(b"\xff\xd9"):
        return "half a picture"
    return "" if decode(jpeg).size else "an empty picture"


def _summaries(engine: Engine) -> tuple[list, list]:
    with reading(engine) as connection:
        counted = sorted(tuple(row) for row in connection.execute(daily.select()))
        judged = sorted((tuple(row) for row in connection.execute(outcomes.select())), key=repr)
    return [tuple(map(_rounded, row)) for row in counted], judged


def _rounded(value: object) -> object:
    """Sums of floats depend on their order in the last digits."""
    return round(value, 6) if isinstance(value, float) else value


def _photos() -> list[bytes]:
    """Some pictures of a face, as phones send them."""
    photos = []
    for light in (0.6, 0.8, 1.0):
        file = BytesIO()
        Image.fromarray((portrait() * light).astype(np.uint8)).save(file, "JPEG", quality=90)
        photos.append(file.getvalue())
    return photos
