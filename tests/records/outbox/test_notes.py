from concurrent.futures import ThreadPoolExecutor

import pytest


def test_the_latest_note_about_a_subject_wins(store):
    assert store.notes.read("sender") is None
    for content in ({"works": True}, {"works": False, "sentence": "…"}):
        store.notes.write("sender", content)
    note = store.notes.read("sender")
    assert store.notes.read("other") is None
    assert note.content == {"works": False, "sentence": "…"}
    assert note.age == pytest.approx(0, abs=5)


def test_a_change_sees_the_note_before_it_and_may_decline(store):
    seen = []

    def count(note):
        seen.append(note and note.content)
        return {"n": note.content["n"] + 1 if note else 1} if len(seen) < 3 else None

    assert [store.notes.change("counter", count) for _ in range(3)] == [True, True, False]
    assert seen == [None, {"n": 1}, {"n": 2}] and store.notes.read("counter").content == {"n": 2}


def test_no_concurrent_change_is_lost(store):
    def count(note):
        return {"n": note.content["n"] + 1 if note else 1}

    with ThreadPoolExecutor(4) as threads:
        written = sum(threads.map(lambda _: store.notes.change("counter", count), range(20)))
    assert store.notes.read("counter").content == {"n": written}
    assert written >= 17, "of the first ones at once, one writes the note"


def test_notes_are_found_by_the_beginning_of_their_subject(store):
    for subject in ("alert a", "alert%b", "alert b", "other"):
        store.notes.write(subject, {})
    assert store.notes.subjects("alert ") == ["alert a", "alert b"]
    store.notes.remove("alert a")
    store.notes.remove("alert a")
    assert store.notes.subjects("alert ") == ["alert b"]
