"""A label from the random queue counts although a labeller gave another one later, having seen the answer.

No table changes: `connect.migrate` counts the summaries anew.
"""

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    pass
