"""Counts in sentences."""


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 day", "1,200 days"."""
    return f"{number:,} {noun}{'s' * (number != 1)}"
