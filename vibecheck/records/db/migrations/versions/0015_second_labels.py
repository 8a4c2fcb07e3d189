"""Second labels: whether a prediction has one, which ones wait for one, and who gave them."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"

WAITING = "picture_kept AND judged AND NOT judged_twice AND substr(id, 30, 3) < '19a'"
WAITING_ON_SQLITE = "picture_kept = 1 AND judged = 1 AND judged_twice = 0 AND substr(id, 30, 3) < '19a'"


def upgrade() -> None:
    op.add_column(
        "predictions", sa.Column("judged_twice", sa.Boolean, nullable=False, server_default=sa.false())
    )
    _partial("ix_predictions_second", "predictions", ["id"], WAITING, WAITING_ON_SQLITE)
    _partial("ix_feedback_second", "feedback", ["given_by"], "source = 'second'", "source = 'second'")


def _partial(name: str, table: str, columns: list[str], where: str, sqlite_where: str) -> None:
    op.create_index(name, table, columns, postgresql_where=sa.text(where), sqlite_where=sa.text(sqlite_where))
