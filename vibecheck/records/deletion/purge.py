"""Deletes predictions past their retention, and those that somebody asks to be deleted.

A deletion covers the picture, the row, its feedback and plays, and its messages in the outbox. If anything
may have been sent before, a Deletion is added to the outbox in the same transaction, and the models that
learned from it are marked.
"""

import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, Engine, Row, Select, delete, func, select

from vibecheck.errors import PictureStorageError
from vibecheck.records.db.batches import batches, found_in
from vibecheck.records.db.connect import erase_traces
from vibecheck.records.db.tables import outbox, predictions, trained_on
from vibecheck.records.db.transactions import Queries, fetch, reading, writing
from vibecheck.records.deletion import redact_reports
from vibecheck.records.labels import learned_from
from vibecheck.records.outbox import messages, queue
from vibecheck.records.outbox.notes import Notes
from vibecheck.records.pictures import Pictures
from vibecheck.records.stats import summaries
from vibecheck.records.values import Deletion, check_time, is_prediction_id

# Predictions deleted in one transaction, which takes milliseconds, so that others hardly wait.
BATCH = 200

# A picture is written milliseconds before the row that says it is kept. After this long without one, it
# never will be: the visitor was told that it is not kept.
STRAY_AFTER = timedelta(hours=1)

# The subject of the note that the database's log still has deleted content, in its field "left".
TRACES = "traces"

# The beginning of the subjects of notes on visitors who deleted their data during a restore; the hash
# follows.
FORGOTTEN = "forgotten visitor "

log = logging.getLogger(__name__)


class Deletions(Queries):
    """Deletes predictions with everything about them, also their `pictures`."""

    pictures: Pictures

    def purge(self, older_than: datetime) -> int:
        """Deletes all predictions made before `older_than`; returns their number.

        Each picture is deleted before its row: if the process dies in between, the next purge deletes the
        row. Pictures that no row says are kept are deleted once they are an hour old, or, if they are most,
        once they are older than `older_than`: the database may be a wrong one. A Deletion is added to the
        outbox only for what was sent: if the prediction itself is still in the outbox, it never was. Works in
        small batches, and may run in several processes at once. Raises ValueError for a time without a zone.
        """
        check_time("older_than", older_than)
        oldest = _rows().where(predictions.c.made_at < older_than).order_by(predictions.c.made_at)
        with _traces_removed(self._engine):
            deleted = self._delete_all(oldest, datetime.now(UTC), report_all=False)
            before = max(older_than, datetime.now(UTC) - STRAY_AFTER)
            self.pictures.remove_strays(before, self.with_pictures, older_than)
        return deleted

    def with_pictures(self, ids: Collection[str]) -> set[str]:
        """The given predictions that exist and whose pictures may be kept."""
        with reading(self._engine) as connection:
            return found_in(connection, predictions.c.id, ids, predictions.c.picture_kept)

    def forget(self, ids: Iterable[str], now: datetime) -> set[str]:
        """Deletes these predictions everywhere; returns the ids of those that existed.

        A Deletion of each is added to the outbox, even if nothing of it seems to have been sent: it may be on
        its way at this moment. Where this raises RecordsError, some may be deleted.
        """
        forgotten: set[str] = set()
        wanted = [each for each in dict.fromkeys(ids) if is_prediction_id(each)]
        with _traces_removed(self._engine):
            for some in batches(wanted, BATCH):
                batch = fetch(self._engine, _rows().where(predictions.c.id.in_(some)))
                forgotten |= _delete(self._engine, self.pictures, batch, now, report_all=True)
        return forgotten

    def forget_visitor(self, visitor: str, now: datetime) -> int:
        """Deletes every prediction of a visitor (a hash) as `forget` does; returns their number.

        During a restore it is noted first, since the restore may bring more of them: see `forget_restored`.
        """
        if queue.Outbox(self._engine).contains(queue.RESTORE):
            Notes(self._engine).write(FORGOTTEN + visitor, {})
        with _traces_removed(self._engine):
            return self._delete_all(_of(visitor), now)

    def forget_restored(self, now: datetime) -> None:
        """Deletes what a restore has brought of visitors whose data was deleted after it began."""
        if noted := Notes(self._engine).subjects(FORGOTTEN):
            with _traces_removed(self._engine):
                for subject in noted:
                    self._delete_all(_of(subject.removeprefix(FORGOTTEN)), now)

    def end_of_restore(self) -> None:
        """Removes the notes about such visitors if no other restore is left: nothing more comes of them."""
        noted = Notes(self._engine).subjects(FORGOTTEN)  # first: another restore may begin at this moment
        for subject in () if queue.Outbox(self._engine).contains(queue.RESTORE) else noted:
            Notes(self._engine).remove(subject)

    def erase_remaining(self) -> bool:
        """Erases what deletions had to leave in the database's log; returns whether nothing is left there."""
        return not _traces_left(self._engine) or _erase(self._engine)

    def marked_since(self, since: datetime) -> dict[str, int]:
        """How many predictions each model learned from that were deleted at `since` or later."""
        of = trained_on.c
        query = select(of.version, func.count()).where(of.deleted_at >= since)
        return dict(map(tuple, fetch(self._engine, query.group_by(of.version).order_by(of.version))))

    def _delete_all(self, which: Select, now: datetime, report_all: bool = True) -> int:
        """Deletes what the query finds, batch by batch; returns how many predictions this call deleted."""
        deleted = 0
        while batch := fetch(self._engine, which.limit(BATCH)):
            deleted += len(_delete(self._engine, self.pictures, batch, now, report_all))
        return deleted


@contextmanager
def _traces_removed(engine: Engine) -> Iterator[None]:
    """Removes predictions that the block deletes from other files, too, even if it fails midway.

    A report that cannot be changed does not keep the database's log from being erased.
    """
    try:
        try:
            yield
        finally:
            redact_reports.redact(engine)
    finally:
        _erase(engine)


def _erase(engine: Engine) -> bool:
    """Erases deleted content from the database's log, or notes that it is left there."""
    erased, left_before = erase_traces(engine), _traces_left(engine)
    if erased == left_before:
        Notes(engine).write(TRACES, {"left": not erased})
    if not (erased or left_before):
        log.warning(
            "The database's log still has deleted records, because another program is reading it. The app "
            "erases them within a minute after that program has finished."
        )
    return erased


def _traces_left(engine: Engine) -> bool:
    note = Notes(engine).read(TRACES)
    return note is not None and bool(note.content.get("left"))


def _rows() -> Select[tuple[str, bool, datetime]]:
    return select(predictions.c.id, predictions.c.picture_kept, predictions.c.made_at)


def _of(visitor: str) -> Select[tuple[str, bool, datetime]]:
    return _rows().where(predictions.c.visitor == visitor)


def _delete(
    engine: Engine, pictures: Pictures, batch: Sequence[Row], now: datetime, report_all: bool
) -> set[str]:
    """Deletes the pictures and the rows of a batch; returns the ids that this call deleted."""
    kept = [row.id for row in batch if row.picture_kept]
    for prediction_id in kept:
        pictures.delete(prediction_id)
    ids = [row.id for row in batch]
    with writing(engine) as connection:
        # While the row is locked, no further picture can be allowed.
        rows = _rows().where(predictions.c.id.in_(ids)).order_by(predictions.c.id).with_for_update()
        late = connection.execute(rows).all()
        for row in late:
            if row.picture_kept and row.id not in kept:
                pictures.delete(row.id)
        here = {row.id: row.made_at for row in late}
        unsent = set() if report_all else _unsent(connection, ids)
        # The outbox comes second: once a prediction is deleted, nothing can be added about it.
        summaries.forget(connection, list(here))
        connection.execute(delete(predictions).where(predictions.c.id.in_(ids)))
        learned_from.mark(connection, list(here), now)
        queue.withdraw(connection, list(here))
        reported = sorted(here.keys() - unsent)
        messages.enqueue(connection, *(Deletion(each, here[each], now) for each in reported))
    # A restore may have written a picture again before this was committed. If this fails, a purge deletes it.
    with suppress(PictureStorageError):
        for prediction_id in here:
            pictures.delete(prediction_id)
    return set(here)


def _unsent(connection: Connection, ids: list[str]) -> set[str]:
    """Those whose prediction is still in the outbox, not attempted yet; everything else waits behind it.

    These rows are locked, so that no sender can claim them before they are withdrawn.
    """
    untried = outbox.c.kind == "prediction", outbox.c.claimed_by.is_(None), outbox.c.attempts == 0
    query = select(outbox.c.prediction_id).where(outbox.c.prediction_id.in_(ids), *untried)
    return set(connection.execute(query.with_for_update()).scalars())
