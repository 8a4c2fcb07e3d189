"""The card that starts a training run: base model, labels, and the estimate of time and memory."""

from contextlib import suppress
from datetime import UTC, datetime, time
from pathlib import Path

import psutil
import streamlit as st

from vibecheck.analytics.retrain import NEEDED_LABELS
from vibecheck.errors import RecordsError, TrainingError
from vibecheck.records.labels.trainable import LabelCount
from vibecheck.training_runs import estimate, resources
from vibecheck.training_runs.estimate import Estimate
from vibecheck.training_runs.pace import pace
from vibecheck.training_runs.runs import RunRequest
from vibecheck.training_runs.runs_table import FINISHED
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.presses import once
from vibecheck.vision.model_source import EMBEDDED_NAME, HubModel, parse_source

HUB = "A model on the Hub …"
SOURCES = {"store": "The records of this app", "comet": "Comet", "files": "A folder, or a table of labels"}


def launch(known: FineTuneState) -> None:
    """The card; its button starts the run."""
    with theme.card("start", "Train a challenger"):
        base = _base(known)
        try:
            with st.expander("Advanced"):
                asked, problem = _asked(base)
            made_since = datetime.combine(asked.since, time(), UTC) if asked.since else None
            counts = app.store().trainable.counts(made_since=made_since)
        except RecordsError as error:
            theme.stop(error)
        problem = problem or _too_few(asked, counts)
        rows = sum(each.n for each in counts)
        takes = _estimate(known, asked, rows)
        if takes and not takes.enough:
            problem = problem or takes.refusal
        if problem:
            st.warning(problem, icon="✋")
        elif asked.source == "store" and rows < NEEDED_LABELS:
            theme.quiet(
                f"With fewer than {NEEDED_LABELS} labels, a challenger is rarely better, and too few "
                "labels are left to prove it."
            )
        if asked.source == "store" and known.labels.suspect_count:
            _suspects(known.labels.suspect_count)
        if known.running:
            theme.quiet("One run at a time: wait for the one above, or cancel it.")
        st.button(
            "Fine-tune",
            type="primary",
            key="ft-start",
            width="stretch",
            disabled=bool(problem or known.running or not asked.base),
            on_click=once(_start),
            args=[asked],
        )
        theme.quiet(
            "The labels of a fifth of the visitors are held out. On them the challenger is compared with the "
            "champion, and then you decide. Live video has priority over training; you can close this page."
        )
        if sentence := st.session_state.pop("ft-refused", None):
            st.error(sentence, icon="⚠️")


def _base(known: FineTuneState) -> str:
    """The base: a version, or a Hub id; empty while none is entered."""
    champion, embedded = known.champion.version, app.live_model().embedded
    titles = {champion: f"{champion} · champion"}
    if champion != embedded:
        titles[EMBEDDED_NAME] = f"{embedded} · the small model that ships with VibeCheck"
    for each in known.versions:
        if each.version not in (*titles, embedded) and each.discarded_at is None:
            titles[each.version] = " · ".join([each.version, *each.aliases])
    chosen = st.selectbox("Start from", [*titles, HUB], format_func=lambda each: titles.get(each, each))
    if chosen != HUB:
        return chosen
    written = st.text_input("Hub id", placeholder="owner/name or owner/name@revision", key="ft-hub").strip()
    with suppress(ValueError):
        if not written or isinstance(parse_source(written), HubModel):
            return written
    theme.quiet("This is not the id of a model on the Hub: owner/name or owner/name@revision.")
    return ""


def _asked(base: str) -> tuple[RunRequest, str]:
    """The run that the card describes, and what prevents it (or "")."""
    kinds = [kind for kind in SOURCES if kind != "comet" or settings().sends]
    kind = st.selectbox("Labels from", kinds, format_func=SOURCES.get, key="ft-source")
    source, problem = kind, ""
    if kind == "files":
        source = st.text_input(
            "Path on this machine", placeholder="/data/faces or /data/labels.csv", key="ft-path",
            help="A folder with one folder of pictures per mood, or a CSV file with columns path and label.",
        ).strip()  # fmt: skip
        problem = "Name the folder or file with the labels."
        if source:
            problem = _missing(source, "a folder or file")
    since = st.date_input(
        "Vibe checks since", value=None, key="ft-since", format="YYYY-MM-DD",
        help="Empty: all of them. Old ones help too, unless cameras or people have changed. Days in UTC.",
    )  # fmt: skip
    epochs = st.number_input(
        "Maximum epochs",
        min_value=1,
        max_value=200,
        value=None,
        placeholder="By the size of the model",
        key="ft-epochs",
    )
    reference = st.text_input(
        "Reference set", placeholder="/data/reference", key="ft-reference",
        help="A folder on this machine with one folder of pictures per mood. A challenger that loses more "
        "than a point on it is not promoted.",
    ).strip()  # fmt: skip
    if reference:
        problem = problem or _missing(reference, "a folder")
    return RunRequest(base, source, since, epochs, reference or None), problem


def _missing(path: str, what: str) -> str:
    with suppress(OSError):  # a folder on the way may not be opened, or a name is too long
        if Path(path).exists():
            return ""
    return f"{path} does not exist or cannot be read: name {what} on the machine that runs VibeCheck."


def _suspects(count: int) -> None:
    """A note that some labels look wrong, and what to do about them."""
    looks = "label looks" if count == 1 else "labels look"
    theme.quiet(
        f"{count:,} new {looks} wrong: a confident model disagrees. The Dashboard lists them under Examples; "
        "label them again on Corrections to confirm or correct them."
    )


def _too_few(request: RunRequest, counts: list[LabelCount]) -> str:
    if request.source != "store":
        return ""
    usable = [each for each in counts if each.n]
    if not usable:
        return "There is no label with a picture to train on yet."
    if len(usable) < 2:
        return f"All labels are {usable[0].label}: training needs labels of at least two moods."
    return ""


def _estimate(known: FineTuneState, request: RunRequest, rows: int) -> Estimate | None:
    """Show the estimate of the run, and return it; None if it cannot be known beforehand."""
    if not request.base or request.source != "store" or not rows:
        return None
    here = estimate.size_of_base(request.base, settings().data, app.live_model().embedded)
    size = here or estimate.USUAL
    takes = estimate.of_labels(size, rows, request.epochs)
    about = "" if here else " (assumed: a ViT-B/16)"
    st.html(
        '<div class="vcf-facts">'
        f"<span><b>{rows:,}</b> labels in all</span>"
        f"<span><b>{size.parameters / 1e6:,.1f} M</b> weights, {size.side} px{about}</span>"
        f"<span>about <b>{written_minutes(takes.minutes * _pace(known))}</b></span>"
        f"<span><b>{takes.memory_mb / 1000:.1f} GB</b> of memory</span></div>"
    )
    return takes


def _pace(known: FineTuneState) -> float:
    """How many times longer runs take here than on an idle machine."""
    past = []
    for run in known.runs:
        found = run.progress.collected
        if run.state != FINISHED or run.host != resources.host() or not found or not run.ended_at:
            continue
        base = str(run.asked.get("base", ""))
        size = estimate.size_of_base(base, settings().data, app.live_model().embedded)
        if size is not None:
            labels = found.train / estimate.TRAIN
            estimated = estimate.of_labels(size, round(labels), run.asked.get("epochs")).minutes
            taken = (run.ended_at - run.started_at).total_seconds() / 60
            past.append((taken / estimated, run.asked.get("load")))
    return pace(past, resources.threads(), resources.cores(), psutil.getloadavg()[0])


def written_minutes(minutes: float) -> str:
    """A duration in words."""
    if minutes < 1.5:
        return "a minute"
    if minutes < 90:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours"


def _start(request: RunRequest) -> None:
    try:
        app.runs().start(request)
    except (TrainingError, RecordsError) as error:
        st.session_state["ft-refused"] = str(error)
