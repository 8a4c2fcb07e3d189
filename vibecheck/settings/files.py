"""Reads the files that settings may be in: .env, and Streamlit's secrets."""

import logging
import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path

from dotenv.parser import parse_stream
from pydantic_settings import BaseSettings, DotEnvSettingsSource

from vibecheck.errors import SettingsError

# Later files win, as in Streamlit.
SECRETS_FILES = ("~/.streamlit/secrets.toml", ".streamlit/secrets.toml")
DOTENV = ".env"
# Its parser warns of broken lines at each reading, without the file's name: `broken_lines` finds them.
logging.getLogger("dotenv").setLevel(logging.ERROR)


def read_secrets() -> dict[str, object]:
    """Streamlit's secrets, from its files. Raises SettingsError that names the one that cannot be read."""
    entries: dict[str, object] = {}
    for name in SECRETS_FILES:
        # expanduser leaves the ~ where the user has no home, as in some containers
        path = Path(os.path.expanduser(name))  # noqa: PTH111
        with _readable(name):
            if path.is_file():
                entries |= tomllib.loads(path.read_text(encoding="utf-8"))
    return entries


def read_dotenv() -> dict[str, object]:
    """The entries of .env that are not empty. Raises SettingsError if it cannot be read."""
    with _readable(DOTENV):
        source = DotEnvSettingsSource(BaseSettings, DOTENV, case_sensitive=True, env_ignore_empty=True)
        return dict(source.env_vars)


def broken_lines() -> list[int]:
    """The numbers of the lines of .env that set nothing. Raises SettingsError if it cannot be read."""
    with _readable(DOTENV):
        path = Path(DOTENV)
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = []
    for each in parse_stream(StringIO(text)):
        if each.error or (each.key and each.value is None):
            parsed = each.original.string  # with the blank lines before it
            found.append(each.original.line + parsed[: -len(parsed.lstrip())].count("\n"))
    return found


def scalars(entries: Mapping[str, object]) -> dict[str, str]:
    """The entries of a file that are neither tables, lists nor empty, as text."""
    kept = {name: str(value) for name, value in entries.items() if isinstance(value, str | int | float)}
    return {name: value for name, value in kept.items() if value}


@contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingsError(f"A settings file cannot be read: {name}: {reason}.") from error
