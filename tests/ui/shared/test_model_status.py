"""What is said of the model that runs."""

import pytest

from vibecheck.ui.shared.model_status import disagreement


@pytest.mark.parametrize(
    "report", [None, {}, {"agreement_with_embedded": 0.4}, {"agreement_with_embedded": 1.0}]
)
def test_a_model_that_mostly_agrees_with_the_embedded_one_needs_no_warning(report):
    assert disagreement(report) == ""


def test_a_model_that_disagrees_about_most_faces_is_warned_of():
    warning = disagreement({"agreement_with_embedded": 0.385})
    assert "disagree about most faces" in warning and "38%" in warning and "Models" in warning
