"""Which predictions train models and which judge them; and one rule for the label that holds.

So far `predictions.label` was the last label; now a labeller's goes before a visitor's, as elsewhere.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("predictions", sa.Column("side", sa.String))
    op.execute(
        "UPDATE predictions SET label = "
        "(SELECT label FROM feedback WHERE feedback.prediction_id = predictions.id "
        "ORDER BY CASE WHEN source = 'labeller' THEN 1 ELSE 0 END DESC, n DESC LIMIT 1) "
        "WHERE id IN (SELECT prediction_id FROM feedback WHERE source = 'labeller')"
    )
