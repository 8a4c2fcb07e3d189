"""The HTML report of a comparison: complete in itself, and without anything executable."""

import re
from dataclasses import replace

import pytest

from finetune.judging.write_report import SHOWN, page, write
from tests.evaluation.test_report import REPORT
from tests.records.examples import JPEG
from vibecheck.errors import ModelError
from vibecheck.evaluation.report import Changed, Report
from vibecheck.vision.images import encode_jpeg


@pytest.fixture(scope="module")
def face(astronaut) -> bytes:
    return encode_jpeg(astronaut[:200, 130:330])


def test_report_contains_no_scripts_and_no_external_resources(face):
    shown = page(REPORT, {"0" * 32: face})
    assert not re.search(r"<script|<link|https?://|@import|url\(|\son\w+=", shown)
    assert shown.count("data:image/jpeg;base64,") == 1
    assert "Not proved" in shown and "bout 40 more audits needed" in shown
    assert re.search(r"Difference in accuracy: \S+ to \S+ points \(90% confidence sequence\)\.", shown)


def test_text_in_the_report_is_escaped(face):
    hostile = '<b onload="x">&'
    shown = page(replace(REPORT, reason=hostile, challenger=hostile, left_out={hostile: 3}), {})
    assert "<b onload" not in shown and shown.count("&lt;b onload") == 5


def test_only_some_of_many_pictures_are_shown_and_all_are_counted(face):
    many = tuple(Changed(f"{i:032x}", "happy", "happy", 0.5, "sad", 0.7) for i in range(SHOWN + 9))
    shown = page(replace(REPORT, changed=many), {each.prediction_id: face for each in many})
    assert shown.count("<img ") == SHOWN and f"Lost: {SHOWN + 9} pictures" in shown


def test_report_without_a_readable_picture_still_counts_the_answer():
    shown = page(REPORT, {"0" * 32: JPEG})
    assert "<img" not in shown and "Won: 1 picture<" in shown


def test_report_files_are_complete_and_readable_only_by_their_owner(tmp_path, face):
    written = write(REPORT, tmp_path / "new" / "folder", {"0" * 32: face})
    assert Report.parse(written.with_name("report.json").read_text()) == REPORT
    assert {path.stat().st_mode & 0o077 for path in written.parent.iterdir()} == {0}
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="cannot be written"):
        write(REPORT, tmp_path / "file", {})
