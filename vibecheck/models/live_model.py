"""The model that runs now: follows the registry's champion, and changes between two frames.

The app starts on the embedded model. A thread polls the registry every two seconds; a champion that is not
installed here is built in a process of its own, and until then, or if that fails, the current model stays.
The model runs under the calibration that the registry names; the same thread learns it from the audits.
"""

import gc
import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import numpy as np

from vibecheck.errors import ModelError, RecordsError
from vibecheck.models.background_build import BackgroundBuild, BuildState
from vibecheck.models.installed import InstalledModels, folder_of
from vibecheck.models.registry import Registry
from vibecheck.models.version import CHAMPION, Version
from vibecheck.settings import Settings
from vibecheck.vision.classifier import EMBEDDED, Classifier
from vibecheck.vision.manifest import Manifest
from vibecheck.vision.model_source import EMBEDDED_NAME, Embedded
from vibecheck.vision.reader import Reader

LOOK_EVERY = 2.0  # s
# How often to look for audits to learn from.
LEARN_EVERY = 60.0  # s
# The pause before a model is tried again after a temporary failure.
RETRY_AFTER = 600.0  # s

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelChange:
    """A change of model that is running or has failed: the wanted model, and its progress or the reason."""

    wanted: str
    state: BuildState


class LiveModel:
    """Keeps `reader` on the model that runs now. May be shared by threads.

    `change` is None while the champion runs. `report` is what was measured when the model that runs was
    built on this machine; None if it runs as shipped.
    """

    def __init__(self, settings: Settings) -> None:
        """Opens the embedded model; `follow` looks for another. Raises ModelError."""
        self._settings = settings
        self._installed = InstalledModels(settings.data)
        self.embedded = Manifest.read(EMBEDDED).version
        self.reader = Reader.open(folder_of(self.embedded, settings.data), settings.threads)
        self.report = self._report()
        self.change: ModelChange | None = None
        self._registry: Registry | None = None
        self._build: BackgroundBuild | None = None
        # When a model that failed may be tried again, and what was installed when it failed.
        self._not_before: dict[str, tuple[float, frozenset[tuple[str, int]]]] = {}
        self._learn_at = 0.0

    def follow(self) -> Self:
        """From now on, look at the registry every LOOK_EVERY seconds, in a thread."""
        threading.Thread(target=self._run, name="champion", daemon=True).start()
        return self

    @property
    def manifest(self) -> Manifest:
        """The model that runs now."""
        return self.reader.classifier.manifest

    def look(self) -> None:
        """Look at the registry once, and switch to its champion or build it; likewise to its calibration.

        Raises RecordsError.
        """
        if self._registry is None:
            self._registry = Registry.open(self._settings)
        champion = self._registry.aliases()[CHAMPION]
        if not isinstance(self._settings.source, Embedded) and self._registry.champion_is_provisional():
            self._begin(self._registry, str(self._settings.source))
        elif champion == self.manifest.version:
            self._not_before.clear()
            self._end_build(None)
        else:
            self._change_to(self._registry, self._registry.get(champion))
        self.reader.classifier = self._registry.calibrations.current(self.reader.classifier)
        self._learn(self._registry)

    def _run(self) -> None:
        while True:
            try:
                self.look()
            except RecordsError as error:
                # Without records there is no registry, and the current model stays. Vibe checks report the
                # failure, too.
                log.debug("The registry cannot be read: %s", error)
            except Exception as error:
                log.exception("The champion could not be followed")
                wanted = self.change.wanted if self.change else self._settings.model
                sentence = f"{wanted} does not run ({type(error).__name__}); the terminal says more."
                self.change = ModelChange(wanted, BuildState("failed", sentence=sentence))
            threading.Event().wait(LOOK_EVERY)  # time.sleep fails under a faked clock

    def _learn(self, registry: Registry) -> None:
        """Learn from the audits of the model that runs; the next look applies the result."""
        if time.monotonic() < self._learn_at:
            return
        self._learn_at = time.monotonic() + LEARN_EVERY
        try:
            if learned := registry.calibrations.learn_if_due(self.manifest.version):
                log.info("%s is calibrated on %d audits", learned.version, learned.n)
        except RecordsError:
            raise
        except Exception:  # the model runs on as it is
            log.exception("The audits could not be learned from")

    def _begin(self, registry: Registry, wanted: str) -> None:
        """Replace the embedded model of a new installation by the model of the setting, once it is ready."""
        if not self._waiting(wanted) and (version := self._prepared(wanted, wanted)):
            registry.begin(version, "The first model, named by VIBECHECK_MODEL.", datetime.now(UTC))

    def _change_to(self, registry: Registry, champion: Version) -> None:
        """Run another model as soon as it is installed."""
        version, shipped = champion.version, champion.source == EMBEDDED_NAME
        if shipped and version == self.embedded:
            self._swap(registry, folder_of(version, self._settings.data))
        elif self._waiting(version):
            return
        elif shipped:
            self._failed(version, f"{version} did not come with this version of VibeCheck.")
        elif not self._build and (there := self._installed.find(version)):
            try:
                self._swap(registry, there.folder)
            except ModelError as error:
                self._failed(version, str(error))
        elif (built := self._prepared(version, champion.source)) not in (None, version):
            self._failed(version, f"{champion.source} is no longer {version}, but {built}.")

    def _prepared(self, wanted: str, source: str) -> str | None:
        """The version built from `source` once it is ready, else None: it is being built, or has failed."""
        if self._build and self._build.source != source:
            self._end_build(None)  # the champion has changed
        if self._build is None:
            self._build = BackgroundBuild(self._settings, source)
        state = self._build.state
        self.change = ModelChange(wanted, state)
        if state.running:
            return None
        self._build.wait()
        self._build = None
        if state.step == "failed":
            self._failed(wanted, state.sentence, state.later)
            return None
        return state.version

    def _waiting(self, wanted: str) -> bool:
        """Whether it has failed and must not be retried yet: it may be once any model is installed."""
        not_before, placed = self._not_before.get(wanted, (0.0, None))
        return time.monotonic() < not_before and placed == self._installed.placed()

    def _failed(self, wanted: str, sentence: str, later: bool = False) -> None:
        """Keep the current model; `later` says whether a retry may help."""
        not_before = time.monotonic() + RETRY_AFTER if later else float("inf")
        self._not_before[wanted] = not_before, self._installed.placed()
        log.info("%s", sentence)
        self._end_build(ModelChange(wanted, BuildState("failed", sentence=sentence, later=later)))

    def _swap(self, registry: Registry, folder: Path) -> None:
        """Run the model in `folder` from the next frame on. Raises ModelError."""
        classifier = Classifier.load(folder, self._settings.threads)
        # The first run is slow, so it must not delay a visitor.
        classifier.probabilities(np.zeros((1, classifier.side, classifier.side, 3), np.uint8))
        self.reader.classifier = registry.calibrations.current(classifier)
        self.report = self._report()
        del classifier
        self._end_build(None)
        log.info("%s runs now", self.manifest.version)
        # The old model is freed; everything loaded now stays (see `ui.shared.app._freeze`).
        gc.unfreeze()
        gc.collect()
        gc.freeze()

    def _end_build(self, change: ModelChange | None) -> None:
        if self._build:
            self._build.stop()
            self._build = None
        self.change = change

    def _report(self) -> dict[str, Any] | None:
        there = self._installed.find(self.manifest.version, ())
        return there.report if there else None
