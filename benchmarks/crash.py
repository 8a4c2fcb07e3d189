"""Nothing acknowledged is lost: the app is killed again and again under visitors, and the records counted.

Each visitor uploads a photo, has its vibe checked, and answers what the mood was. What it was shown is
written down as it comes over the wire: the id of a vibe check, and the thanks for an answer. After the
last kill the records must hold all of it, once and whole.
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

from benchmarks.harness.running import ROOT, RunningApp
from benchmarks.harness.visitors import portrait
from benchmarks.harness.wire import NotThere, Visitor
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
# A life ends at a random moment of its first seconds of work, every fifth one at any moment since its start.
WORK = 1.5  # s
LIFE = 8.0  # s
LONGEST_LIFE = 120.0  # s; where nobody is served at all
# What a connection may raise when the other end is killed.
GONE = (OSError, EOFError, TimeoutError, requests.RequestException)


@dataclass(frozen=True)
class Crashes:
    """What became of everything that visitors were shown.

    `shown` are ids, `answers` thanks for an answer, `consented` pictures that were allowed among `shown`.
    `lost`, `altered` and `twice` are sentences about what is not as it was acknowledged, `half_written`
    about what is there in part, `unserved` what a visitor was shown instead of a result: all should be
    empty. `strays` are files that a kill left between a picture and its row; sweeping took them away.
    """

    kills: int
    lives_that_served: int
    shown: int
    consented: int
    answers: int
    stored: int
    strays: int
    seconds: float
    lost: list[str]
    altered: list[str]
    twice: list[str]
    half_written: list[str]
    unserved: list[str]

    @property
    def faultless(self) -> bool:
        """Whether all is there, once and whole."""
        return not (self.lost or self.altered or self.twice or self.half_written or self.unserved)


@dataclass
class Shown:
    """A vibe check as its visitor saw it: `answers` it thanked for, and one that was on its way."""

    id: str
    consented: bool
    answers: list[str] = field(default_factory=list)
    on_its_way: str | None = None

    def allows(self, labels: list[str]) -> bool:
        """Whether these are the labels that the records may hold. The same answer again is no other."""
        with_the_last = [*self.answers, *filter(None, [self.on_its_way])]
        return labels in ([each for each, _ in groupby(given)] for given in (self.answers, with_the_last))


@dataclass
class Crowd:
    """Visitors who come as long as the app lives, and all that they were shown."""

    photos: list[bytes]
    seen: list[Shown] = field(default_factory=list)
    unserved: list[str] = field(default_factory=list)

    def visit(self, url: str, rng: random.Random, over: threading.Event) -> None:
        """One visitor, who checks vibe after vibe until the app is gone."""
        try:
            with Visitor(url, patience=LONGEST_LIFE) as tab:
                tab.pick("way", 2)
                while not over.is_set():
                    self._check(tab, rng)
        except GONE:
            return  # the app was killed: that is what it is for
        except NotThere as error:
            self.unserved.append(str(error))

    def _check(self, tab: Visitor, rng: random.Random) -> None:
        consented = rng.random() < 0.5
        tab.pick("keep", int(consented))
        tab.upload("upload", "me.jpg", rng.choice(self.photos))
        before, shown = tab.runs, None
        try:
            tab.press("check")
        finally:  # what was on the page when the line broke was shown as well
            if tab.runs > before and tab.has("answer-"):
                shown = Shown(tab.find("answer-").id.rpartition("-")[2], consented)
                self.seen.append(shown)
        if shown is None:
            raise NotThere(tab.text())
        for _ in range(rng.randint(0, 2)):  # who changes their mind presses once more
            _answer(tab, shown, rng)


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
    """Kill the app `kills` times, at moments that `seed` draws, and look what the records then hold."""
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
    strays = store.pictures.remove_strays(later, lambda ids: by_id.keys() & set(ids))
    left = {path.name for path in (settings.data / "images").rglob("*") if path.is_file()}
    half += [f"{name} was left behind" for name in left - {each.picture_name for each in stored}]
    return Crashes(
        kills=kills,
        lives_that_served=served,
        shown=len(seen),
        consented=sum(each.consented for each in seen),
        answers=sum(len(each.answers) for each in seen),
        stored=len(stored),
        strays=strays,
        seconds=round(time.monotonic() - began, 1),
        lost=lost,
        altered=altered,
        twice=twice,
        half_written=half,
        unserved=crowd.unserved,
    )


def _half_written(store: Store, prediction: Prediction) -> str:
    """What is missing of a prediction that is in the records, whether or not anybody was shown it."""
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
