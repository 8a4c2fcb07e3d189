import pytest

from vibecheck.settings import Settings


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(data=tmp_path, model="embedded")
