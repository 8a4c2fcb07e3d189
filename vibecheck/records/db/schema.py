"""Building blocks of all tables: the metadata, times in UTC, and partial indexes."""

from datetime import UTC, datetime

from sqlalchemy import DateTime, Dialect, Index, MetaData, TypeDecorator, text

from vibecheck.records.values import as_utc, check_time

# A naming convention, so that later migrations can name what they alter, on SQLite too.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}

metadata = MetaData(naming_convention=NAMING)


def partial_index(
    name: str, *columns: str, where: str, sqlite_where: str | None = None, unique: bool = False
) -> Index:
    """A partial index.

    SQLite uses it only for queries with literally the same condition, in which booleans are numbers.
    """
    on_sqlite = text(sqlite_where or where)
    return Index(name, *columns, unique=unique, postgresql_where=text(where), sqlite_where=on_sqlite)


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC with its time zone, on SQLite and Postgres alike.

    A time without a zone raises ValueError (which SQLAlchemy wraps in StatementError).
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        check_time("a time that is stored", value)
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else as_utc(value)
