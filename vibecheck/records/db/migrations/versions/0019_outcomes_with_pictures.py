"""Outcomes say whether the picture was kept, so that trainable labels are counted from them alone.

No table changes but the summaries: see `connect.migrate`.
"""

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    pass
