"""Latency of a vibe check, from press to disk, with and without a shadow model.

One visitor's video runs at the same time. Blocks with and without shadow models alternate, so other load on
the machine affects both equally.
"""

import tempfile
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from skimage import data

from benchmarks.harness.models import install
from vibecheck import check
from vibecheck.models.registry import Registry
from vibecheck.models.shadow import ShadowModels
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.reader import Moment, Reader

NAME = "shadow"
FRAMES = 15  # a second


def run(model: Path, presses: int, blocks: int = 4, every: float = 1.0) -> list[dict]:
    """A row without and a row with shadow models: ms from press to disk, and checks read by shadow models.

    `model` is the folder of the shadow model, `presses` the vibe checks per block, `every` the seconds
    between them.
    """
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data=Path(name), model="embedded")
        store = Store.open(settings.records_url, settings.images_url)
        with closing(Registry.open(settings)) as registry:
            install(registry, settings.data, model, NAME)
            registry.challenge(NAME)
        reader, picture, stop = Reader.open(threads=settings.threads), data.astronaut(), threading.Event()
        video = threading.Thread(target=_stream, args=(reader, picture, stop))
        video.start()
        took: dict[bool, list[float]] = {False: [], True: []}
        read = {False: 0, True: 0}
        try:
            for block in range(blocks):
                beside = block % 2 == 1
                shadow = ShadowModels(settings, lambda: store, lambda: reader.classifier) if beside else None
                while shadow is not None and not shadow.active:
                    time.sleep(0.1)
                ids = []
                for _ in range(presses):
                    ms, prediction_id = _press(store, reader, picture, shadow)
                    took[beside].append(ms)
                    ids.append(prediction_id)
                    time.sleep(every)
                if shadow is not None:
                    shadow.stop()
                read[beside] += sum(bool(store.readings.of(each)) for each in ids)
        finally:
            stop.set()
            video.join()
            store.close()
    return [
        {
            "shadow model": Manifest.read(model).version if beside else "none",
            "vibe checks": len(ms),
            "median ms": float(np.median(ms)),
            "p95 ms": float(np.quantile(ms, 0.95)),
            "shadow readings": read[beside],
        }
        for beside, ms in took.items()
    ]


def _stream(reader: Reader, picture: np.ndarray, stop: threading.Event) -> None:
    while not stop.wait(1 / FRAMES):
        reader.read_frame(picture, time.monotonic())


def _press(
    store: Store, reader: Reader, picture: np.ndarray, shadow: ShadowModels | None
) -> tuple[float, str]:
    """One vibe check of a moment of video; returns ms until it is on disk, and its id."""
    moment = Moment.of(reader.read_frame(picture, time.monotonic()))
    start = time.perf_counter()
    prediction, best = check.predict(moment, source="live", visitor=None, now=datetime.now(UTC))
    check.record(store, prediction, best, keep_picture=True)
    if shadow is not None:
        shadow.submit(prediction.id, *best.kept())
    return (time.perf_counter() - start) * 1000, prediction.id
