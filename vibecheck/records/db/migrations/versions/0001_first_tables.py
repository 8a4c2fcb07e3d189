"""The first tables.

A migration is never changed once it is released, so this one takes nothing from `tables.py`.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

TIME = sa.DateTime(timezone=True)
NUMBERS = (
    *("p_angry", "p_disgust", "p_fear", "p_happy", "p_neutral", "p_sad", "p_surprise"),
    *("face_x", "face_y", "face_width", "face_height", "face_score"),
    *("light", "blur", "size", "yaw", "roll"),
    "latency_ms",
)


def upgrade() -> None:
    op.create_table(
        "predictions",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("mood", sa.String, nullable=False),
        sa.Column("confidence", sa.Double, nullable=False),
        sa.Column("model_version", sa.String, nullable=False),
        sa.Column("visitor", sa.String),
        *(sa.Column(name, sa.Double, nullable=False) for name in NUMBERS),
        sa.Column("landmarks", sa.JSON, nullable=False),
        sa.Column("audit", sa.Boolean, nullable=False),
        sa.Column("picture_kept", sa.Boolean, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
    )
    op.create_index("ix_predictions_made_at", "predictions", ["made_at"])
    op.create_index("ix_predictions_visitor_made_at", "predictions", ["visitor", "made_at"])
    op.create_table(
        "feedback",
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("label", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("given_by", sa.String),
        sa.Column("given_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "n", name="pk_feedback"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_feedback_prediction_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "plays",
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("n", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("playlist_id", sa.String, nullable=False),
        sa.Column("playlist_name", sa.String, nullable=False),
        sa.Column("mode", sa.String, nullable=False),
        sa.Column("again", sa.Boolean, nullable=False),
        sa.Column("found_by", sa.String, nullable=False),
        sa.Column("suggested_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("prediction_id", "n", name="pk_plays"),
        sa.ForeignKeyConstraint(
            ["prediction_id"], ["predictions.id"], name="fk_plays_prediction_id", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "model_versions",
        sa.Column("version", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("first_used_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_model_versions"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.Column("payload", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_outbox_prediction_id", "outbox", ["prediction_id"])
