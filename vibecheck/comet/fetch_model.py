"""Fetches a model that was made on another machine from Comet's model registry."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vibecheck.comet import model_files
from vibecheck.comet.client import Comet
from vibecheck.comet.status import FILES
from vibecheck.errors import CometUnavailable, HubUnreachable, ModelError
from vibecheck.models.registry import Registry
from vibecheck.models.version import Version
from vibecheck.settings import Settings
from vibecheck.vision.manifest import Manifest


def made_from(settings: Settings, folder: Path) -> Version | None:
    """The registered version that was made from a folder which is not on this machine, or None."""
    with closing(Registry.open(settings)) as registry:
        return next((each for each in reversed(registry.versions()) if each.source == str(folder)), None)


def fetch(settings: Settings, version: Version, folder: Path, tell: Callable[[int, int], None]) -> None:
    """Downloads the files of a version into `folder` and checks them. `tell`: see `model_files.fetch`.

    Raises ModelError, HubUnreachable where it may work later, and CometError.
    """
    files = version.metrics.get(FILES)
    if settings.comet_api_key is None:
        raise ModelError(
            f"{version.version} was made in {version.source}, which is not a folder on this machine. Set "
            "COMET_API_KEY on the machine that has it and on this one: then it is fetched from Comet."
        )
    if not isinstance(files, dict) or not all(
        isinstance(each, str) for pair in files.items() for each in pair
    ):
        raise HubUnreachable(
            f"{version.version} was made in {version.source}, which is not a folder on this machine, and is "
            "not in Comet's model registry yet: the machine that has it sends it."
        )
    try:
        model_files.fetch(Comet.open(settings), version.version, files, folder, tell)
    except CometUnavailable as error:
        raise HubUnreachable(str(error)) from error
    found = Manifest.read(folder).version
    if found != version.version:
        raise ModelError(f"The model that Comet has as {version.version} is named {found}.")
