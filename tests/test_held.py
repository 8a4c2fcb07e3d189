import time

from vibecheck.held import Crop, HeldCrop

CROP, OTHER = Crop("0" * 32, b"a face"), Crop("1" * 32, b"another")


def test_a_crop_is_there_for_its_own_prediction_until_it_is_let_go():
    held = HeldCrop()
    assert held.of(CROP.prediction_id) is None
    held.hold(CROP)
    assert held.of(CROP.prediction_id) == CROP
    assert held.of(OTHER.prediction_id) is None
    held.let_go()
    assert held.of(CROP.prediction_id) is None
    held.let_go()


def test_only_the_newest_is_held():
    held = HeldCrop()
    held.hold(CROP)
    held.hold(OTHER)
    assert (held.of(CROP.prediction_id), held.of(OTHER.prediction_id)) == (None, OTHER)
    held.let_go()


def test_it_goes_by_itself_though_nobody_asks():
    held = HeldCrop(seconds=0.05)
    held.hold(CROP)
    give_up = time.monotonic() + 10
    while held._crop is not None and time.monotonic() < give_up:
        time.sleep(0.01)
    assert held._crop is None


def test_the_end_of_an_older_one_does_not_take_the_newer():
    held = HeldCrop(seconds=0.2)
    held.hold(CROP)
    time.sleep(0.1)
    held.hold(OTHER)
    time.sleep(0.15)  # by now the first would be gone
    assert held.of(OTHER.prediction_id) == OTHER
    held.let_go()
