"""The summaries that the dashboard counts: `daily` and `outcomes`, which `connect.migrate` fills."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BINS_OF = {"confidence": 15, "light": 4, "blur": 3, "size": 3, "yaw": 3}
KEY = ("day", "model_version", "source", "mood")
COUNTS = ("n", "audits", "plays", "agains")
SUMS = ("confidence_sum", "latency_sum")
BINS = tuple(f"{signal}_{number}" for signal, bins in BINS_OF.items() for number in range(bins))


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
        *(sa.Column(f"{signal}_bin", sa.Integer, nullable=False) for signal in BINS_OF),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "n", name="pk_outcomes"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_outcomes_prediction_id", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_outcomes_day", "outcomes", ["day"])
