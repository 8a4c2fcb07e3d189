"""Calibrations that were learned from audits; each prediction names the one it was made under."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("from_when", sa.DateTime(timezone=True), nullable=False),
        sa.Column("temperature", sa.Double, nullable=False),
        sa.Column("bias", sa.JSON, nullable=False),
        sa.Column("n", sa.Integer, nullable=False),
        sa.Column("later", sa.Integer, nullable=False),
        sa.Column("loss_before", sa.Double, nullable=False),
        sa.Column("loss_after", sa.Double, nullable=False),
        sa.Column("error_before", sa.Double, nullable=False),
        sa.Column("error_after", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_calibrations"),
    )
    op.create_index("ix_calibrations_version_from_when", "calibrations", ["version", "from_when"])
    op.add_column("predictions", sa.Column("calibration", sa.String(32)))
