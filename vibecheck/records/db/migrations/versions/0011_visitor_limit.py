"""Outcomes know their visitor, of whom at most three labels of a kind count a day."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("outcomes", sa.Column("visitor", sa.String))
    op.add_column("outcomes", sa.Column("eligible", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(
        """
        UPDATE outcomes SET eligible = counts,
            visitor = (SELECT p.visitor FROM predictions p WHERE p.id = outcomes.prediction_id)
        """
    )
    op.create_index("ix_outcomes_visitor_day", "outcomes", ["visitor", "day"])
    ranked = """
        SELECT prediction_id, n, row_number() OVER (
            PARTITION BY visitor, day, kind ORDER BY given_at, prediction_id, n
        ) AS place
        FROM outcomes WHERE eligible AND visitor IS NOT NULL AND kind IN ('audit', 'volunteered')
    """
    op.execute(
        sa.update(sa.table("outcomes", sa.column("counts", sa.Boolean)))
        .values(counts=sa.false())
        .where(sa.text(f"(prediction_id, n) IN (SELECT prediction_id, n FROM ({ranked}) r WHERE place > 3)"))
    )
