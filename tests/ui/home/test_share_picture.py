from io import BytesIO

import numpy as np
import pytest
from PIL import Image, ImageColor

from tests.ui.examples import face
from vibecheck.emotions import BY_NAME, NAMES
from vibecheck.ui.home.share_picture import (
    BAND,
    FACE,
    RIGHT,
    SIDE,
    SIZE,
    TEXT_LEFT,
    _font,
    _lines,
    share_picture,
)

SHARES = (0.1, 0.0, 0.1, 0.5, 0.1, 0.1, 0.1)


def drawn(*arguments) -> np.ndarray:
    with Image.open(BytesIO(share_picture(*arguments))) as picture:
        assert picture.format == "PNG" and not picture.info
        return np.asarray(picture.convert("RGB"))


@pytest.mark.parametrize("mood", NAMES)
def test_each_mood_has_a_face_of_its_own_in_its_colour(mood):
    picture, other = drawn(mood, SHARES, "Songs"), drawn("sad" if mood == "happy" else "happy", (), "Songs")
    assert picture.shape == (SIZE[1], SIZE[0], 3)
    colour = ImageColor.getrgb(BY_NAME[mood].colour)
    cheek = picture[FACE[1] + SIDE // 2 + 40, FACE[0] + 20]
    assert tuple(cheek) == colour and (picture != other).any()


def test_no_two_moods_have_the_same_face():
    place = slice(FACE[1], FACE[1] + SIDE), slice(FACE[0], FACE[0] + SIDE)
    dark = {(drawn(mood, (), "")[place].max(axis=-1) < 80).tobytes() for mood in NAMES}
    assert len(dark) == len(NAMES)


def test_the_band_shows_the_seven_probabilities():
    band = drawn("happy", SHARES, "Songs")[SIZE[1] - BAND // 2]
    for mood, share in zip(NAMES, SHARES, strict=True):
        width = (band == ImageColor.getrgb(BY_NAME[mood].colour)).all(axis=-1).sum()
        assert width == pytest.approx(share * SIZE[0], abs=2)


def test_corrected_mood_has_a_single_colour():
    band = drawn("sad", (), "Songs")[SIZE[1] - BAND // 2]
    assert (band == ImageColor.getrgb(BY_NAME["sad"].colour)).all()


def test_hard_to_tell_moods_are_named_in_both_colours():
    text = slice(110, 310), slice(TEXT_LEFT, SIZE[0])
    for mood, shown in (("fear", True), ("angry", False)):
        picture = drawn("sad", (), "", b"", "fear")[text]
        assert (picture == ImageColor.getrgb(BY_NAME[mood].colour)).all(axis=-1).any() == shown
    plain = drawn("sad", (), "")[text]
    assert not (plain == ImageColor.getrgb(BY_NAME["fear"].colour)).all(axis=-1).any()
    longest = [_font(76, 700).getlength(f"{BY_NAME[name].headline} or") for name in NAMES]
    longest += [_font(124, 700).getlength(BY_NAME[name].headline) for name in NAMES]
    assert max(longest) <= RIGHT - TEXT_LEFT


def test_face_is_included_only_if_given():
    jpeg = face()
    with Image.open(BytesIO(jpeg)) as image:
        middle = np.asarray(image.convert("RGB").resize((SIDE, SIDE)))[SIDE // 4 : -SIDE // 4]
    place = slice(FACE[1] + SIDE // 4, FACE[1] + SIDE - SIDE // 4), slice(FACE[0], FACE[0] + SIDE)

    def difference(picture: np.ndarray) -> float:
        return np.abs(picture[place].astype(int) - middle).mean()

    assert difference(drawn("happy", SHARES, "Songs", jpeg)) < 10
    assert difference(drawn("happy", SHARES, "Songs")) > 40


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("Happy Hits!", ["Happy Hits!"]),
        ("Ünïcödé Жизнь", ["Ünïcödé Жизнь"]),
        ("🎧 Chill 🎧 vibes", ["Chill vibes"]),
        ("日本語", []),
        ("", []),
        ("Lo-Fi Beats to Relax and Study", ["Lo-Fi Beats to Relax and", "Study"]),
    ],
)
def test_playlist_name_is_drawn_without_letters_missing_from_the_font(name, lines):
    assert _lines(name, _font(52, 600)) == lines


@pytest.mark.parametrize("name", ["x" * 300, "word " * 60])
def test_a_long_name_is_cut(name):
    font = _font(52, 600)
    lines = _lines(name, font)
    assert 1 <= len(lines) <= 2 and lines[-1].endswith("…")
    assert all(font.getlength(line) <= RIGHT - TEXT_LEFT for line in lines)
