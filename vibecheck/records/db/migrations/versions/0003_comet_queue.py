"""The outbox becomes a queue; notes between processes; ids that are forgotten."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002_corrections"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    for column in (
        sa.Column("attempts", sa.Integer, nullable=False, server_default=sa.text("0")),
        sa.Column("next_attempt_at", TIME),
        sa.Column("claimed_by", sa.String),
        sa.Column("claimed_until", TIME),
        sa.Column("set_aside_at", TIME),
        sa.Column("reason", sa.String),
    ):
        op.add_column("outbox", column)
    op.create_table(
        "notes",
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("content", sa.JSON, nullable=False),
        sa.Column("noted_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("subject", name="pk_notes"),
    )
    op.create_table(
        "forgotten",
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("forgotten_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", name="pk_forgotten"),
    )
