"""The name of a model version, as manifests, records and reports accept it."""

from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

# Letters of any script with their combining marks: pydantic's \w matches those, Python's does not.
VersionName = Annotated[str, Field(max_length=120, pattern=r"^[\w.@/-]+$")]

_VERSION_NAME = TypeAdapter(VersionName)


def check_version_name(name: str) -> None:
    """Raises ValueError unless this can be the name of a version."""
    if not _fits(name):
        raise ValueError(
            f"{name[:120]!r} is not the name of a version: it takes up to 120 letters, digits and . _ - @ /"
        )


def as_version_name(text: str) -> str:
    """The text, with "-" for "@", "/" and every character that is not allowed in a name."""
    return "".join(each if each not in "@/" and _fits(each) else "-" for each in text)


def _fits(name: str) -> bool:
    try:
        _VERSION_NAME.validate_python(name)
    except ValidationError:
        return False
    return True
