"""A label from the random queue counts although a labeller gave another one later, having seen the answer."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

MOODS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
EDGES = {
    "confidence": tuple(edge / 15 for edge in range(1, 15)),
    "light": (60, 100, 215),
    "blur": (25, 100),
    "size": (64, 128),
    "yaw": (10, 25),
}
RANDOM = "f.source = 'labeller' AND f.queue = 'random'"


def upgrade() -> None:
    seen = f"""kind = 'labeller'
        AND EXISTS (SELECT * FROM feedback f WHERE f.prediction_id = outcomes.prediction_id AND {RANDOM})
        AND NOT EXISTS (SELECT * FROM feedback f
            WHERE f.prediction_id = outcomes.prediction_id AND f.n = outcomes.n AND f.queue = 'random')"""
    table = sa.table("outcomes", sa.column("counts", sa.Boolean), sa.column("eligible", sa.Boolean))
    op.execute(sa.update(table).values(counts=sa.false(), eligible=sa.false()).where(sa.text(seen)))
    op.execute(_add_random())


def _add_random() -> str:
    sqlite = op.get_bind().dialect.name == "sqlite"
    day = "date(p.made_at)" if sqlite else "CAST(p.made_at AT TIME ZONE 'UTC' AS DATE)"
    moods = ", ".join(f"'{mood}'" for mood in MOODS)
    probability = " ".join(f"WHEN '{mood}' THEN p.p_{mood}" for mood in MOODS)
    newer = "r.prediction_id = f.prediction_id AND r.source = f.source AND r.queue = f.queue AND r.n > f.n"
    return f"""
    INSERT INTO outcomes (prediction_id, n, kind, day, model_version, source, mood, label, correct, counts,
        eligible, holds, confidence, label_probability, {", ".join(f"{signal}_bin" for signal in EDGES)},
        given_at, visitor)
    SELECT f.prediction_id, f.n, f.source, {day}, p.model_version, p.source, p.mood, f.label,
        p.mood = f.label, TRUE, TRUE, FALSE, p.confidence, CASE f.label {probability} END,
        {", ".join(map(_bin, EDGES))}, f.given_at, p.visitor
    FROM feedback f JOIN predictions p ON p.id = f.prediction_id
    WHERE {RANDOM} AND f.label IN ({moods}) AND NOT EXISTS (SELECT * FROM feedback r WHERE {newer})
        AND NOT EXISTS (SELECT * FROM outcomes o WHERE o.prediction_id = f.prediction_id AND o.n = f.n)
    """


def _bin(signal: str) -> str:
    value = f"abs(p.{signal})" if signal == "yaw" else f"p.{signal}"
    whens = " ".join(f"WHEN {value} < {edge!r} THEN {number}" for number, edge in enumerate(EDGES[signal]))
    return f"CASE {whens} ELSE {len(EDGES[signal])} END"
