"""Where a model comes from: the Hugging Face Hub, a folder, or VibeCheck itself."""

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EMBEDDED_NAME = "embedded"
# The Hub's own rule (huggingface_hub.utils.validate_repo_id), and an owner.
_HUB_ID = re.compile(r"(?=.{3,96}\Z)[\w.-]+/[\w.-]+", re.ASCII)
_REVISION = re.compile(r"[\w./-]{1,120}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class HubModel:
    """A model on the Hub: `repo` is `owner/name`; `revision` a branch, tag or commit, None for the newest."""

    repo: str
    revision: str | None = None

    @property
    def version(self) -> str | None:
        """The version recorded with every prediction, if `revision` is a commit."""
        if self.revision is None or not _COMMIT.fullmatch(self.revision):
            return None
        return f"{self.repo}@{self.revision[:12]}"

    def __str__(self) -> str:
        return self.repo if self.revision is None else f"{self.repo}@{self.revision}"


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A Hugging Face model folder on this machine."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True, slots=True)
class Embedded:
    """The model that ships with VibeCheck."""

    def __str__(self) -> str:
        return EMBEDDED_NAME


Source = HubModel | ModelFolder | Embedded


def parse_source(text: str) -> Source:
    """Parse VIBECHECK_MODEL or what `compile` is given: owner/name[@revision], a folder, or `embedded`.

    An existing folder takes precedence over a Hub id of the same form. Raises ValueError.
    """
    text = text.strip()
    if text == EMBEDDED_NAME:
        return Embedded()
    with suppress(OSError, RuntimeError):  # too long, not readable, or "~" of an unknown user
        path = Path(text).expanduser() if text.startswith("~") else Path(text)
        if text.startswith((".", "/", "~")) or path.is_absolute() or (text and path.is_dir()):
            return ModelFolder(path.absolute())
    repo, at, revision = text.partition("@")
    invalid = ".." in text or "--" in repo
    if invalid or not _HUB_ID.fullmatch(repo) or (at and not _REVISION.fullmatch(revision)):
        raise ValueError(
            f"{text!r} is not a model: give a Hub id (owner/name or owner/name@revision), a folder, "
            "or embedded"
        )
    return HubModel(repo, revision or None)
