"""The summaries that the dashboard counts, which `connect.migrate` makes; an index of the least confident."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("ix_predictions_confidence", "predictions", ["confidence"])
