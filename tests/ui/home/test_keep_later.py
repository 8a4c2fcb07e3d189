from tests.waiting import wait_for
from vibecheck.ui.home import keep_later
from vibecheck.ui.home.keep_later import Crop, HeldCrop

CROP, OTHER = Crop("0" * 32, b"a face"), Crop("1" * 32, b"another")


def test_crop_is_held_until_it_is_released():
    held = HeldCrop()
    assert held.crop is None
    held.hold(CROP)
    assert held.crop == CROP
    held.drop()
    assert held.crop is None
    held.drop()


def test_only_the_newest_crop_is_held():
    held = HeldCrop()
    held.hold(CROP)
    held.hold(OTHER)
    assert held.crop == OTHER
    held.drop()


def test_held_crop_expires(monkeypatch):
    monkeypatch.setattr(keep_later, "SECONDS", 0.05)
    held = HeldCrop()
    held.hold(CROP)
    wait_for(lambda: held.crop is None)


def test_expiry_of_an_older_crop_does_not_release_the_newer_one():
    held = HeldCrop()
    held.hold(CROP)
    held.hold(OTHER)
    held._expire(CROP)  # its timer had already fired
    assert held.crop == OTHER
    held.drop()
