"""What every test may use: real pictures of faces, the embedded model, and the shared data folder."""

import gc
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import skimage
from hypothesis import settings
from PIL import Image

from tests.records.examples import ids
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.reader import Reader

pytest_plugins = ["tests.databases"]

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared"
# Their tests run the whole app, or take long: slow, unless they are marked as quick.
SLOW_FOLDERS = ("benchmarks", "browser", "end_to_end")
# Browser tests in which the app reads live video.
VIDEO_FILES = ("test_home.py", "test_live.py", "test_loop.py", "test_model.py", "test_soak.py")
# Their tests load PyTorch and its exporter, ten seconds of CPU time.
TORCH_FOLDERS = ("export", "finetune")


def examples(count: int) -> int:
    """How many examples a property test tries: all where CI is set, else forty at most."""
    return count if os.environ.get("CI") else min(count, 40)


# The same examples in every run, however long each takes on a busy machine.
settings.register_profile("repeatable", max_examples=examples(100), derandomize=True, deadline=None)
settings.load_profile("repeatable")
# Commands run in the tests' process, and Comet's SDK keeps a log handler for the stream of the first of them,
# which is closed by then. Logging would print a traceback of that into the output of a later test.
logging.raiseExceptions = False


@pytest.hookimpl(tryfirst=True)  # before xdist looks at the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks slow tests. Groups what one worker runs: a file, live video, other browser tests, PyTorch.

    Two live videos at once are more than two cores can do in time. PyTorch is loaded once.
    """
    for item in items:
        folder = item.path.relative_to(TESTS).parts[0]
        if folder in SLOW_FOLDERS and not item.get_closest_marker("quick"):
            item.add_marker(pytest.mark.slow)
        group = "torch" if folder in TORCH_FOLDERS else str(item.path.relative_to(TESTS))
        if item.get_closest_marker("browser"):
            group = "video" if item.path.name in VIDEO_FILES else "browser"
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A short name for a value that is long, such as the bytes of a file."""
    return f"{argname} of {len(val)}" if isinstance(val, str | bytes) and len(val) > 100 else None


def pytest_collection_finish() -> None:
    """Takes what has been imported out of the garbage collector's sight: nothing of it can be freed.

    The rest is collected less often than by default, which takes a twentieth of the tests' time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)


@pytest.hookimpl(tryfirst=True)  # before the fixtures
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The same ids in every run."""
    ids.seed(item.nodeid)


@pytest.fixture(autouse=True)
def log() -> Iterator[None]:
    """Commands silence the log of their process, which here is that of the next test as well."""
    yield
    if logging.root.manager.disable:
        logging.disable(logging.NOTSET)  # goes through all loggers


def missing(what: str) -> None:
    """Skip a test for want of `what`; where everything has to be there (CI), fail it."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def photograph(name: str) -> np.ndarray:
    """One of scikit-image's pictures, without its own reader, which takes a third of a second to import."""
    return np.array(Image.open(Path(skimage.__file__).parent / "data" / f"{name}.png"))


@pytest.fixture(scope="session")
def astronaut() -> np.ndarray:
    """Eileen Collins smiling, 512 x 512 x 3 uint8 RGB (NASA, public domain). Read-only."""
    picture = photograph("astronaut")
    picture.flags.writeable = False
    return picture


@pytest.fixture(scope="session")
def empty_room() -> np.ndarray:
    """A picture without a face: a coffee cup."""
    return photograph("coffee")


@pytest.fixture(scope="session")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return Classifier.load(EMBEDDED)


@pytest.fixture(scope="session")
def reader(detector: FaceDetector, classifier: Classifier) -> Reader:
    return Reader(detector, classifier)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data beside the project."""
    if not SHARED.is_dir():
        missing(f"{SHARED} is not here: it holds the FER+ faces and a recorded webcam")
    return SHARED
