"""Builds a model for this machine: fetched, compiled, checked, installed where the app finds it.

    source → files and version → candidates, measured → data/models/VERSION

Imports torch once there is something to compile, so it runs in a process of its own, which reports its
progress: `python -m vibecheck compile`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from vibecheck.errors import ModelError, PictureError, RecordsError
from vibecheck.models.installed import Installed, InstalledModels, content_of, sources_in
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.text.version_name import as_version_name
from vibecheck.vision.classifier import EMBEDDED, Classifier, label_mapping
from vibecheck.vision.faces import Face
from vibecheck.vision.images import decode
from vibecheck.vision.manifest import FILE_NAME, Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME, Embedded, HubModel, Source

# Called with "fetching" (counted in bytes), "compiling" or "checking", how much is done, and the total.
Tell = Callable[[str, int, int], None]


def build(
    settings: Settings, source: Source, tell: Tell = lambda step, done, total: None, again: bool = False
) -> Installed:
    """The model of `source`, ready to run; built only if it is not installed intact, or `again`.

    Raises VibeCheckError, HubUnreachable if trying later may help.
    """
    job = _Build(settings, InstalledModels(settings.data), tell, again)
    try:
        if isinstance(source, HubModel):
            return job.from_hub(source)
        folder = EMBEDDED if isinstance(source, Embedded) else source.path
        return job.from_folder(folder) if folder.is_dir() else job.from_other_machine(folder)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ModelError(
            f"{source} could not be built ({reason}): check the space and the permissions in "
            f"{settings.data}, or set VIBECHECK_DATA to another folder."
        ) from error


@dataclass(frozen=True, slots=True)
class _Build:
    """One call of `build`."""

    settings: Settings
    installed: InstalledModels
    tell: Tell
    again: bool

    def from_hub(self, source: HubModel) -> Installed:
        from vibecheck.export import hub

        if source.version and (there := self._ready(source.version)):
            return there
        self.tell("fetching", 0, 0)
        token = self.settings.hf_token.get_secret_value() if self.settings.hf_token else None
        commit = None if source.version else hub.resolve(source, token)
        model = commit.model if commit else source

        def fetch(folder: Path) -> None:
            hub.fetch(commit or hub.resolve(model, token), folder, token, partial(self.tell, "fetching"))

        origin = f"https://huggingface.co/{model.repo}/tree/{model.revision}"
        # An accuracy stated by others is not proved here.
        about = {"version": model.version, "origin": origin, "promised_accuracy": None}
        return self._fetched(about, fetch, str(model))

    def from_folder(self, folder: Path) -> Installed:
        label_mapping(folder)  # raises if it cannot be used
        content = content_of(folder)
        name = f"{as_version_name(folder.name)[:100]}@{content[:12]}"
        manifest = Manifest.read(folder, Manifest(version=name, origin=f"the folder {folder}"[:300]))
        if there := self._ready(manifest.version, content):
            return there
        source = EMBEDDED_NAME if folder == EMBEDDED else str(folder)
        with self.installed.building(manifest.version) as part:
            if there := self._ready(manifest.version, content):
                return there
            self._check_name(manifest.version, folder, content)
            return self._made(folder, part, manifest, source)

    def _check_name(self, version: str, folder: Path, content: str) -> None:
        """Raises ModelError if this is the name of another model.

        It would run, without a promotion, wherever that one runs, and inherit its proof and calibration.
        """
        there = self.installed.find(version, ())
        if folder in (EMBEDDED, there and there.folder):
            return
        taken = there is not None and there.report.get("content") not in (None, content)
        if taken or (version == Manifest.read(EMBEDDED).version and content != content_of(EMBEDDED)):
            raise ModelError(
                f"{version} is the name of another model, whose files differ from those in {folder}: give "
                f"this one a version of its own in {folder / FILE_NAME}."
            )

    def from_other_machine(self, folder: Path) -> Installed:
        """The version that was built from a folder that is not on this machine, if the registry knows it."""
        from vibecheck.comet import model_files

        known = model_files.made_from(self.settings, folder)
        if known is None:
            raise ModelError(
                f"{folder} is not a folder: check the path (that of the app is VIBECHECK_MODEL)."
            )
        if there := self._ready(known.version):
            return there

        def fetch(files: Path) -> None:
            self.tell("fetching", 0, 0)
            model_files.fetch(self.settings, known, files, partial(self.tell, "fetching"))

        return self._fetched({"version": known.version}, fetch, str(folder))

    def _ready(self, version: str, content: str | None = None) -> Installed | None:
        """The version, if it is installed, unless it was built from other files or is to be built again."""
        there = None if self.again else self.installed.find(version)
        return there if there and content in (None, there.report.get("content")) else None

    def _fetched(self, about: dict[str, Any], fetch: Callable[[Path], None], source: str) -> Installed:
        """A version built from files that `fetch` downloads into a folder, unless they are here.

        `about` has its name and other fields of its manifest that do not come from the files.
        """
        version = about["version"]
        with self.installed.building(version) as part:
            # Another process may have built it while this one waited.
            if there := self._ready(version):
                return there
            files, downloads = self.installed.source_folder(version), self.installed.downloads(version)
            if files is None:
                fetch(files := downloads)
            known = Manifest.read(files, Manifest(version=version))
            done = self._made(files, part, known.model_copy(update=about), source)
            shutil.rmtree(downloads, ignore_errors=True)
        return done

    def _made(self, files: Path, part: Path, manifest: Manifest, source: str) -> Installed:
        """Fill the folder `part` from `files` and the best candidate, and install it as the version."""
        from vibecheck.export import candidates

        settings = self.settings
        for path in sources_in(files, "README.md"):
            _link_or_copy(path, part / path.name, settings.data)
        (part / FILE_NAME).unlink(missing_ok=True)  # it may be a hard link to a file that must not change
        manifest.write(part)
        kept = _kept_faces(settings, candidates.FACES)
        report = candidates.compile_folder(part, settings.threads, kept, self.tell)
        agreement = agreement_with_embedded(Classifier.load(part, settings.threads))
        about = {"source": source, "content": content_of(files), "made_at": datetime.now(UTC).isoformat()}
        return self.installed.place(
            manifest.version, part, about | report | {"agreement_with_embedded": agreement}
        )


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
