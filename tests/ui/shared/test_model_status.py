"""What is shown about the running model."""

import pytest

from vibecheck.models.background_build import BuildState
from vibecheck.models.live_model import ModelChange
from vibecheck.ui.shared import app
from vibecheck.ui.shared.model_status import FIGURES, describe, disagreement


@pytest.mark.parametrize(
    "report", [None, {}, {"agreement_with_embedded": 0.4}, {"agreement_with_embedded": 1.0}]
)
def test_a_model_that_mostly_agrees_with_the_embedded_one_needs_no_warning(report):
    assert disagreement(report) == ""


def test_model_that_disagrees_on_most_faces_gets_a_warning():
    warning = disagreement({"agreement_with_embedded": 0.385})
    assert "disagree about most faces" in warning and "38%" in warning and "Models" in warning


def test_every_page_shows_the_warning_beside_the_model(open_page, monkeypatch):
    monkeypatch.setattr(app.live_model(), "report", {"agreement_with_embedded": 0.25})
    said = " ".join(each.value for each in open_page("pages/4_About.py").sidebar.markdown)
    assert (
        "disagree about most faces (they agree on 25% of the built-in ones): see Models on the Dashboard."
        in said
    )
    monkeypatch.setattr(app.live_model(), "report", {"agreement_with_embedded": 0.75})
    assert "disagree" not in " ".join(each.value for each in open_page("pages/4_About.py").sidebar.markdown)


def test_about_shows_four_figures_and_the_weaknesses_of_the_embedded_model(open_page):
    page = open_page("pages/4_About.py")
    assert [each.label for each in page.metric] == [title for title, _ in FIGURES.values()]
    assert any(each.value.startswith("**Weaknesses.** Acted") for each in page.markdown)


@pytest.mark.parametrize("step", ["fetching", "compiling", "checking", "ready", "starting"])
def test_model_change_is_shown_without_the_models_name(step):
    change = ModelChange("owner/name", BuildState(step, 1_000_000, 8_000_000))
    assert "model" in describe(change) and "owner" not in describe(change)
