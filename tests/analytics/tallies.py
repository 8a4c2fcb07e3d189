"""Tallies as the database makes them, from answers."""

from collections.abc import Sequence

from vibecheck.records.stats.results import Bin, VisitorTally


def tally(*answers: Sequence[bool]) -> VisitorTally:
    """Of each visitor's answers, whether they were right."""
    shares = [sum(each) / len(each) for each in answers]
    n, correct = sum(map(len, answers)), sum(map(sum, answers))
    return VisitorTally(n, correct, len(answers), sum(shares), sum(share**2 for share in shares))


def independent(correct: int, n: int) -> VisitorTally:
    """Of as many visitors as answers."""
    return VisitorTally(n, correct, n, correct, correct)


def cell(label: str, mood: str, n: int) -> dict[tuple[str, str], tuple[int, float]]:
    return {(label, mood): (n, float(n))}


def confused(first: str, second: str, n: int, mistakes: int) -> dict[tuple[str, str], VisitorTally]:
    return {(first, second): independent(n, mistakes)}


def confidence_bin(number: int, n: int, correct: int, confidence: float) -> Bin:
    return Bin(number, independent(correct, n), float(n), float(correct), confidence)
