"""A plausible history, written straight into the tables: for measurements and for looking at the dashboard.

The model is worse in the dark and when the face is turned, it takes fear for surprise and sad for
neutral, it is too sure of itself, and of its mistakes far more are reported than of its right answers.
"""

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
from sqlalchemy import Engine, insert

from vibecheck.emotions import NAMES
from vibecheck.records.db.tables import PROBABILITIES, feedback, model_versions, plays, predictions
from vibecheck.records.db.transactions import writing
from vibecheck.records.stats import summaries

CHUNK = 20_000
LANDMARKS = json.loads("[[100.5, 120.25], [220.5, 120.25], [160.5, 170.5], [110.5, 220.5], [210.5, 220.5]]")
MIX = np.array([0.06, 0.03, 0.05, 0.34, 0.3, 0.12, 0.1])
# How likely a face of each mood is shown as each mood, in the order of EMOTIONS.
SHOWN = np.array(
    [
        [0.74, 0.06, 0.05, 0.01, 0.07, 0.06, 0.01],
        [0.21, 0.58, 0.04, 0.02, 0.07, 0.07, 0.01],
        [0.07, 0.02, 0.54, 0.02, 0.08, 0.10, 0.17],
        [0.00, 0.00, 0.01, 0.94, 0.03, 0.01, 0.01],
        [0.03, 0.01, 0.01, 0.04, 0.82, 0.08, 0.01],
        [0.05, 0.02, 0.05, 0.02, 0.19, 0.66, 0.01],
        [0.01, 0.01, 0.08, 0.05, 0.03, 0.01, 0.81],
    ]
)


def fill(
    engine: Engine,
    count: int,
    labels: int,
    days: int,
    last: date,
    seed: int = 0,
    versions: int = 3,
    pictured: bool = False,
) -> list[str]:
    """Writes `count` predictions over `days` days up to `last`, about `labels` labels; returns the ids.

    With `pictured` the rows say that their pictures were kept, of which there are none.
    """
    rng = np.random.default_rng(seed)
    start = datetime.combine(last - timedelta(days=days - 1), datetime.min.time(), UTC)
    moments = np.sort(rng.random(count) ** 0.8) * (days - 0.01) * 86_400
    names = ["embedded-3", *(f"face-{number}" for number in range(2, versions + 1))][:versions]
    # Of all labels a third is audits' answers, which are a sixth of all checks at most.
    wanted = min(1.0, labels / max(count, 1) / 0.37)
    ids: list[str] = []
    with writing(engine) as connection:
        for first in range(0, count, CHUNK):
            some = moments[first : first + CHUNK]
            rows, given, played = _chunk(rng, start, some, names, days, wanted, pictured)
            ids += [row["id"] for row in rows]
            connection.execute(insert(predictions), rows)
            if given:
                connection.execute(insert(feedback), given)
            connection.execute(insert(plays), played)
        for number, name in enumerate(names):
            used = start + timedelta(days=days * number / versions)
            origin = "a history made up for measurements"
            connection.execute(insert(model_versions).values(version=name, origin=origin, first_used_at=used))
        summaries.rebuild(connection)
    return ids


def _chunk(
    rng: np.random.Generator,
    start: datetime,
    moments: np.ndarray,
    names: list[str],
    days: int,
    wanted: float,
    pictured: bool,
) -> tuple[list[dict], list[dict], list[dict]]:
    n = len(moments)
    age = moments / 86_400 / days
    truth = rng.choice(7, n, p=MIX)
    dark = rng.random(n) < 0.12 + 0.1 * (age > 0.97)
    light = np.where(dark, rng.uniform(15, 59, n), rng.uniform(62, 210, n))
    yaw = rng.normal(0, 12, n)
    spoilt = rng.random(n) < 0.4 * dark + 0.3 * (abs(yaw) > 25) + 0.06 - 0.06 * age
    mood = np.minimum((SHOWN.cumsum(axis=1)[truth] < rng.random((n, 1))).sum(axis=1), 6)
    mood = np.where(spoilt, rng.integers(0, 7, n), mood)
    right = mood == truth
    confidence = np.clip(np.where(right, rng.beta(6, 1.6, n), rng.beta(4, 2.4, n)), 0.24, 0.995)
    rest = rng.dirichlet(np.full(6, 0.6), n) * (1 - confidence[:, None])
    source = rng.choice(["live", "photo", "upload"], n, p=[0.7, 0.2, 0.1])
    audit = rng.random(n) < 0.25
    asks = rng.random(n)
    rows, given, played = [], [], []
    for i in range(n):
        shares = np.insert(rest[i], mood[i], confidence[i])
        made = start + timedelta(seconds=float(moments[i]))
        row = {
            "id": rng.bytes(16).hex(),
            "made_at": made,
            "source": str(source[i]),
            "mood": NAMES[mood[i]],
            "confidence": float(confidence[i]),
            **dict(zip(PROBABILITIES, map(float, shares), strict=True)),
            "model_version": names[min(int(age[i] * len(names)), len(names) - 1)],
            "visitor": None,
            "face_x": 60.0,
            "face_y": 60.0,
            "face_width": 200.0,
            "face_height": 200.0,
            "face_score": 0.9,
            "landmarks": LANDMARKS,
            "light": float(light[i]),
            "blur": float(rng.gamma(2.0, 70.0)),
            "size": float(rng.uniform(40, 320)),
            "yaw": float(yaw[i]),
            "roll": float(rng.normal(0, 6)),
            "latency_ms": float(rng.normal(28, 4)),
            "audit": bool(audit[i]),
            "picture_kept": pictured,
            "label": None,
            "labels_given": 0,
        }
        rows.append(row)
        # Audits are answered evenly, mistakes volunteered far more than what was right.
        chance = 0.62 if audit[i] else 0.15 if right[i] else 0.7
        if asks[i] < chance * wanted:
            label = NAMES[truth[i] if rng.random() < 0.97 else rng.integers(0, 7)]
            row |= {"label": label, "labels_given": 1}
            given.append(
                {
                    "prediction_id": row["id"],
                    "n": 1,
                    "label": label,
                    "source": "audit" if audit[i] else "volunteered",
                    "given_by": None,
                    "given_at": made + timedelta(seconds=20),
                }
            )
        played.append(
            {
                "prediction_id": row["id"],
                "n": 1,
                "playlist_id": "p",
                "playlist_name": "A playlist",
                "mode": "match",
                "again": bool(rng.random() < 0.15),
                "found_by": "catalogue",
                "suggested_at": made,
            }
        )
    return rows, given, played
