"""Training runs, of which at most one is running."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(32), nullable=False),
        sa.Column("state", sa.String, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("host", sa.String, nullable=False),
        sa.Column("pid_space", sa.String, nullable=False),
        sa.Column("pid", sa.Integer),
        sa.Column("started_at", TIME, nullable=False),
        sa.Column("renewed_at", TIME, nullable=False),
        sa.Column("ended_at", TIME),
        sa.Column("cancel_asked_at", TIME),
        sa.Column("progress", sa.JSON),
        sa.Column("sentence", sa.String),
        sa.Column("log", sa.String),
        sa.Column("report", sa.JSON),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    running = sa.text("state = 'running'")
    op.create_index(
        "ix_jobs_one_running", "jobs", ["state"], unique=True, postgresql_where=running, sqlite_where=running
    )
