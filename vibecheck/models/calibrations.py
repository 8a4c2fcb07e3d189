"""Calibrations learned from audits: each version keeps its own, the latest of which is in use.

They are part of the records' database, so every process runs a version under the same one, also after a
promotion and a rollback. `analytics.calibration_fit` says what is learned, and when it is taken over.
"""

import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta

import numpy as np
from sqlalchemy import Engine, Row

from vibecheck.analytics.calibration_fit import FEWEST, STEP, Audited, learn
from vibecheck.emotions import NAMES
from vibecheck.models import registry_rows
from vibecheck.records import learned_calibration
from vibecheck.records.db.tables import PROBABILITIES
from vibecheck.records.db.transactions import Queries, database_now, reading
from vibecheck.records.labels import audits
from vibecheck.records.learned_calibration import LearnedCalibration, LearnedScaling
from vibecheck.records.outbox import messages
from vibecheck.records.synthetic import is_synthetic
from vibecheck.vision.classifier import Classifier

# The number of newest audits to learn from: older ones take time, and have little weight.
MOST = 2000
DAY = 86400.0  # s


class Calibrations(Queries):
    """The calibrations of all versions. Any number of processes may have one.

    Where a method raises RecordsError, nothing has changed.
    """

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._learned: dict[str, datetime | None] = {}  # the newest audit when it was last learned from them

    def in_use(self, version: str) -> LearnedCalibration | None:
        """The calibration in use for a version; None for the one it shipped with."""
        with reading(self._engine) as connection:
            return learned_calibration.in_use(connection, version)

    def current(self, classifier: Classifier) -> Classifier:
        """The loaded model with the calibration in use for it; the same object if it already has it."""
        in_use = self.in_use(classifier.version)
        scaling, name = (in_use.scaling, in_use.id) if in_use else (None, None)
        return classifier if classifier.calibration == name else classifier.calibrated(scaling, name)

    def learn_if_due(self, version: str) -> LearnedCalibration | None:
        """Learns from the audits of a version once a tenth of them is new since last time, and 10 at least.

        Old audits are deleted meanwhile, so their number may stay the same. Returns the calibration that is
        in use from now on, or None where nothing changed.
        """
        with reading(self._engine) as connection:
            count, new, newest = audits.count_answered(connection, version, self._learned.get(version))
        if count < FEWEST or new < max(STEP, count // 10):
            return None
        self._learned[version] = newest
        return self.learn(version)

    def learn(self, version: str) -> LearnedCalibration | None:
        """Learns from the audits of a version, as `learn_if_due` does, at once."""
        with reading(self._engine) as connection:
            if is_synthetic(connection):
                return None  # synthetic audits say nothing about the real model
            rows = audits.answered(connection, version, MOST)
            known = {each.id: each for each in learned_calibration.history(connection, version)}
            in_use = learned_calibration.in_use(connection, version)
            today = _day(database_now(connection))
        audited = _audited(rows, known)
        if in_use is None:
            learned = learn(audited, today)
        else:
            since = _day(in_use.from_when)
            # If the clock was set back, it is unknown which audits came later.
            learned = learn(audited, today, in_use.scaling, since if since <= today else -math.inf)
        return None if learned is None else self._take_over(version, learned, in_use)

    def _take_over(
        self, version: str, learned: LearnedScaling, before: LearnedCalibration | None
    ) -> LearnedCalibration | None:
        """Puts a calibration into use, unless another process was faster."""
        with registry_rows.changing(self._engine) as connection:
            if learned_calibration.in_use(connection, version) != before:
                return None
            now = database_now(connection)
            if before is not None:  # the latest is in use, also where the clock was set back
                now = max(now, before.from_when + timedelta(microseconds=1))
            new = LearnedCalibration(**asdict(learned), id=uuid.uuid4().hex, version=version, from_when=now)
            learned_calibration.add(connection, new)
            messages.enqueue_model(connection, version)
        return new


def _audited(rows: Sequence[Row], known: dict[str, LearnedCalibration]) -> Audited:
    """The audits, with the model's uncalibrated probabilities.

    Those made with a calibration that was not restored are left out.
    """
    rows = [row for row in rows if row.calibration is None or row.calibration in known]
    shown = np.array([[getattr(row, name) for name in PROBABILITIES] for row in rows]).reshape(-1, len(NAMES))
    own = shown.copy()
    names = np.array([row.calibration or "" for row in rows])
    for name in set(names) - {""}:
        own[names == name] = known[name].scaling.undo(shown[names == name])
    return Audited(
        own,
        np.array([NAMES.index(row.label) for row in rows], dtype=int),
        np.array([_day(row.made_at) for row in rows]),
        [row.who for row in rows],
    )


def _day(moment: datetime) -> float:
    return moment.timestamp() / DAY
