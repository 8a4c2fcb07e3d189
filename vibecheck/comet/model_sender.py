"""Brings models to Comet, beside the sender: a large one takes minutes, and predictions do not wait for it.

What is to be brought stands in the outbox (see `outbox.tell_model`), so a training that could not reach
Comet, or a process that died, loses nothing. A model that was made here gets an experiment of its own:

    curves of each epoch, parameters, confusion-matrix.json
    report.json, report.html (without pictures)     its trial
    trained_on.json                                 the ids of the predictions it learned from
    the files, in Comet's model registry

and every model its record in the deployment's experiment for models.
"""

import contextlib
import json
import logging
import os
import threading
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from sqlalchemy import select, update

from vibecheck.comet import layout, model_files
from vibecheck.comet.client import Comet
from vibecheck.comet.registry_sync import Record, put_current, record_of, remember
from vibecheck.comet.status import FILES
from vibecheck.comet.trouble import explained
from vibecheck.emotions import NAMES
from vibecheck.errors import CometError, CometRejected, CometUnavailable, ModelError, RecordsError
from vibecheck.evaluation.proof import proof_of
from vibecheck.evaluation.report import JSON_FILE, Report
from vibecheck.models import registry_rows
from vibecheck.models.installed import Shelf
from vibecheck.records.db.tables import registered_models
from vibecheck.records.db.transactions import writing
from vibecheck.records.deletion.redact_reports import without_pictures
from vibecheck.records.outbox.messages import MODEL
from vibecheck.records.outbox.queue import Claimed, Queue
from vibecheck.records.store import Store
from vibecheck.settings import Settings
from vibecheck.vision.manifest import FILE_NAME, Manifest
from vibecheck.vision.model_source import ModelFolder, parse_source

log = logging.getLogger(__name__)

LOOKS_EVERY = 2.0  # s
RENEWS_EVERY = 20.0  # s
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 900.0  # s
# A machine without the files leaves them to the one that has them; after so many looks nobody has.
ELSEWHERE = timedelta(minutes=1)
PATIENCE = 30
# Under this name stands among a version's metrics what its training noted of itself.
TRAINING = "fine_tuning"
# Epochs and numbers of each that are sent, whatever is recorded.
MOST_EPOCHS, MOST_CURVES = 1000, 12


class Elsewhere(Exception):
    """What is to be sent is not on this machine."""


def run(settings: Settings, store: Store, stop: threading.Event) -> None:
    """Sends what the queue asks for until `stop` is set."""
    queue = _queue(store)
    while not stop.wait(LOOKS_EVERY):
        try:
            for claimed in queue.claim(1, kinds=(MODEL,)):
                _attempt(settings, store, queue, claimed)
        except RecordsError as error:
            log.warning("Models wait to be sent to Comet: %s", error)


def send_all(settings: Settings, store: Store) -> None:
    """Sends every model that is due, once. Raises the first CometError that may pass."""
    queue = _queue(store)
    while claims := queue.claim(1, kinds=(MODEL,)):
        if error := _attempt(settings, store, queue, claims[0]):
            raise error


def _queue(store: Store) -> Queue:
    return Queue(store.engine, f"models-{os.getpid()}-{uuid4().hex[:8]}")


def _attempt(settings: Settings, store: Store, queue: Queue, claimed: Claimed) -> CometError | None:
    """Sends one; what came of it is in the queue. Returns the error that may pass, or None."""
    try:
        with _held(queue, claimed):
            send(settings, store, Comet.open(settings), claimed)
    except Elsewhere:
        queue.postpone(claimed, ELSEWHERE, "The model's files are on another machine, which sends them.")
    except CometRejected as error:
        log.warning("Comet will not have a model: %s", error)
        queue.set_aside(claimed, str(error))
    except CometError as error:
        pause = min(FIRST_PAUSE * 2 ** min(claimed.attempts, 10), LONGEST_PAUSE)
        queue.postpone(claimed, timedelta(seconds=pause), str(error))
        return error
    else:
        queue.finish(claimed)
    return None


@contextlib.contextmanager
def _held(queue: Queue, claimed: Claimed) -> Iterator[None]:
    """Holds on to a claim for as long as it takes."""
    done = threading.Event()

    def hold() -> None:
        while not done.wait(RENEWS_EVERY):
            with contextlib.suppress(RecordsError):
                queue.renew([claimed])

    thread = threading.Thread(target=hold, name="model-claim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def send(settings: Settings, store: Store, comet: Comet, claimed: Claimed) -> None:
    """Brings to Comet what is known of a version now; what is there as it should be stays.

    Raises CometError, RecordsError, and Elsewhere where another machine has what is missing.
    """
    record = record_of(store.engine, str(claimed.row.payload.get("version")))
    if record is None:
        return
    waits = claimed.attempts < PATIENCE
    if _made_here(record):
        report = _report(record)
        if report is None and _has_report(record) and waits and not _sent(comet, record, JSON_FILE):
            raise Elsewhere
        _tell_training(comet, record)
        if report is not None:
            _tell_trial(comet, record, *report)
        if record.trained_on:
            place = layout.place_of_model(record.version)
            put_current(comet, place, "trained_on.json", json.dumps(record.trained_on).encode())
        record = _bring_files(settings, store, comet, record, report, waits)
    remember(comet, record)


def _made_here(record: Record) -> bool:
    """Whether it was made from a folder, so that nobody else has it."""
    try:
        return isinstance(parse_source(record.source), ModelFolder)
    except ValueError:
        return False


def _has_report(record: Record) -> bool:
    proof = proof_of(record.metrics)
    return proof is not None and bool(proof.report)


def _report(record: Record) -> tuple[Report, str] | None:
    """The report of its trial, and the page of it for people, if they are on this machine."""
    proof = proof_of(record.metrics)
    if proof is None or not proof.report:
        return None
    page = Path(proof.report)
    try:
        return Report.parse(page.with_name(JSON_FILE).read_bytes()), page.read_text(encoding="utf-8")
    except (OSError, ValueError, ModelError):
        return None


def _sent(comet: Comet, record: Record, name: str) -> bool:
    return comet.has(layout.place_of_model(record.version), name)


def _tell_trial(comet: Comet, record: Record, report: Report, page: str) -> None:
    """No picture goes along: what a visitor deletes could not be taken out of it there."""
    place = layout.place_of_model(record.version)
    put_current(comet, place, JSON_FILE, report.as_json().encode())
    put_current(comet, place, "report.html", without_pictures(page).encode())


def _tell_training(comet: Comet, record: Record) -> None:
    """Curves and parameters, from what the training noted of itself: {"epochs": [{…}, …], name: value …}."""
    noted = record.metrics.get(TRAINING)
    noted = noted if isinstance(noted, Mapping) else {}
    place = layout.place_of_model(record.version)
    experiment = comet.experiment(place)
    epochs = noted.get("epochs")
    rows = [each for each in epochs if isinstance(each, Mapping)] if isinstance(epochs, list) else []
    names = [
        name for name, value in (rows[0] if rows else {}).items() if _is_number(value) and name != "epoch"
    ]
    for name in names[:MOST_CURVES]:
        with explained(f"log the curve of {name}"):
            there = {point.get("step") for point in experiment.get_metrics(name) or []}
            for step, row in enumerate(rows[:MOST_EPOCHS], 1):
                if step not in there and _is_number(row.get(name)):
                    experiment.log_metric(name, row[name], step=step, epoch=step)
    with explained("log the parameters"):
        for name, value in noted.items():
            if isinstance(value, str | int | float):
                experiment.log_parameter(str(name), value)
        experiment.log_other("version", record.version)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bring_files(
    settings: Settings,
    store: Store,
    comet: Comet,
    record: Record,
    report: tuple[Report, str] | None,
    waits: bool,
) -> Record:
    """The record, with the sums of the files that are in Comet's registry now."""
    matrix = None
    if report is not None and report[0].scores is not None:
        matrix = [list(row) for row in report[0].scores.challenger.confusion], list(NAMES)
    if FILES in record.metrics and (matrix is None or _sent(comet, record, model_files.MATRIX)):
        return record
    folder = _folder(settings, record)
    if folder is None:
        if waits:
            raise Elsewhere
        raise CometRejected(f"The files of {record.version} are on no machine that sends to Comet.")
    files = model_files.files_of(folder)
    model_files.upload(comet, record.version, folder, files, matrix)
    _note_files(store, record.version, files)
    done = record_of(store.engine, record.version)
    if done is None:
        raise CometUnavailable(f"{record.version} was taken out of the registry meanwhile.")
    return done


def _folder(settings: Settings, record: Record) -> Path | None:
    """Where on this machine the files are that the version is made from."""
    if there := Shelf(settings.data).material(record.version):
        return there
    source = Path(record.source)
    if (source / FILE_NAME).is_file():
        try:
            return source if Manifest.read(source).version == record.version else None
        except ModelError:
            return None
    return None


def _note_files(store: Store, version: str, files: Mapping[str, str]) -> None:
    """Keeps with the version what of it is in Comet; whoever fetches it there holds it against this."""
    same = registered_models.c.version == version
    with writing(store.engine) as connection:
        registry_rows.lock(connection)
        query = select(registered_models.c.metrics).where(same)
        known = connection.execute(query).scalar_one_or_none()
        if known is not None:
            values = {"metrics": dict(known) | {FILES: dict(files)}}
            connection.execute(update(registered_models).where(same).values(values))
