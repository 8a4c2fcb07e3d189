"""Reads the files that settings may be in: .env, and Streamlit's secrets."""

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from io import StringIO
from pathlib import Path

from dotenv.main import resolve_variables
from dotenv.parser import Binding, parse_stream

from vibecheck.errors import SettingsError

# Later files win, as in Streamlit.
SECRETS_FILES = ("~/.streamlit/secrets.toml", ".streamlit/secrets.toml")
DOTENV = ".env"


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


def read_dotenv() -> dict[str, str]:
    """The entries of .env that are not empty. Raises SettingsError if it cannot be read."""
    entries = [(each.key, each.value) for each in _dotenv() if each.key is not None]
    return {name: value for name, value in resolve_variables(entries, override=True).items() if value}


def broken_lines() -> list[int]:
    """The numbers of the lines of .env that set nothing. Raises SettingsError if it cannot be read."""
    found = []
    for each in _dotenv():
        if each.error or (each.key and each.value is None):
            parsed = each.original.string  # with the blank lines before it
            found.append(each.original.line + parsed[: -len(parsed.lstrip())].count("\n"))
    return found


def _dotenv() -> tuple[Binding, ...]:
    with _readable(DOTENV):
        path = Path(DOTENV)
        return _parsed(path.read_text(encoding="utf-8") if path.is_file() else "")


@lru_cache(1)  # Streamlit asks once for each secret
def _parsed(text: str) -> tuple[Binding, ...]:
    return tuple(parse_stream(StringIO(text)))


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
