"""Live video while a model trains on the same machine.

Measurements without and with training alternate, so other load on the machine affects both equally.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.live import measure
from vibecheck.training_runs import resources
from vibecheck.vision.classifier import EMBEDDED

# Trains the embedded model on noise until it is killed.
TRAINING = """
import sys, torch
from transformers import AutoModelForImageClassification
model = AutoModelForImageClassification.from_pretrained(
    sys.argv[1], local_files_only=True, trust_remote_code=False
)
model = model.float().train()
pictures = torch.randn(32, 3, 80, 80)
labels, optimiser = torch.randint(0, 7, (32,)), torch.optim.AdamW(model.parameters(), lr=1e-6)
steps = 0
while True:
    optimiser.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(pixel_values=pictures).logits, labels)
    loss.backward()
    optimiser.step()
    steps += 1
    if steps == 1:
        print("it trains", flush=True)
"""


@contextmanager
def training() -> Iterator[None]:
    """A training process with the low priority of a run started by the fine-tune page."""
    environment = os.environ | {"OMP_NUM_THREADS": str(resources.threads()), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-c", TRAINING, str(EMBEDDED)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        resources.lower_priority(process.pid)
        try:
            yield
        finally:
            process.kill()


def run(turns: int = 5, fps: float = 15.0, seconds: float = 10.0) -> list[dict]:
    """One row: medians without and with training, and the ratio of the rates."""
    alone, slowed = [], []
    for _ in range(turns):
        alone.append(measure(0.0, fps, seconds))
        with training():
            slowed.append(measure(0.0, fps, seconds))
    row = {"cores": resources.cores(), "turns": turns}
    for name in ("readings_per_s", "latency_median_ms"):
        for what, runs in (("alone", alone), ("training", slowed)):
            row[f"{name}_{what}"] = statistics.median(getattr(each, name) for each in runs)
    return [row | {"ratio": row["readings_per_s_training"] / row["readings_per_s_alone"]}]
