"""feedback_log.csv can be read back, and no spreadsheet executes its cells."""

import csv
import io
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tests.records.examples import EXAMPLE, NOON
from vibecheck.comet.feedback_log import COLUMNS, lines
from vibecheck.records.csv_safety import harmless
from vibecheck.records.values import Feedback


def read(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_feedback_log_row_has_the_documented_columns():
    label = Feedback(EXAMPLE.id, 1, "sad", "volunteered", None, NOON)
    text = "".join(lines([(replace(EXAMPLE, picture_kept=True), label), (EXAMPLE, None)]))
    heading = (
        "prediction_id,timestamp,mood_prediction,confidence,ground_truth_mood,source,model_version,image"
    )
    assert text.splitlines()[0] == heading == ",".join(COLUMNS)
    labelled, bare = read(text)
    assert labelled == {
        "prediction_id": EXAMPLE.id,
        "timestamp": "2026-01-31T12:00:00.123456+00:00",
        "mood_prediction": "happy",
        "confidence": "0.700000",
        "ground_truth_mood": "sad",
        "source": "volunteered",
        "model_version": "embedded-3",
        "image": f"input_{EXAMPLE.id}.jpg",
    }
    assert (bare["ground_truth_mood"], bare["source"], bare["image"]) == ("", "", "")


@given(st.text(st.characters(codec="utf-8")))
def test_any_model_version_stays_one_cell_of_one_row(version):
    (found,) = read("".join(lines([(replace(EXAMPLE, model_version=version), None)])))
    assert found["model_version"] == harmless(version)
    assert found["prediction_id"] == EXAMPLE.id
    assert len(found) == len(COLUMNS)
