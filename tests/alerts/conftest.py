from collections.abc import Iterator

import pytest

from tests.databases import open_store
from vibecheck.records.store import Store
from vibecheck.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path, model="embedded")


@pytest.fixture
def store(settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()
