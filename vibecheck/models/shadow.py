"""Shadow models: versions that read the face of each vibe check without their answer being shown.

The champion, the challenger, the embedded model, and the previous champion while a promotion is watched read
the same crop, the one that could be kept, so that one label judges all of them. One thread of low priority
does it, after the result has been sent; if it cannot keep up, vibe checks are skipped.
"""

import logging
import math
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from vibecheck.errors import ModelError, RecordsError
from vibecheck.models.compared import compared_versions
from vibecheck.models.installed import folder_of
from vibecheck.models.registry import Registry
from vibecheck.records.readings import WAIT, ShadowReading
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.classifier import Classifier
from vibecheck.vision.faces import Face

# Crops that wait at a time; each takes at most 0.3 MB.
MOST_WAITING = 32
# s between a vibe check and its readings, in which the result reaches the visitor.
AFTER = 0.3
# s between checks of the registry and of new proofs, which take at most this share of a core.
LOOK_EVERY = 5.0
SETTLE_EVERY, SETTLE_SHARE = 60.0, 0.02
# ms; a model whose readings take longer than this three times in a row is left out.
SLOW, TIMES = 5000.0, 3
# s after which a model that was left out is tried again, if it is not installed, or if it fails.
NOT_READY, FAILED = 60.0, 600.0
# The thread's niceness: on a busy core it gets a tenth of the time. Less would be dangerous: a thread that
# holds Python's lock and does not run delays all others.
NICE = 10

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShadowState:
    """The versions that read each vibe check, those left out and why, and how many checks were skipped.

    With a single version there is nothing to compare, so nothing is read.
    """

    versions: tuple[str, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A face crop (H x W x 3 uint8 RGB) that is to be read, not before the moment `due`."""

    prediction_id: str
    picture: np.ndarray
    face: Face
    due: float


class ShadowModels:
    """Reads what is submitted, in a thread that starts at once."""

    def __init__(
        self, settings: Settings, open_store: Callable[[], Store], live: Callable[[], Classifier]
    ) -> None:
        """`live` returns the model whose answers are shown; `open_store` may raise RecordsError."""
        self._settings, self._open_store, self._live = settings, open_store, live
        self._waiting: queue.Queue[_Waiting | None] = queue.Queue(MOST_WAITING)
        self._models: dict[str, Classifier] = {}
        self._left_out: dict[str, tuple[str, float]] = {}  # reason, and when it is tried again
        self._slow: dict[str, int] = {}
        self._wanted: tuple[str, ...] = ()
        self._registry: Registry | None = None
        self._looked = -math.inf
        self._settle_at = time.monotonic() + SETTLE_EVERY
        self._state, self._skipped = ShadowState(), 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow models", daemon=True)
        self._thread.start()

    @property
    def state(self) -> ShadowState:
        """The models that currently read."""
        return replace(self._state, skipped=self._skipped)

    @property
    def active(self) -> bool:
        """Whether there are models to compare."""
        return len(self._state.versions) > 1

    @property
    def wait(self) -> timedelta:
        """How long the report of a vibe check to Comet waits for its readings, at most."""
        return WAIT if self.active else timedelta(0)

    def submit(self, prediction_id: str, picture: np.ndarray, face: Face) -> None:
        """Queue the face in a crop (H x W x 3 uint8 RGB) for the models; returns at once."""
        if not self.active:
            return
        try:
            self._waiting.put_nowait(_Waiting(prediction_id, picture, face, time.monotonic() + AFTER))
        except queue.Full:
            self._skipped += 1
            if self._skipped == 1:
                log.warning("Shadow models cannot keep up: some vibe checks are not read by them.")

    def stop(self) -> None:
        """Stop reading; crops that wait are dropped."""
        self._stopped.set()
        with suppress(queue.Full):
            self._waiting.put_nowait(None)  # wakes the thread
        self._thread.join()
        if self._registry:
            self._registry.close()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._registry is None:
                    # Before the priority is lowered: a new database is locked while its tables are created.
                    self._registry = Registry.open(self._settings)
                    _lower_priority()
                self._look()
                self._settle()
                with suppress(queue.Empty):
                    self._read(self._waiting.get(timeout=min(LOOK_EVERY, 1.0)))
            except RecordsError as error:
                log.debug("Readings cannot be stored: %s", error)  # vibe checks say so, too
                self._stopped.wait(LOOK_EVERY)
            except Exception:
                log.exception("Shadow models failed")
                self._stopped.wait(LOOK_EVERY)

    def _look(self) -> None:
        """Load the models that are to read, and drop the others. Raises RecordsError."""
        if time.monotonic() - self._looked < LOOK_EVERY:
            return
        assert self._registry is not None
        wanted = compared_versions(self._registry)
        self._looked = time.monotonic()
        if len(wanted) < 2:
            wanted = ()
        self._wanted = wanted
        for kept in (self._models, self._left_out, self._slow):
            for version in kept.keys() - set(wanted):
                del kept[version]
        for version in wanted:
            self._load(version)
        self._tell()

    def _settle(self) -> None:
        """Store new proofs, and act on them if the settings say so. Raises RecordsError."""
        start = time.monotonic()
        if start < self._settle_at or self._registry is None or not self._wanted:
            return
        from vibecheck.models import promotion  # loads the statistics, which many installations never need

        self._settle_at = start + SETTLE_EVERY  # also after a failure
        statistics = self._open_store().statistics
        now, retention = datetime.now(UTC), timedelta(days=self._settings.retention_days)
        promotion.settle(self._registry, statistics, self._settings.auto_promote, now)
        promotion.settle_bets(self._registry, statistics, retention, now)
        took = time.monotonic() - start
        self._settle_at = time.monotonic() + max(SETTLE_EVERY, took / SETTLE_SHARE)

    def _load(self, version: str) -> None:
        """Load a model, unless it was left out a short while ago."""
        reason, not_before = self._left_out.get(version, ("", 0.0))
        if time.monotonic() < not_before:
            return
        live = self._live()
        try:
            if live.version == version:
                # All without learned calibrations: audits from which one was learned must not also judge it.
                self._models[version] = live.sharing().calibrated(None, None)
            elif version == self._wanted[0]:
                return  # the champion is being loaded: two copies of it would take twice the memory
            elif version not in self._models:
                folder = folder_of(version, self._settings.data)
                self._models[version] = Classifier.load(folder, self._settings.threads)
        except (ModelError, OSError) as error:
            self._leave_out(version, str(error), NOT_READY, told=str(error) == reason)
        else:
            self._left_out.pop(version, None)

    def _read(self, waiting: _Waiting | None) -> None:
        """The readings of one face, stored together. Raises RecordsError."""
        if waiting is None or self._stopped.wait(max(0.0, waiting.due - time.monotonic())):
            return
        made = []
        for version, model in list(self._models.items()):
            try:
                made.append(read_by(model, waiting.prediction_id, waiting.picture, waiting.face))
            except Exception as error:  # the model may come from anybody
                log.info("%s cannot read a face", version, exc_info=True)
                self._leave_out(version, f"{version} fails ({type(error).__name__}: {str(error)[:200]}).")
                continue
            took = made[-1].took_ms
            self._slow[version] = self._slow.get(version, 0) + 1 if took > SLOW else 0
            if self._slow[version] >= TIMES:
                self._leave_out(version, f"{version} takes {took / 1000:.0f} s a face on this machine.")
        if len(made) > 1:
            self._open_store().readings.add(made)

    def _leave_out(self, version: str, reason: str, pause: float = FAILED, told: bool = False) -> None:
        if not told:
            log.warning("A shadow model is left out: %s", reason)
        self._left_out[version] = reason, time.monotonic() + pause
        self._models.pop(version, None)
        self._slow.pop(version, None)
        self._tell()

    def _tell(self) -> None:
        reasons = {version: reason for version, (reason, _) in self._left_out.items()}
        self._state = ShadowState(tuple(self._models), reasons)


def read_by(model: Classifier, prediction_id: str, picture: np.ndarray, face: Face) -> ShadowReading:
    """What a model says of the face in a prediction's picture (H x W x 3 uint8 RGB)."""
    start = time.perf_counter()
    shares = model.read_face(picture, face)
    took = (time.perf_counter() - start) * 1000
    return ShadowReading(prediction_id, model.version, tuple(shares.tolist()), took)


def _lower_priority() -> None:
    """Lowers the priority of this thread, on Linux, where each thread has its own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
