"""Live video of one visitor: throughput, and latency from a frame to its mark."""

import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from benchmarks.harness.visitors import moving_head, visit_from_elsewhere
from vibecheck.video.analyser import Analyser
from vibecheck.video.stream import Stream
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.detector import FaceDetector
from vibecheck.vision.reader import Reader


@dataclass(frozen=True)
class Live:
    """One run. Rates are per second; latencies are from the arrival of a frame to its mark."""

    added_delay_ms: float
    fps: float
    frames_sent_per_s: float
    readings_per_s: float
    ratio: float
    latency_median_ms: float
    latency_p95_ms: float
    resident_mb: float


class SlowReader(Reader):
    """A reader whose model takes `delay` seconds longer."""

    def __init__(self, reader: Reader, delay: float) -> None:
        super().__init__(reader.detector, reader.classifier)
        self._delay = delay

    def read_frame(self, *args, **kwargs):
        time.sleep(self._delay)
        return super().read_frame(*args, **kwargs)


def measure(delay: float, fps: float = 30.0, seconds: float = 10.0, folder: Path = EMBEDDED) -> Live:
    """One visitor at 640x480, read by the model in `folder` with `delay` seconds added."""
    reader = Reader(FaceDetector(), Classifier.load(folder))
    analyser = Analyser(SlowReader(reader, delay) if delay else reader)
    stream = Stream(analyser)
    visit = visit_from_elsewhere(stream, moving_head(), fps, seconds)
    analyser.stop()
    ages = [mark["age"] * 1000 for mark in visit.marks]
    return Live(
        added_delay_ms=delay * 1000,
        fps=fps,
        frames_sent_per_s=visit.sent / visit.seconds,
        readings_per_s=len(visit.marks) / visit.seconds,
        ratio=len(visit.marks) / visit.sent,
        latency_median_ms=statistics.median(ages),
        latency_p95_ms=float(np.quantile(ages, 0.95)),
        resident_mb=psutil.Process().memory_info().rss / (1 << 20),
    )


def run(folder: Path | None = None) -> list[dict]:
    """The embedded model, without and with 300 ms of added delay; or the model in a folder."""
    if folder is not None:
        return [asdict(measure(0.0, folder=folder))]
    return [asdict(measure(delay)) for delay in (0.0, 0.3)]
