"""Calibration error (ECE) with calibration learned from audits: simulated deployments, real model outputs.

A deployment has one kind of faces (FER+'s test split, unaltered or altered; in-the-wild faces) and one class
distribution: natural, or uniform, as when people act out every mood. Audits are drawn from one half of the
faces, ten a day, each from a different visitor. After every 25th `analytics.calibration_fit` decides, and
the error is measured on the other half.
"""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from finetune.embedded.alterations import ALTERATIONS
from finetune.embedded.evaluate import as_input
from finetune.embedded.ferplus import read
from finetune.metrics import prior_weights
from vibecheck.analytics.calibration_fit import Audited, calibration_error, fit, learn
from vibecheck.emotions import NAMES
from vibecheck.models.installed import content_of
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.images import decode
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.temperature_scaling import SHIPPED, TemperatureScaling

FERPLUS, NATURAL = Path("ferplus", "test.parquet"), Path("muxspace", "faces.parquet")
MIXES = ("natural", "uniform")
AUDITS = (50, 100, 200, 400)
A_DAY = 10
# With a uniform distribution, moods with fewer faces are left out: the same few would be drawn repeatedly.
FEWEST_FACES = 100
# Nearly all in-the-wild faces are neutral or happy; at most this many of each mood are read.
MOST_FACES = 1000
# Audits between decisions.
LOOKS = 25
# Unlabelled vibe checks per audit, from which prior shift is estimated.
UNLABELLED = 5


@dataclass(frozen=True)
class Answers:
    """The embedded model's probabilities (N x 7) for the faces of one kind, and their moods (N).

    `counts` (N) is for how many faces each stands.
    """

    kind: str
    probabilities: np.ndarray
    truth: np.ndarray
    counts: np.ndarray

    def take(self, chosen: np.ndarray) -> "Answers":
        """Some of them."""
        return Answers(self.kind, self.probabilities[chosen], self.truth[chosen], self.counts[chosen])

    def mixed(self, mix: str) -> tuple["Answers", np.ndarray]:
        """The faces that can be drawn in this mix, and what each weighs in it."""
        if mix == MIXES[0]:
            return self, self.counts
        enough = np.bincount(self.truth, minlength=len(NAMES)) >= FEWEST_FACES
        those = self.take(enough[self.truth])
        return those, prior_weights(those.truth, enough.astype(float))


def run(data: Path, runs: int = 20, cache: Path | None = None) -> tuple[list[dict], list[dict], list[str]]:
    """A row for each deployment, a row for each calibration method, and the missing files."""
    answers, missing = answers_of(data, cache)
    deployments = [(each, mix) for each in answers for mix in MIXES]
    rows = [_deployment(each, mix, runs) for each, mix in deployments]
    return rows, _ways(deployments, runs) if deployments else [], missing


def answers_of(data: Path, cache: Path | None = None) -> tuple[list[Answers], list[str]]:
    """The model's answers to all faces found in the folder, and the names of missing files.

    They are kept in the folder `cache`, by default a temporary one, so that they are computed once.
    """
    cache = cache or Path(tempfile.gettempdir()) / "vibecheck-benchmarks"
    cache.mkdir(parents=True, exist_ok=True)
    missing = [str(name) for name in (FERPLUS, NATURAL) if not (data / name).is_file()]
    found = []
    if str(FERPLUS) not in missing:
        found += [_answers(data / FERPLUS, each, f"FER+, {each}", cache) for each in ALTERATIONS]
    if str(NATURAL) not in missing:
        found.append(_answers(data / NATURAL, "unaltered", "in-the-wild faces", cache))
    return found, missing


def _answers(path: Path, alteration: str, kind: str, cache: Path) -> Answers:
    size = path.stat().st_size
    key = hashlib.sha256(f"{content_of(EMBEDDED)} {path.name} {size} {alteration}".encode()).hexdigest()
    kept = cache / f"answers-{key[:16]}.npz"
    if not kept.is_file():
        pictures, truth, counts = _faces(path)
        classifier = Classifier.load(EMBEDDED)
        said = classifier.probabilities(as_input(pictures, classifier.side, alteration))
        part = kept.with_suffix(".part.npz")
        np.savez(part, probabilities=said, truth=truth, counts=counts)
        part.replace(kept)
    with np.load(kept) as file:
        return Answers(kind, file["probabilities"], file["truth"], file["counts"])


def _faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Grey faces (N x S x S uint8), their moods (N), and for how many faces each stands (N)."""
    if path.name == FERPLUS.name:
        faces = read(path)
        clear = faces.take(faces.truth >= 0)
        return clear.pictures, clear.truth, np.ones(len(clear))
    table = pd.read_parquet(path)
    table = table.sample(frac=1, random_state=0)
    of_mood = table.groupby("label")["label"].transform("size")
    table, of_mood = table.groupby("label").head(MOST_FACES), of_mood.clip(lower=MOST_FACES) / MOST_FACES
    pictures = np.stack([decode(each["bytes"])[..., 0] for each in table["image"]])
    truth = np.array([NAMES.index(label) for label in table["label"]])
    return pictures, truth, of_mood.loc[table.index].to_numpy()


def _deployment(answers: Answers, mix: str, runs: int) -> dict:
    """The mean ECE of one deployment, as shipped and after each number of audits."""
    without, errors = np.empty(runs), np.empty((runs, len(AUDITS)))
    taken = 0
    for number, each in enumerate(_draws(answers, mix, runs)):
        without[number] = calibration_error(each.others.probabilities, each.others.truth, each.weights)
        in_use, since = SHIPPED, -np.inf
        for n in range(LOOKS, AUDITS[-1] + 1, LOOKS):
            today = n / A_DAY
            if learned := learn(each.audits(n), today, in_use, since):
                in_use, since = learned.scaling, today
            if n in AUDITS:
                said = in_use.apply(each.others.probabilities)
                errors[number, AUDITS.index(n)] = calibration_error(said, each.others.truth, each.weights)
        taken += in_use != SHIPPED
    worse = (errors[:, 1:] - without[:, np.newaxis]).max()
    return {
        "faces": answers.kind,
        "class distribution": mix,
        "as shipped": round(float(without.mean()), 3),
        **{f"{n} audits": round(float(each), 3) for n, each in zip(AUDITS, errors.mean(axis=0), strict=True)},
        "largest increase (100 or more)": round(float(worse), 3),
        "adopted": f"{taken} of {runs}",
    }


@dataclass(frozen=True)
class _Draw:
    """One simulated deployment: its audits in order, unlabelled faces, and a test set."""

    drawn: Answers
    unlabelled: np.ndarray
    others: Answers
    weights: np.ndarray

    def audits(self, n: int) -> Audited:
        days = (np.arange(n) + 0.5) / A_DAY
        return Audited(self.drawn.probabilities[:n], self.drawn.truth[:n], days, range(n))


def _draws(answers: Answers, mix: str, runs: int) -> Iterator[_Draw]:
    faces, weights = answers.mixed(mix)
    for seed in range(runs):
        rng = np.random.default_rng(seed)
        half = rng.random(len(weights)) < 0.5
        chances = np.where(half, weights, 0)
        count = AUDITS[-1] * (1 + UNLABELLED)
        drawn = rng.choice(len(weights), count, p=chances / chances.sum())
        first, rest = drawn[: AUDITS[-1]], drawn[AUDITS[-1] :]
        yield _Draw(faces.take(first), faces.probabilities[rest], faces.take(~half), weights[~half])


def _ways(deployments: Sequence[tuple[Answers, str]], runs: int) -> list[dict]:
    """ECE and NLL of each calibration method on 200 and 400 audits, means over all deployments."""
    rows = []
    for answers, mix in deployments:
        for each in _draws(answers, mix, runs):
            for n in AUDITS[2:]:
                audits = each.audits(n)
                plain, biased = (
                    fit(audits.probabilities, audits.truth, np.ones(n), with_bias)
                    for with_bias in (False, True)
                )
                shifted = _prior_shift(plain, each.unlabelled[: n * UNLABELLED])
                ways = {
                    "as shipped": SHIPPED,
                    "temperature": plain,
                    "temperature and EM prior shift": shifted,
                    "temperature and bias": biased,
                }
                for name, scaling in ways.items():
                    said, truth = scaling.apply(each.others.probabilities), each.others.truth
                    error = calibration_error(said, truth, each.weights)
                    loss = np.average(-np.log(said[np.arange(len(truth)), truth]), weights=each.weights)
                    rows.append({"method": name, "audits": n, "ECE": error, "NLL": loss})
    means = pd.DataFrame(rows).groupby(["method", "audits"], sort=False, as_index=False).mean()
    return means.round(4).to_dict("records")


def _prior_shift(scaling: TemperatureScaling, unlabelled: np.ndarray) -> TemperatureScaling:
    """The scaling with a bias by expectation maximisation (Saerens et al. 2002) on unlabelled answers.

    The model's answers are taken to assume the mix of moods that its manifest leaves in them.
    """
    manifest = Manifest.read(EMBEDDED)
    assumed = np.asarray(manifest.class_prior or [1.0] * len(NAMES)) ** (1 - manifest.prior_strength)
    assumed /= assumed.sum()
    said, mix = scaling.apply(unlabelled), assumed
    for _ in range(200):
        shares = said * (mix / assumed)
        mix = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
    bias = np.clip(np.log(np.maximum(mix, 1e-3) / assumed), -5, 5)
    return TemperatureScaling(scaling.temperature, tuple(map(float, bias)))
