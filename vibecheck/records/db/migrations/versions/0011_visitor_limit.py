"""Outcomes know their visitor, of whom at most three labels of a kind count a day."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("outcomes", sa.Column("visitor", sa.String))
    op.add_column("outcomes", sa.Column("eligible", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index("ix_outcomes_visitor_day", "outcomes", ["visitor", "day"])
