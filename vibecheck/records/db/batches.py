"""Values in batches: a query takes a limited number of them, and a transaction has to be short."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")

# Values in one query; SQLite takes 32,766 in a statement, Postgres 65,535.
IN_A_QUERY = 5000


def batches(values: Iterable[Value], size: int = IN_A_QUERY) -> Iterator[list[Value]]:
    """The values in their order, `size` at a time."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch
