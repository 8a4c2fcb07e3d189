"""Outcomes know their visitor, of whom at most three labels of a kind count a day: see `connect.migrate`."""

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    pass
