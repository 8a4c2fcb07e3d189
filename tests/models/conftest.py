"""Both databases, for the tests of the registry."""

from tests.records.conftest import (  # noqa: F401
    database_url,
    engine,
    postgres_server,
    postgres_url,
    settings,
    sqlite_url,
    store,
)
