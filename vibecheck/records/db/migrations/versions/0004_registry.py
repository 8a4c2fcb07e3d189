"""The registry of models: versions, what they were trained on, aliases, promotions."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "registered_models",
        sa.Column("version", sa.String, nullable=False),
        sa.Column("origin", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("metrics", sa.JSON, nullable=False),
        sa.Column("registered_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("version", name="pk_registered_models"),
    )
    op.create_table(
        "trained_on",
        sa.Column("version", sa.String, nullable=False),
        sa.Column("prediction_id", sa.String(32), nullable=False),
        sa.PrimaryKeyConstraint("version", "prediction_id", name="pk_trained_on"),
        sa.ForeignKeyConstraint(
            ["version"], ["registered_models.version"], name="fk_trained_on_version", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_trained_on_prediction_id", "trained_on", ["prediction_id"])
    op.create_table(
        "model_aliases",
        sa.Column("alias", sa.String, nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("alias", name="pk_model_aliases"),
        sa.ForeignKeyConstraint(["version"], ["registered_models.version"], name="fk_model_aliases_version"),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("replaced", sa.String),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("why", sa.String, nullable=False),
        sa.Column("made_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )
