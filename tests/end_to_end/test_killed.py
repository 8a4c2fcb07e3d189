"""Nothing acknowledged is lost when the app is killed. The benchmark `crash` does it a hundred times."""

import pytest

from benchmarks.crash import Shown, crash


def test_results_shown_to_visitors_are_stored_once_and_whole_after_a_kill(tmp_path):
    found = crash(2, seed=4, folder=tmp_path)
    assert found.ids_shown > 0 and found.stored >= found.ids_shown
    assert (found.lost, found.altered, found.duplicated, found.partial, found.not_served) == (
        [],
        [],
        [],
        [],
        [],
    )
    assert found.faultless


@pytest.mark.parametrize(
    ("answers", "on_its_way", "labels", "allowed"),
    [
        ([], None, [], True),
        (["sad"], None, ["sad"], True),
        (["sad"], None, [], False),
        (["sad"], None, ["sad", "sad"], False),
        (["sad", "sad"], None, ["sad"], True),
        (["sad"], "happy", ["sad"], True),
        (["sad"], "happy", ["sad", "happy"], True),
        (["sad"], "happy", ["happy"], False),
        ([], None, ["sad"], False),
    ],
)
def test_allowed_labels_after_a_kill_are_those_shown_or_in_progress(answers, on_its_way, labels, allowed):
    assert Shown("0" * 32, True, answers, on_its_way).allows(labels) == allowed
