"""What each model said of the face of a prediction, including models whose answer was not shown."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "readings",
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("probabilities", sa.JSON, nullable=False),
        sa.Column("took_ms", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "version", name="pk_readings"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_readings_prediction_id", ondelete="CASCADE"
        ),
    )
