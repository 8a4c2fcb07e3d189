"""The visitor's answer that a suggested playlist followed; NULL where it followed the predicted mood."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("plays", sa.Column("followed", sa.String))
