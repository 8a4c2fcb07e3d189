"""The tables: one row a prediction, label, playlist, model, promotion, run, thing to be sent, or note.

`metadata` is what the code expects; `migrations/` is how a database gets there. A test holds the two
together. Everything the dashboard counts is a column of its own, so that the database can count it.
"""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
    false,
    text,
)

from vibecheck.emotions import NAMES
from vibecheck.records.stats.bins import SIGNALS

# One column for each of the seven probabilities, in the order of EMOTIONS.
PROBABILITIES: tuple[str, ...] = tuple(f"p_{name}" for name in NAMES)

# Below this confidence the model is more likely wrong than right, by its own account.
UNSURE = 0.5

# Named by a rule, so that a later migration can name what it alters, on SQLite too.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


def _partial(name: str, *columns: str, where: str, sqlite_where: str | None = None) -> Index:
    """An index of the rows for which `where` is true.

    SQLite uses it only for a question that has the same condition in the same words, in which it
    writes a boolean as a number.
    """
    return Index(name, *columns, postgresql_where=text(where), sqlite_where=text(sqlite_where or where))


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: kept in UTC, read back in UTC with its time zone, on SQLite as on Postgres.

    A time without a zone is refused with ValueError (SQLAlchemy wraps it in StatementError).
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError("a time must carry a time zone to be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


predictions = Table(
    "predictions",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("made_at", UtcDateTime, nullable=False),
    Column("source", String, nullable=False),
    Column("mood", String, nullable=False),
    Column("confidence", Double, nullable=False),
    *(Column(name, Double, nullable=False) for name in PROBABILITIES),
    Column("model_version", String, nullable=False),
    Column("visitor", String),
    Column("face_x", Double, nullable=False),
    Column("face_y", Double, nullable=False),
    Column("face_width", Double, nullable=False),
    Column("face_height", Double, nullable=False),
    Column("face_score", Double, nullable=False),
    Column("landmarks", JSON, nullable=False),  # read together or not at all: [[x, y], …]
    Column("light", Double, nullable=False),
    Column("blur", Double, nullable=False),
    Column("size", Double, nullable=False),
    Column("yaw", Double, nullable=False),
    Column("roll", Double, nullable=False),
    Column("latency_ms", Double, nullable=False),
    Column("audit", Boolean, nullable=False),
    Column("picture_kept", Boolean, nullable=False),
    # What `feedback` says of this prediction, noted here by `labels.py` so that a page of the unlabelled,
    # or of the wrong ones, is read from an index: the label that holds, how many were ever given, and
    # whether one of those that were not taken back came from the random queue.
    Column("label", String),
    Column("labels_given", Integer, nullable=False, server_default=text("0")),
    Column("judged", Boolean, nullable=False, server_default=false()),
    # Whether its picture trains models or judges them ("train", "held_out"), once that was drawn; it stays.
    Column("side", String),
    Index(None, "made_at"),
    Index(None, "confidence"),
    Index(None, "visitor", "made_at"),
    Index(None, "mood", "made_at"),
    Index(None, "model_version", "made_at"),
    # Of those that have one: SQLite would list here those that have none, and sort them all.
    _partial("ix_predictions_label", "label", where="label IS NOT NULL"),
    _partial("ix_predictions_unlabelled", "made_at", where="label IS NULL"),
    _partial("ix_predictions_disagreed", "made_at", where="label <> mood"),
    _partial("ix_predictions_unsure", "made_at", where=f"confidence < {UNSURE}"),
    _partial(
        "ix_predictions_useful",
        "mood",
        "confidence",
        where="label IS NULL AND picture_kept",
        sqlite_where="label IS NULL AND picture_kept = 1",
    ),
    _partial(
        "ix_predictions_random",
        "id",
        where="picture_kept AND NOT judged",
        sqlite_where="picture_kept = 1 AND judged = 0",
    ),
)


def _prediction_id() -> Column[str]:
    """First half of the key of what hangs on a prediction, and goes when it goes."""
    return Column("prediction_id", ForeignKey(predictions.c.id, ondelete="CASCADE"), primary_key=True)


feedback = Table(
    "feedback",
    metadata,
    _prediction_id(),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("label", String, nullable=False),
    Column("source", String, nullable=False),
    Column("given_by", String),
    Column("given_at", UtcDateTime, nullable=False),
    Column("queue", String),
    # No index may begin with the source: SQLite would look there for the other labels of a prediction.
    _partial("ix_feedback_labellers", "given_by", "queue", where="source = 'labeller'"),
)

plays = Table(
    "plays",
    metadata,
    _prediction_id(),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("playlist_id", String, nullable=False),
    Column("playlist_name", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("found_by", String, nullable=False),
    Column("suggested_at", UtcDateTime, nullable=False),
    Column("category", String),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", String, primary_key=True),
    Column("origin", String, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)

# The registry (see `registry.py`): models that may run, whether or not they have made a prediction yet.
registered_models = Table(
    "registered_models",
    metadata,
    Column("version", String, primary_key=True),
    Column("origin", String, nullable=False),
    Column("source", String, nullable=False),
    Column("metrics", JSON, nullable=False),
    Column("registered_at", UtcDateTime, nullable=False),
)

trained_on = Table(
    "trained_on",
    metadata,
    Column("version", ForeignKey(registered_models.c.version, ondelete="CASCADE"), primary_key=True),
    # No foreign key: that a model learned from a picture stays true when the picture is deleted.
    Column("prediction_id", String(32), primary_key=True),
    Column("deleted_at", UtcDateTime),  # when the prediction was deleted, if it was
    Index(None, "prediction_id"),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("alias", String, primary_key=True),
    Column("version", ForeignKey(registered_models.c.version), nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("version", String, nullable=False),
    Column("replaced", String),
    Column("kind", String, nullable=False),
    Column("why", String, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

# Training runs (see `vibecheck.training`), so that every copy of the app sees how each goes and went.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String, nullable=False),
    Column("asked", JSON, nullable=False),
    # Where it runs: a name for people, and what its process number is a number in.
    Column("host", String, nullable=False),
    Column("pid_space", String, nullable=False),
    Column("pid", Integer),
    Column("started_at", UtcDateTime, nullable=False),
    Column("renewed_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("cancel_asked_at", UtcDateTime),
    Column("progress", JSON),
    Column("sentence", String),
    Column("log", String),
    Column("report", JSON),
    # At most one runs, whatever two copies that start at once believe.
    Index(
        "ix_jobs_one_running",
        "state",
        unique=True,
        postgresql_where=text("state = 'running'"),
        sqlite_where=text("state = 'running'"),
    ),
)

outbox = Table(
    "outbox",
    metadata,
    # SQLite counts up by itself only in a column of exactly the type INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    # No foreign key: the news that a prediction was deleted must outlive the prediction.
    Column("prediction_id", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # How often it was taken up to be sent, and not before when it is to be taken up again.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", UtcDateTime),
    # The sender that has it in hand, and until when nobody else takes it.
    Column("claimed_by", String),
    Column("claimed_until", UtcDateTime),
    # Comet will not have it, and why; or why the last attempt failed.
    Column("set_aside_at", UtcDateTime),
    Column("reason", String),
    Index(None, "prediction_id"),
    sqlite_autoincrement=True,  # the number of a row that was sent is never given out again
)

# What processes tell each other about Comet: one row a subject, the last word of whoever wrote it.
notes = Table(
    "notes",
    metadata,
    Column("subject", String, primary_key=True),
    Column("content", JSON, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
)

# Ids whose deletion reached Comet, so that nothing that was read from there before brings them back.
forgotten = Table(
    "forgotten",
    metadata,
    Column("prediction_id", String(32), primary_key=True),
    Column("forgotten_at", UtcDateTime, nullable=False),
)

# What `daily` counts in each bin of each signal: confidence_0, confidence_1, … yaw_2.
BIN_COUNTERS: tuple[str, ...] = tuple(
    f"{signal.column}_{number}" for signal in SIGNALS for number in range(len(signal.names))
)

# Summaries of the tables above, kept up to date by the transactions that change those: see summaries.py.
daily = Table(
    "daily",
    metadata,
    Column("day", Date, primary_key=True),  # in UTC
    Column("model_version", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("mood", String, primary_key=True),
    Column("n", Integer, nullable=False),
    Column("audits", Integer, nullable=False),
    Column("plays", Integer, nullable=False),
    Column("agains", Integer, nullable=False),
    Column("confidence_sum", Double, nullable=False),
    Column("latency_sum", Double, nullable=False),  # ms
    *(Column(name, Integer, nullable=False) for name in BIN_COUNTERS),
)

outcomes = Table(
    "outcomes",
    metadata,
    _prediction_id(),
    Column("n", Integer, primary_key=True, autoincrement=False),  # of the label
    Column("kind", String, nullable=False),  # the source of the label
    Column("day", Date, nullable=False),  # of the prediction, in UTC
    Column("model_version", String, nullable=False),
    Column("source", String, nullable=False),  # of the prediction
    Column("mood", String, nullable=False),
    Column("label", String, nullable=False),
    Column("correct", Boolean, nullable=False),
    Column("counts", Boolean, nullable=False),  # in the statistics of its kind
    Column("holds", Boolean, nullable=False),  # of this prediction's labels, the one to believe
    Column("confidence", Double, nullable=False),
    Column("label_probability", Double, nullable=False),  # what the model gave the label
    *(Column(f"{signal.column}_bin", Integer, nullable=False) for signal in SIGNALS),
    Column("given_at", UtcDateTime, nullable=False),
    Index(None, "day"),
)
