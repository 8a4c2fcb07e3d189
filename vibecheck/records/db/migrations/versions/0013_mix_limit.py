"""A visitor's predictions beyond ten a day do not count in the mixes of moods, signals and plays."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("predictions", sa.Column("counts", sa.Boolean, nullable=False, server_default=sa.true()))
