"""The card that starts a training run: from what, with which labels, and what it will take."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from vibecheck.analytics.retrain import NEEDED_LABELS
from vibecheck.errors import JobError, RecordsError
from vibecheck.records.labels.trainable import LabelCount
from vibecheck.training import estimate
from vibecheck.training.estimate import Estimate
from vibecheck.training.runs import Request
from vibecheck.ui.fine_tune import state
from vibecheck.ui.fine_tune.state import FineTuneState
from vibecheck.ui.shared import app, theme
from vibecheck.ui.shared.configuration import settings
from vibecheck.ui.shared.presses import once
from vibecheck.vision.model_source import EMBEDDED_NAME, HubModel, parse_source

HUB = "A model on the Hub …"
SOURCES = {"store": "The records of this app", "comet": "Comet", "files": "A folder, or a table of labels"}


@dataclass(frozen=True, slots=True)
class RequestedRun:
    """What the card asks for, and what stands in its way, or nothing."""

    request: Request
    problem: str = ""


def launch(known: FineTuneState) -> None:
    """The card; its button starts the run."""
    _take_up()
    with st.container(key="card-start", height="stretch"):
        st.html('<h2 class="vcd-title">Train a challenger</h2>')
        base = _base(known)
        try:
            with st.expander("Advanced"):
                asked = _asked(base)
            made_since = state.beginning_of(asked.request.since)
            counts = state.learnable().counts(made_since=made_since)
            doubtful = state.suspects() if asked.request.source == "store" else 0
        except RecordsError as error:
            state.stop(error)
        problem = asked.problem or _too_few(asked.request, counts)
        rows = sum(each.n for each in counts)
        problem = problem or _too_small(_estimate(asked.request, rows))
        if problem:
            st.warning(problem, icon="✋")
        elif asked.request.source == "store" and rows < NEEDED_LABELS:
            theme.quiet(
                f"With fewer than {NEEDED_LABELS} labels a challenger seldom gets better, and it "
                "cannot be proved."
            )
        if doubtful:
            _doubt(doubtful)
        if known.running:
            theme.quiet("One run at a time: the one above has to end first.")
        st.button(
            "Fine-tune",
            type="primary",
            key="ft-start",
            width="stretch",
            disabled=bool(problem or known.running or not asked.request.base),
            on_click=once(_start),
            args=[asked.request],
        )
        theme.quiet(
            "A fifth of the visitors never train a model: on their labels the challenger is held against the "
            "champion, and then you decide. Live video goes first all the while, and this page may be closed."
        )
        if sentence := st.session_state.pop("ft-refused", None):
            st.error(sentence, icon="⚠️")


def _take_up() -> None:
    """What the dashboard's button brought along becomes what the card begins with."""
    if brought := st.session_state.pop("fine_tune", None):
        st.session_state["ft-since"] = brought.get("labels_since")


def _base(known: FineTuneState) -> str:
    """What to start from: a version, or a Hub id; empty while none is written."""
    embedded = app.live_model().embedded
    titles = {}
    if known.champion:
        titles[known.champion.version.version] = f"{known.champion.version.version} · champion"
    if not known.champion or known.champion.version.version != embedded:
        titles[EMBEDDED_NAME] = f"{embedded} · the small one that ships with VibeCheck"
    for entry in known.entries:
        version = entry.version.version
        if version not in titles and version != embedded and entry.discarded_at is None:
            titles[version] = " · ".join([version, *entry.aliases])
    chosen = st.selectbox("Start from", [*titles, HUB], format_func=lambda each: titles.get(each, each))
    if chosen != HUB:
        return chosen
    written = st.text_input("Hub id", placeholder="owner/name or owner/name@revision", key="ft-hub").strip()
    try:
        return written if not written or isinstance(parse_source(written), HubModel) else ""
    except ValueError as error:
        st.caption(f"{error}.")
        return ""


def _asked(base: str) -> RequestedRun:
    kinds = [kind for kind in SOURCES if kind != "comet" or settings().comet_api_key is not None]
    kind = st.selectbox("Labels from", kinds, format_func=SOURCES.get, key="ft-source")
    source, problem = kind, ""
    if kind == "files":
        source = st.text_input(
            "Path on this machine", placeholder="/data/faces or /data/labels.csv", key="ft-path",
            help="A folder with a folder of pictures a mood, or a CSV file with the columns path and label.",
        ).strip()  # fmt: skip
        if not source:
            problem = "Name the folder, or the file, that holds the labels."
        elif not Path(source).exists():
            problem = f"{source} is not there: name a folder, or a file, on the machine that runs VibeCheck."
    since = st.date_input(
        "Vibe checks since", value=None, key="ft-since", format="YYYY-MM-DD",
        help="Empty: all of them. Old ones help too, unless the camera or the people have changed.",
    )  # fmt: skip
    epochs = st.number_input(
        "Epochs at most",
        min_value=1,
        max_value=200,
        value=None,
        placeholder="By the model's size",
        key="ft-epochs",
    )
    reference = st.text_input(
        "Reference set", placeholder="/data/reference", key="ft-reference",
        help="A folder with a folder of pictures a mood, on this machine. A challenger that loses more than "
        "a point on it is not promoted.",
    ).strip()  # fmt: skip
    if reference and not Path(reference).exists():
        problem = problem or f"{reference} is not there: name a folder on the machine that runs VibeCheck."
    return RequestedRun(Request(base, source, since, epochs, reference or None), problem)


def _doubt(count: int) -> None:
    """That labels look wrong, and what settles them."""
    looks = "label looks" if count == 1 else "labels look"
    theme.quiet(
        f"{count:,} {looks} wrong: a model that was very sure says otherwise. The dashboard shows them, and "
        "a labeller's word settles each."
    )


def _too_few(request: Request, counts: list[LabelCount]) -> str:
    if request.source != "store":
        return ""
    usable = [each for each in counts if each.n]
    if not usable:
        return "There is no label with a picture to learn from yet."
    if len(usable) < 2:
        return f"All labels say {usable[0].label}: a model that learned from them would say nothing else."
    return ""


def _estimate(request: Request, rows: int) -> Estimate | None:
    """Says what the run will take, and returns it; None where that cannot be known beforehand."""
    if not request.base or request.source != "store" or not rows:
        return None
    here = estimate.size_of_base(request.base, settings().data, app.live_model().embedded)
    size = here or estimate.USUAL
    takes = estimate.estimate_of(size, rows, request.epochs)
    about = "" if here else " (as most on the Hub)"
    st.html(
        '<div class="vcf-facts">'
        f"<span><b>{rows:,}</b> labels</span>"
        f"<span><b>{size.parameters / 1e6:,.1f} M</b> weights, {size.side} px{about}</span>"
        f"<span>at most <b>{spoken_minutes(takes.minutes)}</b></span>"
        f"<span><b>{takes.memory_mb / 1000:.1f} GB</b> of memory</span></div>"
    )
    return takes


def spoken_minutes(minutes: float) -> str:
    """A time as people say it."""
    if minutes < 1.5:
        return "a minute"
    if minutes < 90:
        return f"{minutes:.0f} minutes"
    return f"{minutes / 60:.1f} hours"


def _too_small(takes: Estimate | None) -> str:
    if takes is None or takes.enough:
        return ""
    return (
        f"This machine is too small for it: it takes about {takes.memory_mb / 1000:.1f} GB of memory, and "
        f"{takes.available_mb / 1000:.1f} GB are free. Start from the embedded model, or "
        "run python -m finetune on a larger machine with the same database."
    )


def _start(request: Request) -> None:
    try:
        app.jobs().start(request)
    except (JobError, RecordsError) as error:
        st.session_state["ft-refused"] = str(error)
