"""The mood whose music a suggested playlist is: what Comet gets in place of the playlist's name."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.add_column("plays", sa.Column("category", sa.String))
