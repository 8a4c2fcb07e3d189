"""Splits values into batches, since queries take only so many parameters and transactions should be short."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, select

Value = TypeVar("Value")

# Values in one query; SQLite takes 32,766 in a statement, Postgres 65,535.
IN_A_QUERY = 5000


def batches(values: Iterable[Value], size: int = IN_A_QUERY) -> Iterator[list[Value]]:
    """The values in their order, `size` at a time."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def found_in(
    connection: Connection,
    column: ColumnElement[Any],
    values: Iterable[Value],
    *conditions: ColumnElement[bool],
) -> set[Value]:
    """Those of the values that the column has, in rows that meet the conditions."""
    found: set[Value] = set()
    for some in batches(values):
        found.update(connection.execute(select(column).where(column.in_(some), *conditions)).scalars())
    return found
