"""Two indexes hold fewer rows, because SQLite used them where another one is far better.

That of a label's source and giver was taken to find the other labels of a prediction, so each label that was
given read all of its source; that of the labels was taken to list what has none, and read all of that.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.drop_index("ix_feedback_source_given_by", "feedback")
    _partial("ix_feedback_labellers", "feedback", ["given_by", "queue"], "source = 'labeller'")
    op.drop_index("ix_predictions_label", "predictions")
    _partial("ix_predictions_label", "predictions", ["label"], "label IS NOT NULL")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, columns, postgresql_where=condition, sqlite_where=condition)
