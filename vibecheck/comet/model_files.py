"""Uploads the files of models that were made here to Comet's model registry, and downloads them.

A deployment has one model in Comet's registry, with a version (1.0.0, 2.0.0, …) for each of its models whose
comment is VibeCheck's own version. The files belong to the model's experiment. Downloads are checked against
the checksums in the records.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from vibecheck.comet import layout
from vibecheck.comet.client import Comet
from vibecheck.comet.layout import Asset
from vibecheck.comet.sdk_errors import sdk_errors
from vibecheck.errors import CometError, CometRejected, CometUnavailable, HubUnreachable, ModelError
from vibecheck.models.installed import checksum, sources_in
from vibecheck.models.registry import Registry
from vibecheck.models.registry_records import VersionRecord
from vibecheck.models.version import Version
from vibecheck.settings import Settings
from vibecheck.vision.manifest import Manifest

# The metric of a version whose files are in Comet: their SHA-256 by name.
FILES = "comet_files"

# The name of the group of files in an experiment that Comet treats as a model.
GROUP = "vibecheck"
MATRIX = "confusion-matrix.json"
FILE = re.compile(
    r"(?:config|preprocessor_config|vibecheck)\.json|README\.md"
    r"|model(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?"
)
# Two machines may choose the same next number; one of them retries.
TRIES = 5
LARGEST = 1_500_000_000  # bytes of one file, as for models of the Hub

Tell = Callable[[int, int], None]


def registry_name(deployment: str) -> str:
    """The name of a deployment's model in Comet's registry, of small letters, digits and dashes."""
    return f"vibecheck-{re.sub(r'[^a-z0-9]+', '-', deployment.lower()).strip('-') or 'main'}"


def upload(comet: Comet, version: str, folder: Path, matrix: Any = None) -> dict[str, str]:
    """Uploads the files that a version is made from to Comet's model registry, except those already there.

    `matrix` is a confusion matrix with its labels, uploaded along. On return Comet has everything. Returns
    the files with their SHA-256. Raises CometError.
    """
    paths = [path for path in sources_in(folder, "README.md") if FILE.fullmatch(path.name)]
    files = {path.name: digest for path in paths if (digest := checksum(path)) is not None}
    place = layout.place_of_model(version)
    comet.experiment(place)
    sizes: dict[str, int | None] = {name: (folder / name).stat().st_size for name in files}
    if missing := _missing(comet, place, sizes | ({MATRIX: None} if matrix else {})):
        with sdk_errors("upload the model"), comet.live(place) as experiment:
            if not experiment.alive:
                raise CometUnavailable("Comet did not create the model's experiment.")
            for name in missing:
                if name == MATRIX:
                    cells, labels = matrix
                    experiment.log_confusion_matrix(matrix=cells, labels=labels, file_name=MATRIX)
                else:
                    experiment.log_model(GROUP, str(folder / name), file_name=name)
        if left := _missing(comet, place, missing):
            raise CometUnavailable(f"Files of the model did not arrive in Comet: {', '.join(left)}.")
    _register(comet, version)
    return files


def are_there(comet: Comet, record: VersionRecord) -> bool:
    """Whether Comet's registry lists all files that were sent of a version."""
    try:
        listed = _registered_files(comet, record.version)
    except ModelError:
        return False
    return set(record.metrics.get(FILES) or ()) <= listed.keys()


def made_from(settings: Settings, folder: Path) -> Version | None:
    """The registered version that was made from a folder which is not on this machine, or None."""
    with Registry.open(settings) as registry:
        return next((each for each in reversed(registry.versions()) if each.source == str(folder)), None)


def fetch(settings: Settings, version: Version, folder: Path, tell: Tell) -> None:
    """Downloads the files of a version from Comet's registry into `folder`, except those already complete.

    `tell` is called with bytes done and bytes in total. Raises ModelError for files that are missing or
    differ, HubUnreachable where it may work later, and CometError.
    """
    files = version.metrics.get(FILES)
    where = f"{version.version} was made in {version.source}, which is not a folder on this machine"
    if settings.comet_api_key is None:
        raise ModelError(
            f"{where}. Set COMET_API_KEY on the machine that has it and on this one: then it is fetched from "
            "Comet."
        )
    if not isinstance(files, dict) or not all(
        isinstance(each, str) for pair in files.items() for each in pair
    ):
        raise HubUnreachable(
            f"{where}, and is not in Comet's model registry yet: the machine that has it sends it."
        )
    try:
        _download(Comet.open(settings), version.version, files, folder, tell)
    except CometUnavailable as error:
        raise HubUnreachable(str(error)) from error
    found = Manifest.read(folder).version
    if found != version.version:
        raise ModelError(f"The model that Comet has as {version.version} is named {found}.")


def _download(comet: Comet, version: str, files: Mapping[str, str], folder: Path, tell: Tell) -> None:
    """Downloads those of the files, given with their SHA-256, that are not in the folder yet."""
    if wrong := [name for name in files if not FILE.fullmatch(name)]:
        raise ModelError(f"The records name a file {wrong[0]!r} of {version}, which no model has.")
    listed = _registered_files(comet, version)
    if lacking := sorted(files.keys() - listed.keys()):
        raise ModelError(f"{', '.join(lacking)} of {version} is not in Comet, or was deleted there.")
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(listed[name].size for name in files)
    done = 0
    for name, digest in files.items():
        path = folder / name
        if checksum(path) != digest:
            with path.open("wb") as target:
                for chunk in comet.chunks(layout.place_of_model(version), listed[name], LARGEST):
                    target.write(chunk)
                    tell(done + target.tell(), total)
            if checksum(path) != digest:
                path.unlink()
                raise ModelError(f"{name} of {version} arrived damaged from Comet, or was changed there.")
        done += listed[name].size
        tell(done, total)


def _missing(comet: Comet, place: layout.Place, sizes: Mapping[str, int | None]) -> dict[str, int | None]:
    """Those of the files that Comet does not have in this size (None: in any size)."""
    there = {asset.name: asset.size for asset in comet.assets(place)}
    return {
        name: size
        for name, size in sizes.items()
        if name not in there or (size is not None and there[name] != size)
    }


def _registered(comet: Comet, version: str) -> tuple[str | None, list[str]]:
    """The number of a version in Comet's model registry, or None, and the numbers of all versions there."""
    from comet_ml.exceptions import CometRestApiException

    with sdk_errors("look into the model registry"):
        try:
            details = comet.api.get_registry_model_details(
                comet.account.workspace, registry_name(comet.deployment)
            )
        except CometRestApiException as error:
            if error.response.status_code not in (400, 404):
                raise
            details = None  # there is no such model
        numbers = {
            str(each["version"]): (each.get("experimentModel") or {}).get("experimentKey")
            for each in (details or {}).get("versions") or ()
        }
    key = layout.experiment_key(comet.deployment, layout.place_of_model(version))
    return next((number for number, its in numbers.items() if its == key), None), list(numbers)


def _register(comet: Comet, version: str) -> None:
    refused: CometError | None = None
    for _ in range(TRIES):
        number, numbers = _registered(comet, version)
        if number is not None:
            return
        latest = max((int(each.split(".")[0]) for each in numbers), default=0)
        try:
            with sdk_errors("register the model"):
                comet.experiment(layout.place_of_model(version)).register_model(
                    GROUP,
                    version=f"{latest + 1}.0.0",
                    registry_name=registry_name(comet.deployment),
                    description=f"Reads moods from faces; live in {comet.deployment}.",
                    comment=version,
                    tags=[],
                )
        except CometRejected as error:
            refused = error
    if _registered(comet, version)[0] is None:
        raise refused or CometUnavailable("Comet's model registry did not accept the model.")


def _registered_files(comet: Comet, version: str) -> dict[str, Asset]:
    """The files that Comet's registry lists for a version, by name. Raises ModelError without any."""
    number, _ = _registered(comet, version)
    if number is None:
        raise ModelError(f"{version} is not in Comet's model registry.")
    with sdk_errors("list the model's files"):
        model = comet.api.get_model(comet.account.workspace, registry_name(comet.deployment))
        return {asset.name: asset for each in model.get_assets(number) if (asset := Asset.of(each))}
