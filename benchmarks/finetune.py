"""Cost of `python -m finetune`, and its accuracy gain on FER+ faces from a simulated other camera.

Each run is a separate process on a folder of face crops, with its own empty data folder.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from benchmarks.harness.models import random_vit
from finetune.embedded.ferplus import Faces, read
from finetune.metrics import scores
from vibecheck.emotions import NAMES
from vibecheck.vision.classifier import EMBEDDED, Classifier

ROOT = Path(__file__).parents[1]
LABELLED = 600
WRONG = 0.2
THREADS = 2
CROPS, CROPS_VIT = 1000, 500


def camera(data: Path, runs: int) -> list[dict]:
    """Gain from 600 labelled faces from another camera, with no wrong labels and with 20% wrong labels.

    Training faces are drawn from FER+'s validation split; the test split is evaluated both through that
    camera and unaltered.
    """
    valid, test = _clear(read(data / "valid.parquet")), _clear(read(data / "test.parquet"))
    before = _accuracy(Classifier.load(EMBEDDED, THREADS), test)
    rows = []
    for wrong in (0.0, WRONG):
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            faces = valid.take(rng.permutation(len(valid))[:LABELLED])
            labels = faces.truth
            mistaken = rng.random(LABELLED) < wrong
            labels = np.where(mistaken, (labels + rng.integers(1, len(NAMES), LABELLED)) % len(NAMES), labels)
            with tempfile.TemporaryDirectory() as folder:
                pictures = Path(folder) / "pictures"
                _write(pictures, map(_another_camera, _colour(faces)), labels)
                done = finetune(Path(folder), pictures, "embedded")
                after = _accuracy(Classifier.load(done["folder"], THREADS), test)
            rows.append(
                {"wrong labels": wrong, "run": seed + 1, "weight mix": done["mix"]}
                | {f"{where}, accuracy before": before[where][0] for where in before}
                | {f"{where}, gain (points)": 100 * (after[where][0] - before[where][0]) for where in before}
                | {
                    f"{where}, mean recall gain (points)": 100 * (after[where][1] - before[where][1])
                    for where in before
                }
            )
    return rows


def cost(data: Path) -> list[dict]:
    """Minutes, core minutes and memory of a run: the embedded model, and a ViT-B/16."""
    faces = _clear(read(data / "valid.parquet"))
    rows = []
    for name, count in (("embedded", CROPS), ("ViT-B/16", CROPS_VIT)):
        with tempfile.TemporaryDirectory() as folder:
            some = faces.take(np.arange(count))
            _write(Path(folder) / "pictures", _colour(some), some.truth)
            base = name if name == "embedded" else str(random_vit(Path(folder) / "vit-b16"))
            done = finetune(Path(folder), Path(folder) / "pictures", base)
        rows.append(
            {
                "model": name,
                "face crops": count,
                "minutes": done["minutes"],
                "core minutes": done["core_minutes"],
                "peak memory, MB": done["peak_mb"],
                "estimated minutes": done["estimate"]["minutes"],
                "estimated memory, MB": done["estimate"]["memory_mb"],
            }
        )
    return rows


def finetune(folder: Path, pictures: Path, base: str) -> dict:
    """Run the command in an empty data folder below `folder`; returns its results and its cost."""
    data = folder / "data"
    command = [sys.executable, "-m", "finetune", "--source", str(pictures), "--crops", "--base", base]
    environment = os.environ | {"VIBECHECK_DATA": str(data), "PYTHONPATH": str(ROOT)}
    plan, _, _ = _measured([*command, "--dry-run", "--json"], environment)
    began = time.monotonic()
    events, core_seconds, peak = _measured([*command, "--no-proof", "--json"], environment)
    minutes = (time.monotonic() - began) / 60
    made = next(event for event in events if event["event"] == "exported")
    blends = [event for event in events if event["event"] == "blend" and event.get("chosen")]
    return {
        "folder": data / "models" / made["version"],
        "mix": blends[-1]["mix"],
        "minutes": minutes,
        "core_minutes": core_seconds / 60,
        "peak_mb": peak,
        "estimate": plan[-1]["estimate"],
    }


def _measured(command: Sequence[str], environment: dict[str, str]) -> tuple[list[dict], float, float]:
    """The events of a process, its CPU seconds, and its peak memory in MB."""
    with subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        events = [json.loads(line) for line in process.stdout]
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {events[-1:]}")
    kilobytes = used.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
    return events, used.ru_utime + used.ru_stime, kilobytes / 1000


def _clear(faces: Faces) -> Faces:
    return faces.take(faces.truth >= 0)


def _colour(faces: Faces) -> list[np.ndarray]:
    return [np.repeat(picture[..., np.newaxis], 3, axis=2) for picture in faces.pictures]


def _write(folder: Path, pictures, labels: np.ndarray) -> None:
    """Face crops, a folder a mood."""
    for number, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        path = folder / NAMES[label] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path)


def _another_camera(picture: np.ndarray) -> np.ndarray:
    """A face (S x S x 3 uint8 RGB) through a distant, poor camera in a dim, warm room.

    It has a third of the light and a colour cast, and is blurred by 1.5 px of 48 and scaled up from 24 px.
    """
    side = picture.shape[0]
    dim = (picture * np.array([0.345, 0.3, 0.21])).round().astype(np.uint8)
    blurred = cv2.GaussianBlur(dim, (0, 0), 1.5 * side / 48)
    return cv2.resize(cv2.resize(blurred, (24, 24), interpolation=cv2.INTER_AREA), (side, side))


def _accuracy(model: Classifier, faces: Faces) -> dict[str, tuple[float, float]]:
    """Accuracy and mean recall through the other camera and unaltered."""

    def answers(alter: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        side = (model.side, model.side)
        pictures = (alter(picture) for picture in _colour(faces))
        return model.probabilities(np.stack([cv2.resize(picture, side) for picture in pictures]))

    ways = {"other camera": _another_camera, "clean": lambda picture: picture}
    found = {name: scores(answers(alter), faces.truth) for name, alter in ways.items()}
    return {name: (each.accuracy, each.balanced_accuracy) for name, each in found.items()}
