"""What a model learned from, and was deleted since."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("trained_on", sa.Column("deleted_at", sa.DateTime(timezone=True)))
