"""Builds a model for this machine: fetched, compiled, checked, installed where the app finds it.

    source → files and version → candidates, measured → data/models/VERSION

Imports torch once there is something to compile, so it runs in a process of its own, which reports its
progress: `python -m vibecheck compile`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Protocol

import numpy as np

from vibecheck.emotions import map_labels
from vibecheck.errors import ModelError, PictureError, RecordsError
from vibecheck.models.installed import Installed, Shelf, content_of, sources_in
from vibecheck.models.version import Version
from vibecheck.names.version_name import as_version_name
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier, labels_of
from vibecheck.vision.faces import Face
from vibecheck.vision.images import decode
from vibecheck.vision.manifest import FILE_NAME, Manifest
from vibecheck.vision.model_source import Embedded, HubModel, Source

# Called with "fetching" (counted in bytes), "compiling" or "checking", how much is done, and the total.
Tell = Callable[[str, int, int], None]


class OtherMachines(Protocol):
    """Fetches a version whose folder is on another machine: `vibecheck.comet.model_files`."""

    def made_from(self, settings: Settings, folder: Path) -> Version | None:
        """The version that was built from `folder` on another machine, or None."""

    def fetch(
        self, settings: Settings, version: Version, folder: Path, tell: Callable[[int, int], None]
    ) -> None:
        """Downloads its files into `folder`; `tell` is called with bytes done and the total."""


def build(
    settings: Settings, source: Source, others: OtherMachines, tell: Tell, again: bool = False
) -> Installed:
    """The model of `source`, ready to run; built only if it is not installed intact, or `again`.

    `others` looks up a folder that is not on this machine. Raises VibeCheckError, HubUnreachable
    if trying later may help.
    """
    shelf = Shelf(settings.data)
    try:
        if isinstance(source, HubModel):
            return _from_hub(settings, shelf, source, tell, again)
        folder = EMBEDDED if isinstance(source, Embedded) else source.path
        if not folder.is_dir():
            return _from_other_machine(settings, shelf, folder, others, tell, again)
        return _from_folder(settings, shelf, folder, tell, again)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(
            f"{source} could not be built ({reason}): check the space and the permissions in "
            f"{settings.data}, or set VIBECHECK_DATA to another folder."
        ) from error


def _from_hub(settings: Settings, shelf: Shelf, source: HubModel, tell: Tell, again: bool) -> Installed:
    from vibecheck.export import hub

    def whole(version: str | None) -> Installed | None:
        return shelf.find(version) if version and not again else None

    if there := whole(source.version):
        return there
    tell("fetching", 0, 0)
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    commit = None
    if not (source.version and shelf.material(source.version)):
        commit = hub.resolve(source, token)
        source = commit.model
    version = source.version
    assert version is not None  # a commit has one
    with shelf.building(version) as part:
        # Another process may have built it while this one waited.
        if there := whole(version):
            return there
        files = shelf.material(version)
        if files is None:
            files = shelf.downloads(version)
            hub.fetch(
                commit or hub.resolve(source, token),
                files,
                token,
                partial(tell, "fetching"),
                lambda folder: map_labels(labels_of(folder)),
            )
        origin = f"https://huggingface.co/{source.repo}/tree/{source.revision}"
        about = {"version": version, "origin": origin, "promised_accuracy": None}
        known = Manifest.read(files) if (files / FILE_NAME).exists() else Manifest(version=version)
        manifest = known.model_copy(update=about)  # an accuracy stated by others is not proved here
        done = _made(settings, shelf, files, part, manifest, str(source), tell)
        shutil.rmtree(shelf.downloads(version), ignore_errors=True)
    return done


def _from_folder(settings: Settings, shelf: Shelf, folder: Path, tell: Tell, again: bool) -> Installed:
    labels_of(folder)  # raises if there are none
    content = content_of(folder)
    if (folder / FILE_NAME).exists():
        manifest = Manifest.read(folder)
    else:
        name = as_version_name(folder.name)[:100]
        manifest = Manifest(version=f"{name}@{content[:12]}", origin=f"the folder {folder}"[:300])

    def whole() -> Installed | None:
        there = shelf.find(manifest.version)
        return there if there and there.report["content"] == content and not again else None

    if there := whole():
        return there
    with shelf.building(manifest.version) as part:
        source = "embedded" if folder == EMBEDDED else str(folder)
        return whole() or _made(settings, shelf, folder, part, manifest, source, tell)


def _from_other_machine(
    settings: Settings, shelf: Shelf, folder: Path, others: OtherMachines, tell: Tell, again: bool
) -> Installed:
    """The version that was built from a folder that is not on this machine, if the registry knows it."""
    known = others.made_from(settings, folder)
    if known is None:
        raise ModelError(f"{folder} is not a folder: check VIBECHECK_MODEL.")
    version = known.version
    if not again and (there := shelf.find(version)):
        return there
    with shelf.building(version) as part:
        if not again and (there := shelf.find(version)):
            return there
        files = shelf.material(version)
        if files is None:
            files = shelf.downloads(version)
            tell("fetching", 0, 0)
            others.fetch(settings, known, files, partial(tell, "fetching"))
        done = _made(settings, shelf, files, part, Manifest.read(files), str(folder), tell)
        shutil.rmtree(shelf.downloads(version), ignore_errors=True)
    return done


def _made(
    settings: Settings, shelf: Shelf, files: Path, part: Path, manifest: Manifest, source: str, tell: Tell
) -> Installed:
    """Fill the folder `part` from `files` and the best candidate, and install it as the version."""
    from vibecheck.export import candidates

    for path in sources_in(files, "README.md"):
        _link_or_copy(path, part / path.name, settings.data)
    (part / FILE_NAME).unlink(missing_ok=True)  # it may be a hard link to a file that must not change
    manifest.write(part)
    kept = _kept_faces(settings, candidates.FACES)
    report = candidates.compile_folder(part, settings.threads, kept, tell)
    agreement = agreement_with_embedded(Classifier.load(part, settings.threads))
    report["agreement_with_embedded"] = agreement
    about = {"source": source, "content": content_of(files), "made_at": datetime.now(UTC).isoformat()}
    return shelf.place(manifest.version, part, about | report)


def agreement_with_embedded(model: Classifier) -> float:
    """The share of the built-in faces to which `model` and the embedded one give the same top mood."""
    from vibecheck.vision.sample_faces import face_crops

    ours, theirs = (
        each.probabilities(face_crops(each.manifest, each.side)).argmax(1)
        for each in (model, Classifier.load(EMBEDDED))
    )
    return float((ours == theirs).mean())


def _kept_faces(settings: Settings, limit: int) -> Iterator[tuple[np.ndarray, Face]]:
    """The newest `limit` kept pictures, each with its face; none if the records cannot be opened."""
    with suppress(RecordsError):
        store = Store.open(settings.records_url, settings.images_url)
        for prediction in store.pictured(limit):
            with suppress(PictureError, RecordsError):  # deleted since, or damaged
                jpeg = store.picture(prediction.id)
                if jpeg is not None:
                    yield decode(jpeg, name=prediction.picture_name), prediction.face


def _link_or_copy(source: Path, target: Path, data: Path) -> None:
    """A hard link if the file is in VibeCheck's own data folder, else a copy."""
    source = source.resolve()
    if source.is_relative_to(data.resolve()):
        try:
            os.link(source, target)
        except OSError:  # a file system without hard links
            pass
        else:
            return
    shutil.copy(source, target)
