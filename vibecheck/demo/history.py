"""The simulated checks as records: predictions, labels, plays and pictures, as the app keeps them."""

import hashlib
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import numpy as np

from vibecheck.demo import world as worlds
from vibecheck.demo.portraits import Portraits, average_face, kept_side
from vibecheck.demo.world import Plan, World
from vibecheck.emotions import NAMES
from vibecheck.music.catalogue import read_catalogue
from vibecheck.records.bulk import Records
from vibecheck.records.synthetic import ORIGIN
from vibecheck.records.values import Feedback, ModelVersion, Play, Prediction
from vibecheck.vision.faces import FaceQuality

# Prefix of all synthetic visitors and labellers.
MARK = "demo"
CHUNK = 5000
SOURCES = ("live", "photo", "upload")
SOURCE_MIX = (0.72, 0.17, 0.11)
# Share of wrong labels: by the visitors themselves, and by labellers who see the picture.
VISITOR_NOISE = 0.03
LABELLER_NOISE = 0.06
LABELLED = 0.4  # of the pictures
LABELLERS = 2
RANDOM_QUEUE = 0.5  # of labellers' labels come from the random queue
LIFTED = 0.15
# How often another playlist is asked for, by the mood that was shown; twice as often if it was wrong.
SKIPPED = dict(zip(NAMES, (0.2, 0.18, 0.22, 0.08, 0.12, 0.24, 0.12), strict=True))


def versions(plan: Plan) -> list[ModelVersion]:
    """The model versions of the history, and when each went live."""
    start = plan.until - timedelta(days=plan.days)
    return [
        ModelVersion(version, ORIGIN, start + share * (plan.until - start))
        for version, share in zip(worlds.VERSIONS, worlds.LIVE_FROM, strict=True)
    ]


def parts(plan: Plan, portraits: Portraits | None) -> Iterator[tuple[Records, dict[str, bytes]]]:
    """The history in chunks, oldest first, each with its pictures (JPEG) by prediction id.

    Without portraits there are no pictures.
    """
    world = worlds.make(plan)
    rng = np.random.default_rng([plan.seed, 1])
    for start in range(0, len(world.at), CHUNK):
        rows = range(start, min(start + CHUNK, len(world.at)))
        yield _part(plan, world, rows, portraits, rng)


def _part(
    plan: Plan, world: World, rows: range, portraits: Portraits | None, rng: np.random.Generator
) -> tuple[Records, dict[str, bytes]]:
    predictions: list[Prediction] = []
    labels: list[Feedback] = []
    plays: list[Play] = []
    pictures: dict[str, bytes] = {}
    signals = world.light, world.blur, world.size, world.yaw, world.roll
    for row in rows:
        prediction_id = uuid.UUID(bytes=rng.bytes(16), version=4).hex
        quality = FaceQuality(*(float(signal[row]) for signal in signals))
        if portraits is not None and world.kept[row]:
            # The same person has the same few faces.
            number = int(world.visitor[row]) * 7 + int(rng.integers(3))
            pictures[prediction_id], face = portraits.take(int(world.truth[row]), number, quality)
        else:
            face = average_face(kept_side(quality.size))
        probabilities = tuple(world.probabilities[row].tolist())
        prediction = Prediction(
            id=prediction_id,
            made_at=datetime.fromtimestamp(round(world.at[row]), UTC),
            source=SOURCES[rng.choice(len(SOURCES), p=SOURCE_MIX)],
            mood=NAMES[int(np.argmax(probabilities))],
            confidence=max(probabilities),
            probabilities=probabilities,
            model_version=worlds.VERSIONS[world.version[row]],
            visitor=_synthetic_id(plan, "visitor", world.visitor[row]),
            face=face,
            quality=quality,
            latency_ms=float(world.latency_ms[row]),
            audit=bool(world.audit[row]),
            picture_kept=prediction_id in pictures,
        )
        predictions.append(prediction)
        truth = int(world.truth[row])
        labels += _labels(plan, prediction, truth, bool(world.answered[row]), rng)
        plays += _plays(prediction, NAMES[truth], rng)
    # Labels given after the end of the history are left out.
    in_time = [label for label in labels if label.given_at <= plan.until]
    return Records(predictions, in_time, plays), pictures


def _labels(
    plan: Plan, prediction: Prediction, truth: int, answered: bool, rng: np.random.Generator
) -> list[Feedback]:
    """The visitor's label, given at once, and perhaps a labeller's some days later."""
    labels = []
    if answered:
        source = "audit" if prediction.audit else "volunteered"
        when = prediction.made_at + timedelta(seconds=int(rng.integers(3, 40)))
        label = _label(truth, VISITOR_NOISE, rng)
        labels.append(Feedback(prediction.id, 1, label, source, prediction.visitor, when))
    if prediction.picture_kept and rng.random() < LABELLED:
        by = _synthetic_id(plan, "labeller", int(rng.integers(LABELLERS)))
        day = prediction.made_at + timedelta(days=int(rng.integers(1, 7)))
        when = day.replace(hour=int(rng.integers(9, 18)), minute=int(rng.integers(60)))
        label = _label(truth, LABELLER_NOISE, rng)
        queue = "random" if rng.random() < RANDOM_QUEUE else "useful"
        labels.append(Feedback(prediction.id, len(labels) + 1, label, "labeller", by, when, queue))
    return labels


def _plays(prediction: Prediction, truth: str, rng: np.random.Generator) -> list[Play]:
    """The playlist that was suggested, and up to two more that were asked for."""
    catalogue = read_catalogue()
    mode = "lift" if rng.random() < LIFTED else "match"
    entry = catalogue[prediction.mood]
    category = entry.lift_to if mode == "lift" else prediction.mood
    playlists = catalogue[category].playlists
    dislike = min(1.0, SKIPPED[prediction.mood] * (1 if prediction.mood == truth else 2))
    plays = []
    when = prediction.made_at
    for n, playlist in enumerate(playlists[:3], 1):
        plays.append(
            Play(prediction.id, n, playlist.id, playlist.name, mode, n > 1, "catalogue", when, category)
        )
        if rng.random() >= dislike:
            break
        when += timedelta(seconds=int(rng.integers(5, 30)))
    return plays


def _label(truth: int, noise: float, rng: np.random.Generator) -> str:
    """The true mood, or with probability `noise` another one."""
    other = (truth + 1 + int(rng.integers(len(NAMES) - 1))) % len(NAMES)
    return NAMES[other if rng.random() < noise else truth]


def _synthetic_id(plan: Plan, role: str, number: int) -> str:
    """A synthetic id: as long as the hash of a real visitor, but recognisable."""
    return MARK + hashlib.sha256(f"{plan.seed} {role} {number}".encode()).hexdigest()[len(MARK) :]
