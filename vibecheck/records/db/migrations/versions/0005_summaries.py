"""The summaries that the dashboard counts: `daily` and `outcomes`, filled from what is there.

A migration is never changed once it is released, so this one takes nothing from the code.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

MOODS = ("angry", "disgust", "fear", "happy", "neutral", "sad", "surprise")
EDGES = {
    "confidence": tuple(edge / 15 for edge in range(1, 15)),
    "light": (60, 100, 215),
    "blur": (25, 100),
    "size": (64, 128),
    "yaw": (10, 25),
}
KEY = ("day", "model_version", "source", "mood")
COUNTS = ("n", "audits", "plays", "agains")
SUMS = ("confidence_sum", "latency_sum")
BINS = tuple(f"{signal}_{number}" for signal, edges in EDGES.items() for number in range(len(edges) + 1))


def upgrade() -> None:
    op.create_index("ix_predictions_confidence", "predictions", ["confidence"])
    op.create_table(
        "daily",
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(name, sa.String, nullable=False) for name in KEY[1:]),
        *(sa.Column(name, sa.Integer, nullable=False) for name in COUNTS),
        *(sa.Column(name, sa.Double, nullable=False) for name in SUMS),
        *(sa.Column(name, sa.Integer, nullable=False) for name in BINS),
        sa.PrimaryKeyConstraint(*KEY, name="pk_daily"),
    )
    op.create_table(
        "outcomes",
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        *(
            sa.Column(name, sa.String, nullable=False)
            for name in ("model_version", "source", "mood", "label")
        ),
        *(sa.Column(name, sa.Boolean, nullable=False) for name in ("correct", "counts", "holds")),
        *(sa.Column(name, sa.Double, nullable=False) for name in ("confidence", "label_probability")),
        *(sa.Column(f"{signal}_bin", sa.Integer, nullable=False) for signal in EDGES),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "n", name="pk_outcomes"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_outcomes_prediction_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outcomes_day", "outcomes", ["day"])
    op.execute(_fill_daily())
    # SQLite would use this index for what the key finds a thousand times faster.
    op.drop_index("ix_feedback_source_given_by", "feedback")
    op.execute(_fill_outcomes())
    op.create_index("ix_feedback_source_given_by", "feedback", ["source", "given_by"])


def _day() -> str:
    if op.get_bind().dialect.name == "sqlite":
        return "date(p.made_at)"
    return "CAST(p.made_at AT TIME ZONE 'UTC' AS DATE)"


def _bin(signal: str) -> str:
    value = f"abs(p.{signal})" if signal == "yaw" else f"p.{signal}"
    whens = " ".join(f"WHEN {value} < {edge!r} THEN {number}" for number, edge in enumerate(EDGES[signal]))
    return f"CASE {whens} ELSE {len(EDGES[signal])} END"


def _fill_daily() -> str:
    of_it = "(SELECT count(*) FROM plays WHERE plays.prediction_id = p.id"
    counters = [
        "count(*)",
        "sum(CASE WHEN p.audit THEN 1 ELSE 0 END)",
        f"sum({of_it}))",
        f"sum({of_it} AND plays.again))",
        "sum(p.confidence)",
        "sum(p.latency_ms)",
        *(
            f"sum(CASE WHEN {_bin(signal)} = {number} THEN 1 ELSE 0 END)"
            for signal, edges in EDGES.items()
            for number in range(len(edges) + 1)
        ),
    ]
    key = f"{_day()}, p.model_version, p.source, p.mood"
    columns = ", ".join((*KEY, *COUNTS, *SUMS, *BINS))
    return (
        f"INSERT INTO daily ({columns}) SELECT {key}, {', '.join(counters)} FROM predictions p GROUP BY {key}"
    )


def _fill_outcomes() -> str:
    probability = " ".join(f"WHEN '{mood}' THEN p.p_{mood}" for mood in MOODS)
    same = "o.prediction_id = f.prediction_id"
    counts = f"""((f.source <> 'audit' OR p.audit)
        AND NOT EXISTS (SELECT * FROM feedback o WHERE {same} AND o.source = f.source AND (
            (f.source = 'audit' AND o.n < f.n) OR (f.source <> 'audit' AND o.n > f.n))))"""
    holds = f"""(NOT EXISTS (SELECT * FROM feedback o WHERE {same} AND (
            (o.source = 'labeller' AND f.source <> 'labeller') OR
            ((o.source = 'labeller') = (f.source = 'labeller') AND o.n > f.n))))"""
    return f"""
    INSERT INTO outcomes (prediction_id, n, kind, day, model_version, source, mood, label, correct, counts,
        holds, confidence, label_probability, {", ".join(f"{signal}_bin" for signal in EDGES)}, given_at)
    SELECT f.prediction_id, f.n, f.source, {_day()}, p.model_version, p.source, p.mood, f.label,
        p.mood = f.label, {counts}, {holds},
        p.confidence, CASE f.label {probability} END, {", ".join(map(_bin, EDGES))}, f.given_at
    FROM feedback f JOIN predictions p ON p.id = f.prediction_id
    WHERE f.label IN ({", ".join(f"'{mood}'" for mood in MOODS)}) AND ({counts} OR {holds})
    """
