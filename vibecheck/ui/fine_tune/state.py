"""What the fine-tune page shows: the models, the labels new to the champion, and the training runs."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from vibecheck.analytics.agreement import Outlier, outliers
from vibecheck.analytics.label_errors import NewLabels, new_labels
from vibecheck.errors import RecordsError
from vibecheck.models import promotion
from vibecheck.models.promotion import Trial
from vibecheck.models.registry import CHAMPION, PREVIOUS
from vibecheck.models.version import Version
from vibecheck.training_runs.runs_table import TrainingRun
from vibecheck.ui.shared import app, theme

STYLE = Path(__file__).with_name("fine_tune.css")


@dataclass(frozen=True, slots=True)
class FineTuneState:
    """What the page shows. `versions` are all and `runs` the latest runs, both newest first.

    `outliers` are labellers who often disagree with the others. `trials` are the comparisons with the
    champion that are in progress, `guard` that of the previous one.
    """

    versions: tuple[Version, ...]
    champion: Version
    previous: Version | None
    running: TrainingRun | None
    runs: tuple[TrainingRun, ...]
    labels: NewLabels
    outliers: tuple[Outlier, ...]
    trials: tuple[Trial, ...]
    guard: Trial | None


def load() -> FineTuneState:
    """Query the records; if they cannot be read, the page says so and stops."""
    st.html(theme.CARDS)
    st.html(STYLE)
    try:
        versions = tuple(reversed(app.registry().versions()))
        champion = next(each for each in versions if CHAMPION in each.aliases)
        return FineTuneState(
            versions=versions,
            champion=champion,
            previous=next((each for each in versions if PREVIOUS in each.aliases), None),
            running=app.runs().running(),
            runs=tuple(app.runs().history()),
            labels=new_labels(app.store().trainable, champion.version),
            outliers=tuple(outliers(app.store().statistics.label_pairs())),
            trials=promotion.trials(app.registry(), app.store().statistics, by_group=True),
            guard=promotion.guard(app.registry(), app.store().statistics),
        )
    except RecordsError as error:
        theme.stop(error)
