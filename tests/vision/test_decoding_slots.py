import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from vibecheck.vision import decoding_slots
from vibecheck.vision.decoding_slots import SLOTS, SMALL_PIXELS, decoding_slot, picture_slots, video_slot


class GaveUp(Exception):
    pass


@pytest.fixture
def full(monkeypatch):
    """All slots are taken until the test says otherwise."""
    monkeypatch.setattr(decoding_slots, "TELL_EVERY", 0.01)
    release, taken = threading.Event(), threading.Barrier(SLOTS + 1)

    def hold() -> None:
        with decoding_slot():
            taken.wait(60)
            release.wait(60)

    with ThreadPoolExecutor(SLOTS) as pool:
        for _ in range(SLOTS):
            pool.submit(hold)
        taken.wait(60)
        yield release
        release.set()


def test_no_more_than_the_slots_are_held_at_once():
    held, most, lock = 0, 0, threading.Lock()
    together = threading.Barrier(SLOTS)

    def work(_) -> None:
        nonlocal held, most
        with decoding_slot():
            with lock:
                held += 1
                most = max(most, held)
            together.wait(60)
            with lock:
                held -= 1

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(12 * SLOTS)))
    assert most == SLOTS


def test_waiting_callback_is_called_until_a_slot_is_free(full):
    told = []

    def waiting() -> None:
        told.append(1)
        if len(told) == 3:
            full.set()

    with decoding_slot(waiting=waiting):
        assert len(told) >= 3


def test_waiting_callback_can_give_up_by_raising(full):
    def give_up() -> None:
        raise GaveUp

    with pytest.raises(GaveUp), decoding_slot(waiting=give_up):
        pytest.fail("got in")


def test_a_thread_holds_one_slot_however_often_it_asks(full):
    full.set()
    with decoding_slot(), decoding_slot(), decoding_slot():
        pass
    with decoding_slot():
        pass


def test_decoding_that_needs_no_slot_does_not_wait(full):
    with picture_slots((SMALL_PIXELS, 1)):
        pass


def test_an_error_gives_the_slot_back():
    for _ in range(SLOTS + 1):
        with pytest.raises(GaveUp), decoding_slot():
            raise GaveUp


def test_one_video_at_a_time_leaves_a_slot_for_pictures(monkeypatch):
    monkeypatch.setattr(decoding_slots, "TELL_EVERY", 0.01)

    def give_up() -> None:
        raise GaveUp

    def second_video() -> None:
        with video_slot(give_up):
            pass

    def picture() -> str:
        with decoding_slot(waiting=give_up):
            return "read"

    with ThreadPoolExecutor(1) as pool:
        with video_slot():
            with pytest.raises(GaveUp):
                pool.submit(second_video).result(60)
            assert pool.submit(picture).result(60) == "read"
        pool.submit(second_video).result(60)
