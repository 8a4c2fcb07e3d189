"""A label from the random queue counts although a labeller gave another one later, having seen the answer.

No table changes but the summaries: see `connect.migrate`.
"""

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    pass
