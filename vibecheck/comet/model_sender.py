"""Sends models to Comet in a separate thread: a large one takes minutes, and predictions have priority.

What is to be sent is in the outbox (see `messages.enqueue_model`), so nothing is lost when training could not
reach Comet or a process died. A model that was made here gets an experiment of its own:

    curves of each epoch, parameters, confusion-matrix.json
    report.json, report.html (without pictures)     its evaluation
    trained_on.json                                 the ids of the predictions it learned from
    the files, in Comet's model registry

and every model has a record in the deployment's experiment for models.
"""

import json
import logging
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from vibecheck.comet import layout, model_files
from vibecheck.comet.claims import bug, handle_all, held
from vibecheck.comet.client import Comet
from vibecheck.comet.model_files import FILES
from vibecheck.comet.registry_sync import put_current
from vibecheck.comet.sdk_errors import sdk_errors
from vibecheck.emotions import NAMES
from vibecheck.errors import CometError, CometRejected, ModelError, RecordsError
from vibecheck.evaluation.proof import proof_of
from vibecheck.evaluation.report import HTML_FILE, JSON_FILE, Report
from vibecheck.models.installed import InstalledModels
from vibecheck.models.registry import Registry
from vibecheck.models.registry_records import VersionRecord
from vibecheck.records.deletion.redact_reports import without_pictures
from vibecheck.records.outbox.messages import MODEL
from vibecheck.records.outbox.queue import Claimed, Outbox
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.manifest import FILE_NAME, Manifest
from vibecheck.vision.model_source import ModelFolder, parse_source

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 900.0  # s
# A machine without the files leaves them to the one that has them; after this many attempts, no machine has
# them.
ELSEWHERE = timedelta(minutes=1)
PATIENCE = 30
# The name of the metric under which training keeps its curves and parameters.
TRAINING = "fine_tuning"
# At most this many epochs, and numbers of each, are sent.
MOST_EPOCHS, MOST_CURVES = 1000, 12


class FilesElsewhere(Exception):
    """The files to be sent are not on this machine."""


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Sends the models in the outbox until `stop` is set."""
    outbox = store.outbox()
    handle_all(outbox, MODEL, partial(_attempt, settings, outbox), stop, "Sending models to Comet")


def send_all(settings: Settings, store: Store) -> None:
    """Sends every model that is due, once. Raises the first temporary CometError."""
    outbox = store.outbox()
    while claims := outbox.claim(1, kinds=(MODEL,)):
        if error := _attempt(settings, outbox, claims[0]):
            raise error


def _attempt(settings: Settings, outbox: Outbox, claimed: Claimed) -> CometError | None:
    """Sends one model and records the outcome in the outbox. Returns a temporary error, or None."""
    try:
        with held(outbox, claimed), Registry.open(settings) as registry:
            send(settings, registry, Comet.open(settings), claimed)
    except FilesElsewhere:
        outbox.postpone(claimed, ELSEWHERE, "The model's files are on another machine, which sends them.")
    except CometRejected as error:
        log.warning("Comet rejected a model: %s", error)
        outbox.set_aside(claimed, str(error))
    except CometError as error:
        pause = min(FIRST_PAUSE * 2 ** min(claimed.attempts, 10), LONGEST_PAUSE)
        outbox.postpone(claimed, timedelta(seconds=pause), str(error))
        return error
    except RecordsError:
        raise
    except Exception as error:
        log.exception("A model cannot be sent.")
        outbox.set_aside(claimed, bug(error))
    else:
        outbox.finish(claimed)
    return None


def send(settings: Settings, registry: Registry, comet: Comet, claimed: Claimed) -> None:
    """Updates a version in Comet.

    Raises CometError, RecordsError, and FilesElsewhere if the missing files are on another machine.
    """
    record = registry.record(str(claimed.payload.get("version")))
    if record is None:
        return
    waits = claimed.attempts < PATIENCE
    if _made_here(record):
        place = layout.place_of_model(record.version)
        proof = proof_of(record.metrics)
        page = Path(proof.report) if proof and proof.report else None
        report = _report(page) if page else None
        if page and report is None and waits and not comet.has(place, JSON_FILE):
            raise FilesElsewhere
        _send_training(comet, place, record)
        if report is not None:
            # Without pictures: those of a deleted prediction could not be removed there.
            put_current(comet, place, JSON_FILE, report[0].as_json().encode())
            put_current(comet, place, HTML_FILE, without_pictures(report[1]).encode())
        if record.trained_on:
            put_current(comet, place, "trained_on.json", json.dumps(record.trained_on).encode())
        scores = report[0].scores if report else None
        matrix = ([list(row) for row in scores.challenger.confusion], list(NAMES)) if scores else None
        folder = _folder(settings, record)
        lost = folder is not None and not model_files.are_there(comet, record)
        if FILES not in record.metrics or lost or (matrix and not comet.has(place, model_files.MATRIX)):
            if folder is None and waits:
                raise FilesElsewhere
            if folder is None:
                raise CometRejected(f"The files of {record.version} are on no machine that sends to Comet.")
            files = model_files.upload(comet, record.version, folder, matrix)
            # Machines that fetch the files from Comet verify them against these checksums.
            registry.note(record.version, FILES, files)
            record = replace(record, metrics=record.metrics | {FILES: files})
    put_current(comet, layout.MODELS, layout.model_name(record.version), layout.as_json(record.plain()))


def _made_here(record: VersionRecord) -> bool:
    """Whether it was made from a local folder, which no other machine has."""
    try:
        return isinstance(parse_source(record.source), ModelFolder)
    except ValueError:
        return False


def _report(page: Path) -> tuple[Report, str] | None:
    """The report of an evaluation and the HTML page of it, if they are on this machine."""
    try:
        return Report.parse(page.with_name(JSON_FILE).read_bytes()), page.read_text(encoding="utf-8")
    except (OSError, ValueError, ModelError):
        return None


def _send_training(comet: Comet, place: layout.Place, record: VersionRecord) -> None:
    """Sends curves and parameters, which training notes as {"epochs": [{…}, …], name: value …}."""
    noted = record.metrics.get(TRAINING)
    noted = noted if isinstance(noted, Mapping) else {}
    experiment = comet.experiment(place)
    epochs = noted.get("epochs")
    rows = [each for each in epochs if isinstance(each, Mapping)] if isinstance(epochs, list) else []
    names = [
        name for name, value in (rows[0] if rows else {}).items() if _is_number(value) and name != "epoch"
    ]
    for name in names[:MOST_CURVES]:
        with sdk_errors(f"log the curve of {name}"):
            there = {point.get("step") for point in experiment.get_metrics(name) or []}
            for step, row in enumerate(rows[:MOST_EPOCHS], 1):
                if step not in there and _is_number(row.get(name)):
                    experiment.log_metric(name, row[name], step=step, epoch=step)
    with sdk_errors("log the parameters"):
        for name, value in noted.items():
            if isinstance(value, str | int | float):
                experiment.log_parameter(str(name), value)
        experiment.log_other("version", record.version)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _folder(settings: Settings, record: VersionRecord) -> Path | None:
    """The folder on this machine with the files that the version is made from, or None."""
    if there := InstalledModels(settings.data).source_folder(record.version):
        return there
    source = Path(record.source)
    with suppress(ModelError):
        if (source / FILE_NAME).is_file() and Manifest.read(source).version == record.version:
            return source
    return None
