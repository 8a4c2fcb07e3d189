"""Lists of labelled pictures, well-meant and hostile."""

import csv
import hashlib
import os
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import examples
from vibecheck.emotions import NAMES, SYNONYMS
from vibecheck.errors import LabelsError, UnreadablePicture
from vibecheck.importing.label_files import DELIMITERS, LONGEST_CELL, RefusedPicture, count, read
from vibecheck.records.labels.labelled import LabelledPicture
from vibecheck.records.values import hash_of
from vibecheck.vision.images import read_bytes

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with the pictures a.jpg and sub/b.png, and beside it one that is none of its business."""
    inside = tmp_path / "pictures"
    (inside / "sub").mkdir(parents=True)
    for name in ("a.jpg", "sub/b.png", "../secret.jpg"):
        (inside / name).write_bytes(b"a picture")
    return inside


def lines(folder: Path, text: str | bytes, **options) -> list:
    path = folder / "labels.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    found = list(read(path, **options))
    assert count(path) == len(found)
    return found


def one(folder: Path, text: str, **options):
    (line,) = lines(folder, text, **options)
    return line


def test_line_gives_picture_label_visitor_and_time(folder):
    found = lines(
        folder, "path,label,visitor,timestamp\na.jpg,happy,Ann,2026-01-31T12:00:00+02:00\nsub/b.png,sad,,\n"
    )
    assert found == [
        LabelledPicture(2, folder / "a.jpg", "happy", hash_of("Ann"), datetime(2026, 1, 31, 10, tzinfo=UTC)),
        LabelledPicture(3, folder / "sub" / "b.png", "sad"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "label,path\nhappy,a.jpg",
        "Path , LABEL,note\r\na.jpg, Happiness ,x\r\n",
        '"path";"label"\n"a.jpg";"happy"',
        "path\tlabel\na.jpg\thappy",
        "path|label|extra\na.jpg|JOY|1|2|3",
        "\ufeffpath,label\na.jpg,happy",
        "path,label\na.jpg,happy".encode("utf-16"),
    ],
)
def test_csv_dialects_of_spreadsheets_are_understood(folder, text):
    assert one(folder, text) == LabelledPicture(2, folder / "a.jpg", "happy")


def test_visitor_is_stored_as_the_hash_of_the_cookie(folder):
    cookie = "0f" * 16
    visitor = one(folder, f"path,label,visitor\na.jpg,happy,{cookie}").visitor
    assert visitor == hashlib.sha256(cookie.encode()).hexdigest()


@pytest.mark.parametrize("label", [*NAMES, *chain(*SYNONYMS.values())])
def test_synonyms_of_moods_are_understood(folder, label):
    assert one(folder, f"path,label\na.jpg,{label}").label in NAMES


def test_rows_are_numbered_as_in_a_spreadsheet(folder):
    found = lines(folder, 'path,label\n\na.jpg,happy\n,\n"sub/b.png","sad"\nc.jpg,bored\n')
    assert [line.row for line in found] == [3, 5, 6]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("a.jpg,bored", "'bored' is none of the seven moods"),
        ("a.jpg,", "no label"),
        ("a.jpg", "no label"),
        (",happy", "names no picture"),
        ("https://example.org/a.jpg,happy", "fetch the picture"),
        ("file:///etc/passwd,happy", "fetch the picture"),
        ("../secret.jpg,happy", "is outside"),
        ("sub/../../secret.jpg,happy", "is outside"),
        ("..\\secret.jpg,happy", "is outside"),
        ("/etc/passwd,happy", "is outside"),
        ("link.jpg,happy", "is outside"),
        ("loop/a.jpg,happy", "cannot be the path of a file|"),
        ("a\0.jpg,happy", "cannot be the path of a file"),
        (f"{'a' * 3000},happy", "cannot be the path of a file|"),
        (f"{'a' * (LONGEST_CELL + 1)},happy", "characters"),
        ("a.jpg,happy,Ann,yesterday", "'yesterday' is not a time"),
        ("a.jpg,happy,Ann,1700000000", "not a time"),
        ("a.jpg,happy,Ann,0001-01-01T00:00:00+14:00", "not a time"),
        ("a.jpg,happy,Ann,1960-01-01", "before 1970"),
        ("a.jpg,happy,Ann,2999-01-01", "future"),
        (f"a.jpg,{'x' * 200},Ann", "…"),
        ("a.jpg,\x1b[2Jhappy", r"\x1b[2J"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_reason(folder, row, reason):
    (folder / "link.jpg").symlink_to(folder.parent / "secret.jpg")
    (folder / "loop").symlink_to(folder / "loop")
    refused = one(folder, f"path,label,visitor,timestamp\n{row}\n")
    if reason.endswith("|") and isinstance(refused, LabelledPicture):
        # Python 3.13 can only tell when the file is opened.
        with pytest.raises(UnreadablePicture, match="cannot be read"):
            read_bytes(refused.path)
        return
    assert isinstance(refused, RefusedPicture) and refused.row == 2
    assert reason.rstrip("|") in refused.reason and refused.reason.isprintable()


def test_windows_and_absolute_paths_inside_the_folder_are_accepted(folder):
    assert one(folder, "path,label\nsub\\b.png,sad").path == folder / "sub" / "b.png"
    assert one(folder, f"path,label\n{folder}/a.jpg,sad").path == folder / "a.jpg"


def test_a_column_name_may_be_quoted_and_hold_the_delimiter(folder):
    text = '"path","notes, if any",label\na.jpg,"red, then green",sad\n'
    assert one(folder, text) == LabelledPicture(2, folder / "a.jpg", "sad")


def test_unicode_normalisation_of_file_names_may_differ(folder):
    decomposed = folder / "Zoe\u0308"
    decomposed.mkdir()
    (decomposed / "e\u0301te\u0301.jpg").write_bytes(b"")
    assert (
        one(folder, "path,label\nZo\u00eb/\u00e9t\u00e9.jpg,sad").path == decomposed / "e\u0301te\u0301.jpg"
    )
    assert one(folder, "path,label\nZo\u00eb\\\u00e9t\u00e9.jpg,sad").path.exists()
    assert not one(folder, "path,label\nZo\u00eb/none.jpg,sad").path.exists()


def test_pictures_are_read_only_from_the_given_folder(folder, tmp_path):
    elsewhere = tmp_path / "labels"
    elsewhere.mkdir()
    found = lines(elsewhere, "path,label\na.jpg,happy\n../labels/labels.csv,sad\n", pictures=folder)
    assert found[0] == LabelledPicture(2, folder / "a.jpg", "happy")
    assert "is outside" in found[1].reason


def test_time_without_a_zone_is_utc_and_a_time_one_zone_ahead_is_accepted(folder):
    assert one(folder, "path,label,timestamp\na.jpg,sad,2026-01-31").made_at == datetime(
        2026, 1, 31, tzinfo=UTC
    )
    soon = (datetime.now(UTC) + timedelta(hours=13)).isoformat()
    assert isinstance(one(folder, f"path,label,timestamp\na.jpg,sad,{soon}"), LabelledPicture)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "must name the columns"),
        (b"a.jpg,happy\n", "must name the columns"),
        (b"path,label,path\na.jpg,happy,b.jpg\n", "must name the columns"),
        (b"path,label,visitor,visitor\n", "two columns visitor"),
        (b"path,label\n\xff\xfe,happy\n", "UTF-8"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "UTF-8"),
        (b'path,label\na.jpg,happy\n"b.jpg,sad\nc.jpg,sad\n', "Row 3 .*quote"),
        (b"path,label\n" + b"x" * 100_000, "not a list of labels"),
        (b'path,label\n"' + b"x\n" * 200_000, "Row 2 "),
    ],
)
def test_malformed_label_file_is_refused_as_a_whole(folder, content, sentence):
    path = folder / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(LabelsError, match=sentence):
        count(path)


def test_missing_or_irregular_label_file_is_refused(folder):
    with pytest.raises(LabelsError, match="There is no file"):
        count(folder / "missing.csv")
    os.mkfifo(folder / "pipe.csv")
    with pytest.raises(LabelsError, match="not a file"):
        count(folder / "pipe.csv")


@settings(
    max_examples=examples(300), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.one_of(
        st.binary(max_size=300),
        st.text(max_size=200).map(lambda text: f"path,label\n{text}".encode(errors="ignore")),
    )
)
def test_arbitrary_bytes_give_valid_lines_or_a_labels_error(folder, content):
    path = folder / "labels.csv"
    path.write_bytes(content)
    try:
        found = list(read(path))
    except LabelsError:
        return
    root = folder.resolve()
    for line in found:
        assert isinstance(line, RefusedPicture) or (
            line.path.resolve().is_relative_to(root) and line.label in NAMES
        )


@settings(
    max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.sampled_from(DELIMITERS),
    st.lists(st.tuples(CELL, st.sampled_from([*NAMES, "bored"]), CELL), min_size=1, max_size=5),
)
def test_output_of_a_csv_writer_is_read_back(folder, delimiter, rows):
    path = folder / "labels.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerows([("path", "label", "visitor"), *(("a.jpg", label, who) for _, label, who in rows)])
    found = list(read(path))
    assert [line.row for line in found] == list(range(2, len(rows) + 2))
    for line, (_, label, who) in zip(found, rows, strict=True):
        assert isinstance(line, RefusedPicture) is (label == "bored")
        assert label == "bored" or line.visitor == (hash_of(who.strip()) if who.strip() else None)


def test_folder_with_one_subfolder_per_mood_is_read(folder):
    (folder / "notes.txt").touch()
    for path in ("Happiness/1.JPG", "Happiness/inner/2.png", "sad/3.webp", "sad/notes.txt", "bored/4.jpg"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    (folder / "sad" / "out.jpg").symlink_to(folder.parent / "secret.jpg")
    found = list(read(folder))
    assert count(folder) == len(found) == 7
    assert [(line.path.name, line.label) for line in found if isinstance(line, LabelledPicture)] == [
        ("1.JPG", "happy"),
        ("2.png", "happy"),
        ("3.webp", "sad"),
    ]
    refused = {Path(line.path).name: line.reason for line in found if isinstance(line, RefusedPicture)}
    assert "'bored' is none of the seven moods" in refused["bored"]
    assert "is outside" in refused["out.jpg"]
    assert "is not in a folder that is named for a mood" in refused["a.jpg"]


def test_hidden_files_and_videos_in_a_phone_export_are_counted_as_left_out(folder):
    for path in (
        "happy/1.HEIC",
        "happy/2.cr3",
        "happy/._1.HEIC",
        "happy/.DS_Store",
        "__MACOSX/happy/1.jpg",
        "happy/c.mp4",
    ):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()
    left_out = Counter()
    found = list(read(folder, left_out=left_out))
    assert [line.path.name for line in found if isinstance(line, LabelledPicture)] == ["1.HEIC", "2.cr3"]
    assert left_out == {"hidden": 3, "video": 1}


def test_folder_without_mood_subfolders_is_refused(folder):
    with pytest.raises(LabelsError, match="named for a mood"):
        count(folder / "sub")
    with pytest.raises(LabelsError, match="--pictures"):
        read(folder, folder)
