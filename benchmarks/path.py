"""What one frame costs on its way through the app, without the model: decode, draw, encode."""

import fractions
import time
from collections.abc import Callable, Sequence

import av
import numpy as np
from aiortc.codecs.vpx import Vp8Decoder, Vp8Encoder
from aiortc.jitterbuffer import JitterFrame

from benchmarks.harness.clip import encode, recording
from benchmarks.harness.visitors import CLOCK
from vibecheck.vision import drawing
from vibecheck.vision.detector import FaceDetector

FPS = 15


def run(frames: int = 150) -> list[dict]:
    """ms of one thread a frame of 640x480: p50 and p95 of each step, by the clock, and the median of a core.

    The first rows are what `returned` video takes; with its `own` camera a visitor waits for none of it.
    """
    pictures = recording(FPS)[:frames]
    detector = FaceDetector()
    found = [tuple(detector.find(picture)[:1]) for picture in pictures]
    packets = encode(pictures, FPS)
    decoder, encoder = Vp8Decoder(), Vp8Encoder()
    decoded: list[av.VideoFrame] = []
    drawn: list[av.VideoFrame] = []

    def decode(i: int) -> None:
        decoded.extend(decoder.decode(JitterFrame(packets[i], i * CLOCK // FPS)))

    def draw(i: int) -> None:
        picture = decoded[i].to_ndarray(format="rgb24")
        drawing.draw(picture, found[i], "happy", 0.8)
        drawn.append(av.VideoFrame.from_ndarray(picture, format="rgb24"))

    def send(i: int) -> None:
        drawn[i].pts, drawn[i].time_base = i * CLOCK // FPS, fractions.Fraction(1, CLOCK)
        encoder.encode(drawn[i])

    steps: dict[str, Callable[[int], None]] = {"decode": decode, "overlay": draw, "encode": send}
    clock: dict[str, list[float]] = {name: [] for name in steps}
    core: dict[str, list[float]] = {name: [] for name in steps}
    for i in range(len(packets)):
        for name, step in steps.items():
            wall, cpu = time.perf_counter(), time.process_time()
            step(i)
            clock[name].append((time.perf_counter() - wall) * 1000)
            core[name].append((time.process_time() - cpu) * 1000)
    return [
        *(_row(f"{name}", clock[name], core[name]) for name in steps),
        _row("added to a returned frame", _sums(clock), _sums(core)),
    ]


def _sums(steps: dict[str, list[float]]) -> list[float]:
    return [sum(each) for each in zip(*steps.values(), strict=True)]


def _row(step: str, clock: Sequence[float], core: Sequence[float]) -> dict:
    return {
        "step": step,
        "p50_ms": float(np.quantile(clock, 0.5)),
        "p95_ms": float(np.quantile(clock, 0.95)),
        "core_ms": float(np.median(core)),
    }
