"""The model that runs now: it follows the registry's champion, and changes between two frames.

The app starts at once on the embedded model. A thread looks at the registry every two seconds; a
champion whose files are not here yet is made ready in a process of its own, and until then, or where
that fails, the model that runs goes on.

It knows no page, and nothing of how a model is made.
"""

import contextlib
import gc
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from vibecheck.errors import ModelError, RecordsError, VibeCheckError
from vibecheck.models.background_build import BackgroundBuild, BuildState
from vibecheck.models.installed import Shelf, folder_of
from vibecheck.models.registry import Registry, Version
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME, Embedded
from vibecheck.vision.reader import Reader

LOOK_EVERY = 2.0  # s
# After a failure that may pass, the same model is tried again no sooner than this.
RETRY_AFTER = 600.0  # s

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """What is under way or in the way: the model that is wanted, how far it is, or why it does not run."""

    wanted: str
    state: BuildState


class LiveModel:
    """Reads pictures with the model that runs now. May be shared by threads.

    `change` is None while the champion runs.
    """

    def __init__(self, settings: Settings, look_every: float = LOOK_EVERY) -> None:
        """Opens the embedded model; `follow` looks for another. Raises ModelError."""
        self._settings = settings
        self._look_every = look_every
        self._shelf = Shelf(settings.data)
        self.embedded = Manifest.read(EMBEDDED).version
        self.reader = Reader.open(self._embedded_folder(), settings.threads)
        self.change: ModelChange | None = None
        self._registry: Registry | None = None
        self._build: BackgroundBuild | None = None
        self._not_before: dict[str, float] = {}  # when a model that failed may be tried again
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="champion", daemon=True)

    def follow(self) -> Self:
        """Start to follow the registry."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Follow no longer, and end what is under way."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._build:
            self._build.stop()
        if self._registry:
            self._registry.close()

    @property
    def manifest(self) -> Manifest:
        """The model that runs now."""
        return self.reader.classifier.manifest

    @property
    def report(self) -> dict[str, Any] | None:
        """What was measured when the model that runs now was made ready; None as it shipped."""
        there = self._shelf.find(self.manifest.version, ())
        return there.report if there else None

    def look(self) -> None:
        """Look at the registry once, and do what it takes to run its champion. Raises RecordsError."""
        if self._registry is None:
            self._registry = Registry.open(self._settings)
        champion = self._registry.champion()
        if champion is None:
            self._begin(self._registry)
        elif champion.version == self.manifest.version:
            self._not_before.clear()
            self._settle(None)
        else:
            self._change_to(champion, self._registry)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self.look()
            except RecordsError as error:
                # Without records there is no registry: what runs goes on. Each vibe check says it too.
                log.debug("The registry cannot be read: %s", error)
            except Exception as error:
                log.exception("The champion could not be followed")
                wanted = self.change.wanted if self.change else self._settings.model
                sentence = f"{wanted} does not run ({type(error).__name__}); the terminal says more."
                self.change = ModelChange(wanted, BuildState("failed", sentence=sentence))
            self._stopped.wait(self._look_every)

    def _begin(self, registry: Registry) -> None:
        """In a new installation, the setting names the first champion."""
        now = datetime.now(UTC)
        source = self._settings.source
        shipped = Manifest.read(EMBEDDED)
        if isinstance(source, Embedded):
            _register(registry, shipped, now)
            registry.begin(shipped.version, "The first model, named by VIBECHECK_MODEL.", now)
            return
        wanted = str(source)
        if version := self._prepared(wanted, wanted):
            _register(registry, shipped, now)
            registry.begin(version, "The first model, named by VIBECHECK_MODEL.", now, shipped.version)

    def _newly_came_along(self, registry: Registry, before: Version) -> bool:
        """After an update: the embedded model is another one, and the one before is not here to run.

        The new one takes its place, once: of copies of two releases each would otherwise have its own.
        """
        shipped = Manifest.read(EMBEDDED)
        if shipped.version in {each.version for each in registry.versions()}:
            return False
        now = datetime.now(UTC)
        _register(registry, shipped, now)
        why = f"It came with an update of VibeCheck, in place of {before.version}."
        with contextlib.suppress(ModelError):  # another copy may have been quicker
            registry.promote(shipped.version, why, now, override=True)
        return True

    def _change_to(self, champion: Version, registry: Registry) -> None:
        """Run another model, as soon as its files are here."""
        if champion.source == EMBEDDED_NAME:
            if champion.version == self.embedded:
                self._swap(self._embedded_folder())
            elif self._newly_came_along(registry, champion):
                self.look()
            else:
                sentence = f"{champion.version} did not come with this version of VibeCheck."
                self._settle(ModelChange(champion.version, BuildState("failed", sentence=sentence)))
            return
        if self._waiting(champion.version):
            return
        if not self._build and (there := self._shelf.find(champion.version)):
            try:
                self._swap(there.folder)
            except ModelError as error:
                self._failed(champion.version, BuildState("failed", sentence=str(error)))
            return
        version = self._prepared(champion.version, champion.source)
        if version and version != champion.version:
            sentence = f"{champion.source} is no longer {champion.version}, but {version}."
            self._failed(champion.version, BuildState("failed", sentence=sentence))

    def _prepared(self, wanted: str, source: str) -> str | None:
        """The version made from `source`, once it is ready; until then it is under way, or has failed."""
        if self._waiting(wanted):
            return None
        if self._build and self._build.source != source:
            self._build.stop()  # another champion meanwhile
            self._build = None
        if self._build is None:
            self._build = BackgroundBuild(self._settings, source)
        state = self._build.state
        self.change = ModelChange(wanted, state)
        if state.running:
            return None
        self._build.wait()
        self._build = None
        if state.step == "failed":
            self._failed(wanted, state)
            return None
        return state.version

    def _waiting(self, wanted: str) -> bool:
        """Whether it has failed, and is not to be tried again yet."""
        return time.monotonic() < self._not_before.get(wanted, 0.0)

    def _failed(self, wanted: str, state: BuildState) -> None:
        self._not_before[wanted] = time.monotonic() + RETRY_AFTER if state.later else float("inf")
        log.info("%s", state.sentence)
        self._settle(ModelChange(wanted, state))

    def _swap(self, folder: Path) -> None:
        """Run the model of a folder from the next frame on. Raises ModelError."""
        classifier = Classifier.load(folder, self._settings.threads)
        # The first run takes longer: it is not to be a visitor's.
        classifier.probabilities(np.zeros((1, classifier.side, classifier.side, 3), np.uint8))
        self.reader.classifier = classifier
        del classifier
        self._settle(None)
        log.info("%s runs now", self.manifest.version)
        # The old model goes; what is here now is here to stay (see `ui.app._settle`).
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _settle(self, change: ModelChange | None) -> None:
        if self._build:
            self._build.stop()
            self._build = None
        self.change = change

    def _embedded_folder(self) -> Path:
        """Where the embedded model is: the way it runs best here, if that was found out, or as shipped."""
        try:
            return folder_of(self.embedded, self._settings.data)
        except (VibeCheckError, OSError):
            return EMBEDDED


def _register(registry: Registry, shipped: Manifest, now: datetime) -> None:
    """Make the model that ships with VibeCheck known."""
    registry.register(shipped.version, shipped.origin, EMBEDDED_NAME, {}, now)
