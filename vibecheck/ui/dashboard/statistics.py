"""The dashboard's filters, and the statistics of the selection."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import streamlit as st

from vibecheck.analytics.accuracy import ENOUGH
from vibecheck.analytics.overview import ModelStatus, Overview, compute_model_status, compute_overview
from vibecheck.errors import RecordsError
from vibecheck.models import promotion
from vibecheck.models.promotion import Trial
from vibecheck.records.labels.keep_question import KeepAnswers, keep_answers
from vibecheck.records.values import is_prediction_id
from vibecheck.ui.dashboard import trace
from vibecheck.ui.shared import app, theme
from vibecheck.vision.manifest import Manifest

# Age at which statistics are computed again.
FRESH = timedelta(seconds=60)

# The names of the periods on the page.
TITLES = {"week": "This week", "4 weeks": "4 weeks", "12 weeks": "12 weeks", "all": "All"}


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the page shows. `enough` audits were answered, over all time, to show more than their number."""

    overview: Overview
    status: ModelStatus
    keep: KeepAnswers
    enough: bool
    trials: tuple[Trial, ...]
    guard: Trial | None


def choose() -> Statistics:
    """The filters behind one button, and the statistics of the selection. If they fail, the page stops."""
    st.html(theme.CARDS)
    today = datetime.now(UTC).date()
    try:
        manifest = app.live_model().manifest
        status = _status(today, manifest.version, manifest)
        sources = app.store().statistics.sources()
    except RecordsError as error:
        theme.stop(error)
    enough = status.audits >= ENOUGH
    period, model, source = "all", None, None
    with st.popover(_chosen() if enough else "Look up", icon=":material/tune:", key="filters"):
        if enough:
            period = st.segmented_control(
                "Period", list(TITLES), format_func=TITLES.get, default="week", required=True, key="period",
                help="Days in UTC.",
            )  # fmt: skip
            versions = [each.version for each in status.versions]
            model = st.selectbox("Model", versions, index=None, placeholder="All models", key="only-model")
            source = st.selectbox("Source", sources, index=None, placeholder="All sources", key="only-source")
        st.text_input(
            "Look up a vibe check", placeholder="prediction_id", key="searched", on_change=_search,
            max_chars=64, help="Shows everything that is recorded about it.",
        )  # fmt: skip
    if problem := st.session_state.pop("not_found", None):
        st.warning(problem, icon="🔎")
    step = st.session_state.get("step") or "week"
    try:
        overview = _overview(today, period, model, source, step)
        return Statistics(
            overview, status, keep_answers(app.store().notes), enough, *_trials(app.registry().aliases())
        )
    except RecordsError as error:
        theme.stop(error)


def _chosen() -> str:
    """The choices so far, as the name of the button."""
    period = TITLES[st.session_state.get("period") or "week"]
    others = [st.session_state.get(f"only-{what}") for what in ("model", "source")]
    return " · ".join(filter(None, [period, *others]))


@st.cache_data(ttl=FRESH, max_entries=100, show_spinner="Computing statistics…")
def _overview(today: date, period: str, model: str | None, source: str | None, step: str) -> Overview:
    return compute_overview(app.store().statistics, today, period, model, source, step)


@st.cache_data(ttl=FRESH, max_entries=2, show_spinner="Computing statistics…")
def _status(today: date, champion: str, _manifest: Manifest) -> ModelStatus:
    """The status of the models; another `champion` computes it again."""
    return compute_model_status(app.store().statistics, app.store().trainable, _manifest, today)


@st.cache_data(ttl=FRESH, max_entries=2, show_spinner=False)
def _trials(aliases: dict[str, str]) -> tuple[tuple[Trial, ...], Trial | None]:
    """The comparisons in progress; a change of `aliases`, as after a promotion, computes them again."""
    registry, statistics = app.registry(), app.store().statistics
    return promotion.trials(registry, statistics), promotion.guard(registry, statistics)


def _search() -> None:
    wanted = st.session_state.searched.strip().lower()
    if is_prediction_id(wanted):
        trace.ask(wanted)
    elif wanted:
        st.session_state.not_found = "A prediction_id has 32 characters, 0 to 9 and a to f: copy all of it."
