"""The summary tables, updated in the transactions that change the others: see stats/summaries.py.

`connect.migrate` makes them anew, so a change of them needs only an empty migration.
"""

from sqlalchemy import Boolean, Column, Date, Double, Index, Integer, String, Table, false, text

from vibecheck.records.db.schema import UtcDateTime, metadata
from vibecheck.records.db.tables import prediction_key
from vibecheck.records.stats.bins import SIGNALS

# What `daily` counts in each bin of each signal: confidence_0, confidence_1, … yaw_2.
BIN_COUNTERS: tuple[str, ...] = tuple(
    f"{signal.column}_{number}" for signal in SIGNALS for number in range(len(signal.names))
)

daily = Table(
    "daily",
    metadata,
    Column("day", Date, primary_key=True),  # in UTC
    Column("model_version", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("mood", String, primary_key=True),
    Column("n", Integer, nullable=False),
    # Predictions whose plays and bins are counted: at most MOST_IN_MIX of one visitor.
    Column("counted", Integer, nullable=False, server_default=text("0")),
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
    prediction_key(),
    Column("n", Integer, primary_key=True, autoincrement=False),  # of the label
    Column("kind", String, nullable=False),  # the source of the label
    Column("day", Date, nullable=False),  # of the prediction, in UTC
    Column("model_version", String, nullable=False),
    Column("source", String, nullable=False),  # of the prediction
    Column("mood", String, nullable=False),
    Column("label", String, nullable=False),
    Column("correct", Boolean, nullable=False),
    Column("counts", Boolean, nullable=False),  # in the statistics of its kind
    Column("holds", Boolean, nullable=False),  # whether it is the prediction's effective label
    Column("confidence", Double, nullable=False),
    Column("label_probability", Double, nullable=False),  # the model's probability of the label
    *(Column(f"{signal.column}_bin", Integer, nullable=False) for signal in SIGNALS),
    Column("given_at", UtcDateTime, nullable=False),
    Column("visitor", String),  # of the prediction
    # Whether it would count without the limit MOST_A_DAY of each visitor: see summaries.py.
    Column("eligible", Boolean, nullable=False, server_default=false()),
    Column("picture_kept", Boolean, nullable=False),  # of the prediction
    Index(None, "day"),
    Index(None, "visitor", "day"),
)
