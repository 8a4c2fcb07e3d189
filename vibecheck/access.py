"""Who may open which page."""

from enum import IntEnum


class Role(IntEnum):
    """What a session may do; each role may do what the ones before it may."""

    VISITOR = 0
    LABELLER = 1
    ANALYST = 2
    TRAINER = 3
