"""A session's state on the corrections page: position, given labels, and what it may see."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import streamlit as st

from vibecheck.access.roles import Role
from vibecheck.errors import RecordsError, UnknownPrediction
from vibecheck.records.labels.labelled import LabelledPrediction
from vibecheck.records.labels.pagination import Filters
from vibecheck.records.values import QUEUES, Cursor
from vibecheck.ui.access import gate
from vibecheck.ui.home import vibe_check
from vibecheck.ui.shared import app
from vibecheck.ui.shared.error_text import error_text
from vibecheck.ui.shared.visitor import visitor

PAGE = 27  # thumbnails: three rows on a wide screen, nine on a phone

VIEWS = {"all": "All", "useful": "Useful", "random": "Random", "mine": "Mine"}
NOT_FOUND = "There is no vibe check with this id, or you may not see it."


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """A label that this session gave, so that Undo can return to where it was given.

    `stored` is false if it only repeated this person's last label, which Undo leaves in place.
    """

    prediction_id: str
    n: int
    view: str
    stored: bool = field(default=True, compare=False)


@dataclass(slots=True)
class LabellingState:
    """The position of a session. `trail` holds the cursors of the pages up to this one; `drawn` is the id of
    the picture whose buttons were drawn last, `undoable` the number of labels given by then."""

    trail: list[Cursor | None] = field(default_factory=lambda: [None])
    picked: str | None = None
    drawn: str | None = None
    undoable: int = 0
    done: list[GivenLabel] = field(default_factory=list)
    note: str = ""

    def start(self) -> None:
        """Go to the newest page."""
        self.trail, self.picked = [None], None


@dataclass(frozen=True, slots=True)
class Batch:
    """What the page shows: the picture to label, those around it, and whether older ones follow."""

    current: LabelledPrediction | None
    around: Sequence[LabelledPrediction]
    older: bool


def progress() -> LabellingState:
    """This session's progress."""
    return st.session_state.setdefault("corrections", LabellingState())


def is_labeller() -> bool:
    """Whether this session may see others' vibe checks."""
    return gate.role() >= Role.LABELLER


def views() -> list[str]:
    """The views that this session may open, the first by default."""
    return list(VIEWS) if is_labeller() else ["mine"]


def look_up(prediction_id: str) -> LabelledPrediction:
    """The vibe check with this id: one's own, or any for a labeller.

    Raises UnknownPrediction if there is none that this session may see.
    """
    with suppress(UnknownPrediction):
        found = app.store().labelled(prediction_id)
        if found.prediction.visitor == visitor() or is_labeller():
            return found
    raise UnknownPrediction(NOT_FOUND)


def shown(view: str, filters: Filters) -> Batch:
    """What a view shows now. Raises RecordsError; ValueError for a view that this session may not open."""
    if view not in views():
        raise ValueError(f"{view!r} may not be opened")
    here = progress()
    if view in QUEUES:
        # One at a time from the random queue: if labellers could choose, the sample would be biased.
        limit = 1 if view == "random" else PAGE
        around, older = app.store().queues.next(view, limit, visitor()), False
    else:
        while not (found := app.store().page(filters, here.trail[-1], PAGE + 1)) and len(here.trail) > 1:
            here.trail.pop()  # all on that page are deleted, or labelled and so filtered out
        around, older = found[:PAGE], len(found) > PAGE
    picked = here.picked if view != "random" else None
    return Batch(_current(picked, around), around, older)


def _current(picked: str | None, around: Sequence[LabelledPrediction]) -> LabelledPrediction | None:
    """The one that was picked, on any page, else the first that can be labelled, else the first."""
    known = next((each for each in around if each.prediction.id == picked), None)
    if known:
        return known
    if picked is not None:
        try:
            return look_up(picked)
        except UnknownPrediction as error:
            progress().note, progress().picked = error_text(error), None
    return next((each for each in around if may_label(each)), next(iter(around), None))


def may_label(found: LabelledPrediction) -> bool:
    """Whether this session can label it: from its picture, or because it is its visitor."""
    return found.prediction.picture_kept or found.prediction.visitor == visitor()


def label(view: str, prediction_id: str, then: str | Cursor | None, name: str) -> None:
    """Store a label for the picture shown, and move on.

    In "mine" it counts as volunteered even if the vibe check is an audit: visitors who come here have seen
    the answer and chose to comment, and answers to audits must not depend on that.
    """
    here, now = progress(), datetime.now(UTC)
    here.note = ""
    if here.drawn not in (None, prediction_id):
        # A button of the previous picture, not yet removed by a slow browser: one key press reached both it
        # and the button that replaced it.
        return
    try:
        look_up(prediction_id)  # raises unless this session may see it
        source = "volunteered" if view == "mine" else "labeller"
        queue = view if view in QUEUES else None
        given = app.store().label(prediction_id, name, source, visitor(), now, queue)
    except RecordsError as error:
        here.note = error_text(error)
        return
    done = GivenLabel(prediction_id, given.n, view, stored=given.given_at == now)
    if done not in here.done:  # the same key twice is one label
        here.done.append(done)
    if isinstance(then, tuple):
        go_older(then)
    else:
        here.picked = then
    vibe_check.follow_labels(prediction_id)


def undo(count: int) -> None:
    """Take back the last label of this session, the `count`th, and return to where it was given."""
    here = progress()
    if count != here.undoable or not here.done:
        return  # a button that a slow browser had not removed yet, as in `label`
    last, here.note = here.done[-1], ""
    try:
        if last.stored:
            taken = app.store().undo_label(last.prediction_id, last.n, visitor(), datetime.now(UTC))
            here.note = "" if taken else "That label was already undone."
    except RecordsError as error:
        here.note = error_text(error)
        if isinstance(error, UnknownPrediction):  # deleted since; after other errors Undo can try again
            here.done.pop()
        return
    here.done.pop()
    here.picked = last.prediction_id
    vibe_check.follow_labels(last.prediction_id)
    st.session_state.view = last.view


def go_older(after: Cursor) -> None:
    """Go to the page that begins after a cursor."""
    here = progress()
    if here.trail[-1] != after:  # two labels for the last of a page, in quick succession, open one page
        here.trail.append(after)
    here.picked = None


def go_newer() -> None:
    """Go back to the previous page."""
    here = progress()
    if len(here.trail) > 1:
        here.trail.pop()
    here.picked = None


def next_after(view: str, shown: Batch) -> str | Cursor | None:
    """Where to go after the current one is labelled: the id of the next, or the next page's cursor. None, as
    always in a queue, means the first one left."""
    ids = [each.prediction.id for each in shown.around]
    here = shown.current.prediction.id
    if view in QUEUES or here not in ids:
        return None
    rest = ids[ids.index(here) + 1 :]
    if rest:
        return rest[0]
    return shown.around[-1].cursor if shown.older else None


def days(chosen: Sequence[date], zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    """The first moment of the first day, and the first after the last, in the visitor's time zone.

    `chosen` holds no day, one (the last is not chosen yet) or two, in order.
    """
    if not chosen:
        return None, None
    first, last = chosen[0], chosen[-1]
    since = datetime.combine(first, time(), zone)
    if last == date.max or last < first:
        return since, None
    return since, datetime.combine(last + timedelta(days=1), time(), zone)
