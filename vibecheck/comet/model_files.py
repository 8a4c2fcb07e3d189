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
from vibecheck.comet.sdk_errors import sdk_errors
from vibecheck.errors import CometError, CometRejected, CometUnavailable, ModelError
from vibecheck.models.installed import checksum, sources_in

# The name of the group of files in an experiment that Comet treats as a model.
GROUP = "vibecheck"
MATRIX = "confusion-matrix.json"
FILE = re.compile(
    r"(?:config|preprocessor_config|vibecheck)\.json|README\.md"
    r"|model(?:-\d{5}-of-\d{5})?\.safetensors(?:\.index\.json)?"
)
# Two machines may choose the same next number; one of them retries.
TRIES = 5
CHUNK = 1 << 20
LARGEST = 1_500_000_000  # bytes of one file, as for models of the Hub

Tell = Callable[[int, int], None]


def registry_name(deployment: str) -> str:
    """The name of a deployment's model in Comet's registry, of small letters, digits and dashes."""
    return f"vibecheck-{re.sub(r'[^a-z0-9]+', '-', deployment.lower()).strip('-') or 'main'}"


def files_of(folder: Path) -> dict[str, str]:
    """The files that a model is made from, with their SHA-256."""
    paths = [path for path in sources_in(folder, "README.md") if FILE.fullmatch(path.name)]
    sums = {path.name: checksum(path) for path in paths}
    return {name: digest for name, digest in sums.items() if digest is not None}


def upload(comet: Comet, version: str, folder: Path, files: Mapping[str, str], matrix: Any = None) -> None:
    """Uploads a version's files to Comet's model registry, except those already there.

    `matrix` is a confusion matrix with its labels, uploaded along. On return Comet has everything. Raises
    CometError.
    """
    place = layout.place_of_model(version)
    comet.experiment(place)
    missing = {name: (folder / name).stat().st_size for name in files} | ({MATRIX: None} if matrix else {})
    missing = _missing(comet, version, missing)
    if missing:
        with sdk_errors("upload the model"), comet.live(place) as experiment:
            if not experiment.alive:
                raise CometUnavailable("Comet did not create the model's experiment.")
            for name in missing:
                if name == MATRIX:
                    cells, labels = matrix
                    experiment.log_confusion_matrix(matrix=cells, labels=labels, file_name=MATRIX)
                else:
                    experiment.log_model(GROUP, str(folder / name), file_name=name)
        if left := _missing(comet, version, missing):
            raise CometUnavailable(f"Files of the model did not arrive in Comet: {', '.join(left)}.")
    _register(comet, version)


def fetch(comet: Comet, version: str, files: Mapping[str, str], folder: Path, tell: Tell) -> None:
    """Downloads a version's files from Comet's registry into `folder`, except those already complete.

    `files` are their SHA-256 by name, from the records. `tell` is called with bytes done and bytes in total.
    Raises CometError, and ModelError for files that are missing or differ.
    """
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
            _download(comet, version, listed[name], path, _after(done, total, tell))
            if checksum(path) != digest:
                path.unlink()
                raise ModelError(f"{name} of {version} arrived damaged from Comet, or was changed there.")
        done += listed[name].size
        tell(done, total)


class _File:
    """A file as Comet lists it; `size` is in bytes."""

    def __init__(self, listed: Mapping[str, Any]) -> None:
        self.id, self.name = str(listed["assetId"]), str(listed["fileName"])
        self.size = int(listed.get("fileSize") or 0)


def _missing(comet: Comet, version: str, wanted: Mapping[str, int | None]) -> dict[str, int | None]:
    """Those of the files that the model's experiment does not have in this size (None: in any size)."""
    experiment = comet.experiment(layout.place_of_model(version))
    with sdk_errors("list the model's files"):
        there = {file.name: file.size for file in map(_File, experiment.get_asset_list() or ())}
    return {
        name: size
        for name, size in wanted.items()
        if name not in there or (size is not None and there[name] != size)
    }


def _versions(comet: Comet) -> list[dict[str, Any]]:
    """The versions of the deployment's model in Comet's registry; none if there is no such model."""
    from comet_ml.exceptions import CometRestApiException

    with sdk_errors("look into the model registry"):
        try:
            details = comet.api.get_registry_model_details(
                comet.account.workspace, registry_name(comet.deployment)
            )
        except CometRestApiException as error:
            if error.response.status_code in (400, 404):
                return []
            raise
        return list((details or {}).get("versions") or ())


def _number_of(versions: list[dict[str, Any]], key: str) -> str | None:
    """The number in Comet's registry of the version that belongs to this experiment, or None."""
    found = [each for each in versions if (each.get("experimentModel") or {}).get("experimentKey") == key]
    return str(found[0]["version"]) if found else None


def _register(comet: Comet, version: str) -> None:
    key = layout.experiment_key(comet.deployment, layout.place_of_model(version))
    refused: CometError | None = None
    for _ in range(TRIES):
        versions = _versions(comet)
        if _number_of(versions, key) is not None:
            return
        numbers = [int(each["version"].split(".")[0]) for each in versions]
        try:
            with sdk_errors("register the model"):
                comet.experiment(layout.place_of_model(version)).register_model(
                    GROUP,
                    version=f"{max(numbers, default=0) + 1}.0.0",
                    registry_name=registry_name(comet.deployment),
                    description=f"Reads moods from faces; live in {comet.deployment}.",
                    comment=version,
                    tags=[],
                )
        except CometRejected as error:
            refused = error
    if _number_of(_versions(comet), key) is None:
        raise refused or CometUnavailable("Comet's model registry did not accept the model.")


def _registered_files(comet: Comet, version: str) -> dict[str, _File]:
    key = layout.experiment_key(comet.deployment, layout.place_of_model(version))
    number = _number_of(_versions(comet), key)
    if number is None:
        raise ModelError(f"{version} is not in Comet's model registry.")
    with sdk_errors("list the model's files"):
        model = comet.api.get_model(comet.account.workspace, registry_name(comet.deployment))
        return {each.name: each for each in map(_File, model.get_assets(number))}


def _after(done: int, total: int, tell: Tell) -> Callable[[int], None]:
    """Reports the bytes of one file, when those of others are done."""
    return lambda count: tell(done + count, total)


def _download(comet: Comet, version: str, file: _File, path: Path, tell: Callable[[int], None]) -> None:
    experiment = comet.experiment(layout.place_of_model(version))
    count = 0
    with sdk_errors(f"download {file.name}"):
        answer = experiment.get_asset(file.id, return_type="response", stream=True)
        with path.open("wb") as target:
            for chunk in answer.iter_content(CHUNK):
                count += len(chunk)
                if count > LARGEST:
                    raise ModelError(
                        f"{file.name} of {version} is larger than the largest model that is accepted."
                    )
                target.write(chunk)
                tell(count)
