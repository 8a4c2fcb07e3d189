"""The music of each mood, read from catalogue.toml: playlists, search queries, reasons."""

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Self

from pydantic import BaseModel, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from vibecheck.emotions import NAMES
from vibecheck.errors import MusicError

CATALOGUE = Path(__file__).with_name("catalogue.toml")

Mood = Annotated[str, StringConstraints(pattern=f"^({'|'.join(NAMES)})$")]
Line = Annotated[str, StringConstraints(pattern=r"^\S.*\S$", max_length=120)]
Id = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{22}$")]
Word = Annotated[str, StringConstraints(pattern=r"^\S(.*\S)?$", max_length=30)]


class CataloguePlaylist(BaseModel, frozen=True, extra="forbid"):
    """A playlist in the catalogue."""

    id: Id
    name: Line


class MoodMusic(BaseModel, frozen=True, extra="forbid"):
    """The music of one mood; catalogue.toml says what each field is for."""

    search: Annotated[tuple[Line, ...], Field(min_length=1, max_length=3)]
    words: Annotated[tuple[Word, ...], Field(min_length=1)]
    match: Line
    lift: Line
    lift_to: Mood
    near: Mood
    calm: Id
    playlists: Annotated[tuple[CataloguePlaylist, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _playlists_fit(self) -> Self:
        ids = [each.id for each in self.playlists]
        if repeated := sorted({each for each in ids if ids.count(each) > 1}):
            raise ValueError(f"playlists listed more than once: {', '.join(repeated)}")
        if self.calm not in ids:
            raise ValueError("calm is not the id of one of its playlists")
        return self


@cache
def read_catalogue(path: Path = CATALOGUE) -> Mapping[str, MoodMusic]:
    """The catalogue by mood. Each file is read and validated once.

    Raises MusicError that names the file and each invalid entry.
    """
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
        catalogue = TypeAdapter(dict[Mood, MoodMusic]).validate_python(entries)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        raise MusicError(f"{path} cannot be used: {problems}.") from error
    except (OSError, ValueError) as error:
        raise MusicError(f"{path} cannot be read: {error}.") from error
    if missing := [name for name in NAMES if name not in catalogue]:
        raise MusicError(f"{path} cannot be used: it has no entry for {', '.join(missing)}.")
    return MappingProxyType(catalogue)


def moods_in(name: str, catalogue: Mapping[str, MoodMusic]) -> set[str]:
    """The moods whose words or emoji appear in a playlist's name, in any case and as whole words."""
    tokens = _tokens(name)
    return {mood for mood, music in catalogue.items() if any(_tokens(word) in tokens for word in music.words)}


def _tokens(text: str) -> str:
    """Words, then symbols such as emoji, separated and enclosed by spaces: "Lo-Fi 😴" is " lo fi 😴 "."""
    folded = text.casefold()
    words = re.findall(r"[^\W_]+", folded)
    symbols = [char for char in folded if unicodedata.category(char) == "So"]
    return f" {' '.join([*words, *symbols])} "
