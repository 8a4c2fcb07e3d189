"""The tables: one row per prediction, label, play, reading, model, promotion, run, message or note.

`migrations/` creates them; a test compares the two. Everything the dashboard counts is a
column, so that the database can count it.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    false,
    text,
    true,
)

from vibecheck.emotions import NAMES
from vibecheck.records.db.schema import UtcDateTime, metadata, partial_index

# One column for each of the seven probabilities, in the order of EMOTIONS.
PROBABILITIES: tuple[str, ...] = tuple(f"p_{name}" for name in NAMES)

# Below this confidence the model itself considers its answer more likely wrong than right.
UNSURE = 0.5

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
    *(Column(f"face_{name}", Double, nullable=False) for name in ("x", "y", "width", "height", "score")),
    Column("landmarks", JSON, nullable=False),  # read together or not at all: [[x, y], …]
    *(Column(name, Double, nullable=False) for name in ("light", "blur", "size", "yaw", "roll")),
    Column("latency_ms", Double, nullable=False),
    Column("audit", Boolean, nullable=False),
    Column("picture_kept", Boolean, nullable=False),
    # Derived from `feedback` by `labels/give.py`, so that a page of unlabelled or of wrong predictions is
    # read from an index: the effective label, how many labels were ever given, and whether, of those that
    # were not undone, one came from the random queue and another person gave a second one.
    Column("label", String),
    Column("labels_given", Integer, nullable=False, server_default=text("0")),
    Column("judged", Boolean, nullable=False, server_default=false()),
    Column("judged_twice", Boolean, nullable=False, server_default=false()),
    # Whether its picture trains models or judges them ("train", "held_out"). Permanent once assigned.
    Column("side", String),
    # Whether it counts in the mixes of `daily`: see MOST_IN_MIX in stats/summaries.py. Permanent.
    Column("counts", Boolean, nullable=False, server_default=true()),
    # The calibration it was made under; NULL: that of the model as shipped. No foreign key: after a restore
    # the calibration may be missing.
    Column("calibration", String(32)),
    Index(None, "made_at"),
    Index(None, "confidence"),
    Index(None, "visitor", "made_at"),
    Index(None, "mood", "made_at"),
    Index(None, "model_version", "made_at"),
    # Partial: with the NULLs in it, SQLite would use this index for the unlabelled ones, and sort them all.
    partial_index("ix_predictions_label", "label", where="label IS NOT NULL"),
    partial_index("ix_predictions_unlabelled", "made_at", where="label IS NULL"),
    partial_index("ix_predictions_disagreed", "made_at", where="label <> mood"),
    partial_index("ix_predictions_unsure", "made_at", where=f"confidence < {UNSURE}"),
    partial_index(
        "ix_predictions_useful",
        "mood",
        "confidence",
        where="label IS NULL AND picture_kept",
        sqlite_where="label IS NULL AND picture_kept = 1",
    ),
    partial_index(
        "ix_predictions_random",
        "id",
        where="picture_kept AND NOT judged",
        sqlite_where="picture_kept = 1 AND judged = 0",
    ),
    partial_index(  # see labels/second_labels.py
        "ix_predictions_second",
        "id",
        where="picture_kept AND judged AND NOT judged_twice AND substr(id, 30, 3) < '19a'",
        sqlite_where="picture_kept = 1 AND judged = 1 AND judged_twice = 0 AND substr(id, 30, 3) < '19a'",
    ),
)


def prediction_key() -> Column[str]:
    """First half of the key of what belongs to a prediction and is deleted with it."""
    return Column("prediction_id", ForeignKey(predictions.c.id, ondelete="CASCADE"), primary_key=True)


feedback = Table(
    "feedback",
    metadata,
    prediction_key(),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("label", String, nullable=False),
    Column("source", String, nullable=False),
    Column("given_by", String),
    Column("given_at", UtcDateTime, nullable=False),
    Column("queue", String),
    # No index may begin with the source: SQLite would use it to find the labels of a prediction.
    partial_index("ix_feedback_labellers", "given_by", "queue", where="source = 'labeller'"),
    partial_index("ix_feedback_second", "given_by", where="source = 'second'"),
)

plays = Table(
    "plays",
    metadata,
    prediction_key(),
    Column("n", Integer, primary_key=True, autoincrement=False),
    Column("playlist_id", String, nullable=False),
    Column("playlist_name", String, nullable=False),
    Column("mode", String, nullable=False),
    Column("again", Boolean, nullable=False),
    Column("found_by", String, nullable=False),
    Column("suggested_at", UtcDateTime, nullable=False),
    Column("category", String),
    Column("followed", String),
)

# What each model said of the face crop of a prediction, the champion included (see `readings.py`).
readings = Table(
    "readings",
    metadata,
    prediction_key(),
    # No foreign key: the reading remains true when the registry no longer knows the model.
    Column("version", String, primary_key=True),
    Column("probabilities", JSON, nullable=False),  # seven, in the order of EMOTIONS
    Column("took_ms", Double, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("version", String, primary_key=True),
    Column("origin", String, nullable=False),
    Column("first_used_at", UtcDateTime, nullable=False),
)

# The registry (see `vibecheck/models/registry.py`): models that may run, whether they have been used or not.
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
    # No foreign key: that a model learned from a picture remains true when the picture is deleted.
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

# Calibrations learned from audits (see `vibecheck/models/calibrations.py`); the latest of a version is in
# use. They say nothing about anybody and are never deleted: each is needed to invert the probabilities made
# with it.
calibrations = Table(
    "calibrations",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("version", String, nullable=False),
    Column("from_when", UtcDateTime, nullable=False),
    Column("temperature", Double, nullable=False),
    Column("bias", JSON, nullable=False),
    Column("n", Integer, nullable=False),
    Column("later", Integer, nullable=False),
    Column("loss_before", Double, nullable=False),
    Column("loss_after", Double, nullable=False),
    Column("error_before", Double, nullable=False),
    Column("error_after", Double, nullable=False),
    Index(None, "version", "from_when"),
)

# Training runs (see `training_runs`), so that every copy of the app sees their progress and outcome.
jobs = Table(
    "jobs",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("state", String, nullable=False),
    Column("asked", JSON, nullable=False),
    # Where it runs: a name for people, and the PID namespace of `pid`.
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
    # At most one is running, even if two copies start one at the same time.
    partial_index("ix_jobs_one_running", "state", where="state = 'running'", unique=True),
)

outbox = Table(
    "outbox",
    metadata,
    # SQLite autoincrements only columns of exactly the type INTEGER.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    # No foreign key: the message that a prediction was deleted must outlive the prediction.
    Column("prediction_id", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    # How often it was claimed, and the earliest time of the next attempt.
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_attempt_at", UtcDateTime),
    # The sender that has claimed it, and when the claim expires.
    Column("claimed_by", String),
    Column("claimed_until", UtcDateTime),
    # When Comet rejected it; `reason` is why, or why the last attempt failed.
    Column("set_aside_at", UtcDateTime),
    Column("reason", String),
    Index(None, "prediction_id"),
    sqlite_autoincrement=True,  # ids of rows that were sent are not reused
)

# Notes that processes leave for each other: one row per subject, the latest wins.
notes = Table(
    "notes",
    metadata,
    Column("subject", String, primary_key=True),
    Column("content", JSON, nullable=False),
    Column("noted_at", UtcDateTime, nullable=False),
)

# Ids whose deletion was sent to Comet, so that a restore does not bring them back.
forgotten = Table(
    "forgotten",
    metadata,
    Column("prediction_id", String(32), primary_key=True),
    Column("forgotten_at", UtcDateTime, nullable=False),
)
