"""What the corrections page asks for: the label that holds, the queues, and an index for each filter."""

import sqlalchemy as sa
from alembic import op

revision = "0002_corrections"
down_revision = "0001"


def upgrade() -> None:
    op.add_column("feedback", sa.Column("queue", sa.String))
    op.create_index("ix_feedback_source_given_by", "feedback", ["source", "given_by"])
    op.add_column("predictions", sa.Column("label", sa.String))
    op.add_column(
        "predictions", sa.Column("labels_given", sa.Integer, nullable=False, server_default=sa.text("0"))
    )
    op.add_column("predictions", sa.Column("judged", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(
        "UPDATE predictions SET labels_given = "
        "(SELECT max(n) FROM feedback WHERE feedback.prediction_id = predictions.id), label = "
        "(SELECT label FROM feedback WHERE feedback.prediction_id = predictions.id ORDER BY n DESC LIMIT 1) "
        "WHERE id IN (SELECT prediction_id FROM feedback)"
    )
    for columns in (["mood", "made_at"], ["model_version", "made_at"], ["label"]):
        op.create_index(f"ix_predictions_{'_'.join(columns)}", "predictions", columns)
    for name, columns, where, sqlite_where in (
        ("unlabelled", ["made_at"], "label IS NULL", "label IS NULL"),
        ("disagreed", ["made_at"], "label <> mood", "label <> mood"),
        ("unsure", ["made_at"], "confidence < 0.5", "confidence < 0.5"),
        (
            "useful",
            ["mood", "confidence"],
            "label IS NULL AND picture_kept",
            "label IS NULL AND picture_kept = 1",
        ),
        ("random", ["id"], "picture_kept AND NOT judged", "picture_kept = 1 AND judged = 0"),
    ):
        op.create_index(
            f"ix_predictions_{name}",
            "predictions",
            columns,
            postgresql_where=sa.text(where),
            sqlite_where=sa.text(sqlite_where),
        )
