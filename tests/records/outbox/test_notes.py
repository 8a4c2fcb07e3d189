import pytest

from vibecheck.records.db.transactions import reading, writing
from vibecheck.records.outbox.notes import read_note, write_note


def test_the_last_word_holds(engine):
    with reading(engine) as connection:
        assert read_note(connection, "sender") is None
    for content in ({"works": True}, {"works": False, "sentence": "…"}):
        with writing(engine) as connection:
            write_note(connection, "sender", content)
    with reading(engine) as connection:
        note = read_note(connection, "sender")
        assert read_note(connection, "other") is None
    assert note.content == {"works": False, "sentence": "…"}
    assert note.age == pytest.approx(0, abs=5)
