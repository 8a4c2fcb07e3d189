"""Collecting labelled pictures to train on, from each source."""

import csv
from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest
from PIL import Image
from sqlalchemy import select

from finetune.data import split
from finetune.data.collect import check, collect
from tests.finetune.corrected import NOON, face, fill
from tests.records.examples import a_prediction
from tests.records.rows import engine_of
from vibecheck.emotions import NAMES
from vibecheck.errors import CometRefuses, LabelsError
from vibecheck.importing.importer import id_of
from vibecheck.records.db.tables import predictions
from vibecheck.records.labels.labelled import HELD_OUT, TRAIN, LabelledPicture
from vibecheck.records.values import CANT_TELL
from vibecheck.settings import Settings
from vibecheck.vision.faces import face_filling
from vibecheck.vision.images import encode_jpeg


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path / "data")


def add(store, *labels, picture=None, number=0, **changes):
    """A prediction with a picture of its own, and its labels: (label, source, given by, queue)."""
    seen = face(number % 7, number)
    made = a_prediction(picture_kept=True, face=face_filling(seen), **changes)
    store.add(made, encode_jpeg(seen) if picture is None else picture)
    for at, (label, source, given_by, *queue) in enumerate(labels):
        store.label(made.id, label, source, given_by, NOON + timedelta(seconds=at), *queue)
    return made


def test_store_source_gives_every_labelled_picture_with_a_side(settings):
    ids = fill(settings, 120, visitors=40)
    collected = collect(settings, "store")
    assert {row.prediction_id for row in collected.rows} == set(ids)
    assert collected.by_class() == {name: 18 if name == "angry" else 17 for name in NAMES}
    assert not collected.by_visit and not collected.left_out
    parts = [collected.train, collected.valid, collected.held_out]
    assert sum(map(len, parts)) == 120 and all(parts)
    visitors = [{row.visitor for row in part} for part in parts]
    assert not visitors[0] & visitors[1] and not (visitors[0] | visitors[1]) & visitors[2]
    assert collected.judging == collected.held_out  # all are audits
    assert all(row.picture.startswith(b"\xff\xd8") for row in collected.rows)


def test_sides_are_kept_with_the_predictions(settings, store):
    fill(settings, 30, visitors=15)
    first = collect(settings, "store")
    with engine_of(store).connect() as connection:
        kept = {row.id: row.side for row in connection.execute(select(predictions.c.id, predictions.c.side))}
    assert kept == {row.prediction_id: row.side for row in first.rows}
    # With one visitor more than nine the unit would change; what has a side keeps it.
    fill_more = [
        add(store, ("sad", "audit", None), number=n, visitor=f"new {n}", audit=True) for n in range(5)
    ]
    second = collect(settings, "store")
    assert {row.prediction_id: row.side for row in second.rows}.items() >= kept.items()
    assert len(second.rows) == 30 + len(fill_more)


def test_collecting_without_keep_sides_stores_no_sides(settings, store):
    fill(settings, 30)
    collect(settings, "store", keep_sides=False)
    with engine_of(store).connect() as connection:
        assert set(connection.execute(select(predictions.c.side)).scalars()) == {None}


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([("sad", "audit", "me"), ("fear", "labeller", "a")], "fear"),
        ([("sad", "labeller", "a"), ("fear", "labeller", "a")], "fear"),
        ([("sad", "labeller", "a"), ("fear", "labeller", "b")], None),
        ([("sad", "labeller", "a"), ("sad", "labeller", "b"), ("fear", "audit", "me")], "sad"),
        ([("sad", "labeller", "a"), (CANT_TELL, "labeller", "b")], None),
        ([("sad", "audit", "me"), ("fear", "volunteered", "me")], "fear"),
    ],
)
def test_one_label_is_chosen_per_prediction(settings, store, labels, expected):
    add(store, *labels)
    collected = collect(settings, "store")
    assert [row.label for row in collected.rows] == ([expected] if expected else [])
    assert sum(collected.left_out.values()) == (expected is None)


def test_unusable_labels_and_pictures_are_counted(settings, store):
    add(store, (CANT_TELL, "audit", "me"), number=1)
    add(store, ("sad", "labeller", "a"), ("fear", "labeller", "b"), number=2)
    add(store, ("sad", "audit", "me"), number=3, picture=b"\xff\xd8 no picture")
    gone = add(store, ("sad", "audit", "me"), number=4)
    store.pictures.delete(gone.id)
    same = encode_jpeg(face(5, 5))
    add(store, ("sad", "audit", "me"), picture=same)
    add(store, ("sad", "audit", "me"), picture=same)
    twice = encode_jpeg(face(6, 6))
    add(store, ("sad", "audit", "me"), picture=twice)
    add(store, ("fear", "audit", "me"), picture=twice)
    collected = collect(settings, "store")
    assert [row.label for row in collected.rows] == ["sad"]
    assert collected.left_out == {"cant_tell": 1, "conflicting": 3, "missing": 1, "unreadable": 1, "twice": 1}


def test_copies_of_a_picture_from_several_visitors_are_on_one_side(settings, store):
    fill(settings, 30, visitors=15)
    same = encode_jpeg(face(5, 5))

    def copy(number):
        return add(store, ("sad", "audit", None), picture=same, visitor=f"copy {number}", audit=True).id

    ids = {copy(number) for number in range(6)}
    (row,) = [each for each in collect(settings, "store").rows if each.prediction_id in ids]
    assert {row.prediction_id, *row.copies} == ids
    assert store.training_sets.sides(ids) == dict.fromkeys(ids, row.side)
    later = copy(7)
    collect(settings, "store")
    assert store.training_sets.sides([later]) == {later: row.side}


def test_copy_that_trains_replaces_one_that_is_held_out(settings, store):
    same = encode_jpeg(face(5, 5))
    first, second = (add(store, ("sad", "audit", None), picture=same, visitor=name) for name in "ab")
    store.training_sets.assign({first.id: HELD_OUT, second.id: TRAIN}, NOON)
    (row,) = collect(settings, "store").rows
    assert (row.prediction_id, row.side) == (second.id, TRAIN)


@pytest.mark.parametrize(
    ("label", "audit", "judges"),
    [
        (("sad", "audit", "me"), True, True),
        (("sad", "audit", "me"), False, False),
        (("sad", "volunteered", "me"), True, False),
        (("sad", "labeller", "a", "random"), False, True),
        (("sad", "labeller", "a", "useful"), False, False),
        (("sad", "labeller", "a"), False, False),
    ],
)
def test_only_labels_requested_at_random_are_used_for_judging(settings, store, label, audit, judges):
    add(store, label, audit=audit)
    (row,) = collect(settings, "store").rows
    assert replace(row, side=HELD_OUT).judges is judges
    assert not replace(row, side=TRAIN).judges


def test_since_leaves_out_older_vibe_checks(settings):
    fill(settings, 30)
    collected = collect(settings, "store", NOON + timedelta(minutes=20))
    assert len(collected.rows) == 10


def test_few_visitors_are_split_by_visits(settings):
    fill(settings, 20, visitors=3)
    assert collect(settings, "store").by_visit


@pytest.fixture
def folder(tmp_path):
    """Face crops, a folder a mood."""
    root = tmp_path / "faces"
    for number in range(28):
        path = root / NAMES[number % 7] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(face(number % 7, number)).save(path)
    return root


def test_folder_source_takes_the_label_from_the_subfolder(settings, folder):
    (folder / "sad" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    (folder / "bored").mkdir()
    collected = collect(settings, str(folder), crops=True)
    assert collected.by_class() == dict.fromkeys(NAMES, 4)
    assert collected.left_out == {"refused": 1, "unreadable": 1}
    assert all(row.random for row in collected.rows)
    assert all(row.face is None and row.visitor is None for row in collected.rows)
    row = next(row for row in collected.rows if row.label == "angry")
    assert row.prediction_id == id_of(row.picture)
    again = collect(settings, str(folder), crops=True)
    assert [row.side for row in again.rows] == [row.side for row in collected.rows]


def test_a_csv_file_names_visitors_and_times(settings, folder, tmp_path):
    path = tmp_path / "labels.csv"
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["path", "label", "visitor", "timestamp"])
        for number in range(28):
            name = f"faces/{NAMES[number % 7]}/{number}.png"
            lines.writerow([name, NAMES[number % 7], f"v{number % 12}", "2026-01-31T12:00:00Z"])
        lines.writerow(["../secret.png", "sad", "", ""])
    collected = collect(settings, str(path), crops=True)
    assert len(collected.rows) == 28 and collected.left_out == {"refused": 1}
    assert not collected.by_visit
    sides = {(row.visitor, row.side) for row in collected.rows}
    assert Counter(visitor for visitor, _ in sides).most_common(1)[0][1] == 1
    assert {row.made_at for row in collected.rows} == {NOON}


def test_photos_are_cropped_as_for_storage(settings, tmp_path, astronaut, empty_room):
    for mood, picture in (("happy", astronaut), ("sad", empty_room)):
        (tmp_path / "photos" / mood).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "photos" / mood / "1.jpg")
    collected = collect(settings, str(tmp_path / "photos"))
    assert collected.left_out == {"no_face": 1}
    (row,) = collected.rows
    assert row.face is not None and row.face.score < 1 and row.label == "happy"
    assert len(row.picture) < 60_000


def test_face_crops_without_the_crops_option_are_refused_with_a_hint(settings, tmp_path):
    (tmp_path / "faces" / "sad").mkdir(parents=True)
    Image.fromarray(face(5, 5)[30:60, 30:60]).save(tmp_path / "faces" / "sad" / "1.png")
    with pytest.raises(LabelsError, match="--crops"):
        collect(settings, str(tmp_path / "faces"))


def test_picture_that_is_also_in_the_store_keeps_its_side(settings, store, folder):
    first = collect(settings, str(folder), crops=True)
    held = next(row for row in first.rows if row.side == TRAIN)
    made = a_prediction(id=held.prediction_id, picture_kept=True)
    store.add(made, held.picture)
    from vibecheck.records.labels.training_sets import TrainingSets

    TrainingSets(engine_of(store)).assign({made.id: HELD_OUT}, NOON)
    again = collect(settings, str(folder), crops=True)
    assert next(row.side for row in again.rows if row.prediction_id == made.id) == HELD_OUT


def test_unknown_source_is_refused(settings):
    with pytest.raises(LabelsError, match="--source takes store, comet, a folder or a CSV file"):
        collect(settings, "nowhere")


def test_comet_source_without_an_api_key_is_refused(settings):
    with pytest.raises(CometRefuses, match="until COMET_API_KEY is set"):
        collect(settings, "comet")


def test_training_without_labels_is_refused(settings, store):
    with pytest.raises(LabelsError, match=r"no labelled pictures.*Corrections page"):
        check(collect(settings, "store"))
    add(store, (CANT_TELL, "audit", "me"))
    with pytest.raises(LabelsError, match="1 because nobody can tell the mood left out"):
        check(collect(settings, "store"))


def test_data_with_only_held_out_pictures_is_refused(settings, store):
    number = next(
        n
        for n in range(1000)
        if split.split([LabelledPicture(None, None, "sad", "me", NOON, f"{n:032x}")])[0][f"{n:032x}"]
        == HELD_OUT
    )
    add(store, ("sad", "audit", "me"), id=f"{number:032x}", visitor="me", made_at=NOON)
    with pytest.raises(LabelsError, match=r"All labelled pictures \(1\) are of visitors who"):
        check(collect(settings, "store"))


def test_data_with_only_one_mood_is_refused(settings, store):
    for number in range(10):
        add(store, ("sad", "audit", "me"), number=number, visitor=f"visitor {number}")
    with pytest.raises(LabelsError, match=r"labelled sad: label pictures of another mood"):
        check(collect(settings, "store"))
