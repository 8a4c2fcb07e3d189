"""Models with weights on this machine: the base of a training run, and the champion."""

from vibecheck.errors import ModelError
from vibecheck.export.build import build
from vibecheck.models.installed import Installed, InstalledModels
from vibecheck.models.registry import Registry
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME, parse_source


def find_or_build(settings: Settings, name: str) -> Installed:
    """The model that `--base` names: a version, a Hub id, a folder, or embedded.

    A model that is not on this machine is fetched and built. Raises VibeCheckError.
    """
    shipped = Manifest.read(EMBEDDED).version
    if name in (EMBEDDED_NAME, shipped):
        return Installed(shipped, EMBEDDED, {})
    installed = InstalledModels(settings.data)
    with Registry.open(settings) as registry:
        registered = {each.version: each.source for each in registry.versions()}
    if name in registered and (folder := installed.source_folder(name)):
        return Installed(name, folder, {})
    try:
        source = parse_source(registered.get(name, name))
    except ValueError:
        raise ModelError(
            f"{name!r} is not a model: --base takes a version that python -m vibecheck models list shows, a "
            "Hub id (owner/name), a folder, or embedded."
        ) from None
    return build(settings, source)
