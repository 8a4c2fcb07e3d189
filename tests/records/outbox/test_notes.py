import pytest


def test_the_latest_note_about_a_subject_wins(store):
    assert store.notes.read("sender") is None
    for content in ({"works": True}, {"works": False, "sentence": "…"}):
        store.notes.write("sender", content)
    note = store.notes.read("sender")
    assert store.notes.read("other") is None
    assert note.content == {"works": False, "sentence": "…"}
    assert note.age == pytest.approx(0, abs=5)
