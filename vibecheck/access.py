"""Who may open which page."""

from enum import IntEnum


class Role(IntEnum):
    """What somebody may do; each may do what those before may."""

    VISITOR = 0
    LABELLER = 1
    ANALYST = 2
    TRAINER = 3
