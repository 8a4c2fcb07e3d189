"""Models that are ready to run on this machine, by their version."""

from contextlib import closing
from pathlib import Path

from vibecheck.errors import ModelError
from vibecheck.models.installed import Shelf, content_of
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest


def champion(settings: Settings) -> str:
    """The version that the registry names champion; that of the embedded model where it names none.

    Raises RecordsError.
    """
    with closing(Registry.open(settings)) as registry:
        version = registry.champion()
    return version.version if version else Manifest.read(EMBEDDED).version


def folder_of(version: str, data: Path) -> Path:
    """Where a version runs from, of those in the data folder and the one that ships with VibeCheck.

    Raises ModelError if it is not ready here.
    """
    there = Shelf(data).find(version)
    if version == Manifest.read(EMBEDDED).version:
        # On the shelf it is as it runs best here, if that was found out, and of the same weights.
        same = there is not None and there.report["content"] == content_of(EMBEDDED)
        return there.folder if there and same else EMBEDDED
    if there is None:
        raise ModelError(
            f"{version} is not ready on this machine: python -m vibecheck compile makes it so, models list "
            "shows what is."
        )
    return there.folder
