"""The picture of a result that a visitor can share: mood, colours and playlist."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import streamlit as st
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vibecheck.emotions import BY_NAME, EMOTIONS, Emotion

SIZE = (1200, 630)  # px: social networks show this shape uncropped
BACKGROUND, TEXT, QUIET, INK, TEAR = "#0E1016", "#F2F4F8", "#98A2B3", "#0D0A22", "#EAF2FF"
FACE, TEXT_LEFT, RIGHT = (90, 110), 510, 1130  # px: where the face is, and where text begins and ends
SIDE = 340  # px, of the face
BAND = 24  # px: the seven probabilities along the bottom edge
LINES = 2  # of a playlist's name
FINER = 4  # drawn this many times larger and scaled down, since Pillow draws hard edges
# Source Sans (SIL Open Font License), which Streamlit ships for its pages; the name contains a hash.
FONT = "SourceSansVF-Upright*.woff2"


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a drawn face, in hundredths of its side.

    `eye` is the height of an eye, `brows` the y of their inner and outer ends (None: no brows). `mouth` is
    the y of its middle and of its corners; an `open` one is a circle of this radius. A smile may be filled.
    """

    eye: float
    brows: tuple[float, float] | None
    mouth: tuple[float, float]
    open: float = 0
    filled: bool = False
    tear: bool = False


FEATURES = {
    "angry": Features(eye=9, brows=(36, 26), mouth=(66, 74)),
    "disgust": Features(eye=4, brows=(31, 33), mouth=(64, 73)),
    "fear": Features(eye=15, brows=(20, 28), mouth=(72, 72), open=7),
    "happy": Features(eye=12, brows=None, mouth=(80, 59), filled=True),
    "neutral": Features(eye=10, brows=None, mouth=(68, 68)),
    "sad": Features(eye=9, brows=(26, 33), mouth=(65, 75), tear=True),
    "surprise": Features(eye=14, brows=(20, 22), mouth=(72, 72), open=12),
}


def share_picture(
    mood: str, shares: Sequence[float], playlist: str, face: bytes = b"", runner_up: str = ""
) -> bytes:
    """The picture as PNG.

    `shares` are the seven probabilities, or empty if the visitor picked the mood. `face` is a JPEG; without
    it a face is drawn. `runner_up` is given if it is hard to tell the two moods apart.
    """
    emotion = BY_NAME[mood]
    picture = Image.new("RGB", SIZE, BACKGROUND)
    portrait, mask = _photographed(face) if face else _drawn(mood)
    picture.paste(portrait, FACE, mask)
    draw = ImageDraw.Draw(picture)
    draw.text((TEXT_LEFT, 90), "My vibe", QUIET, _font(36, 400))
    if runner_up:
        _draw_both(draw, emotion, BY_NAME[runner_up])
    else:
        draw.text((TEXT_LEFT, 122), emotion.headline, emotion.colour, _font(124, 700))
    if lines := _lines(playlist, _font(52, 600)):
        draw.text((TEXT_LEFT, 318), "sounds like", QUIET, _font(36, 400))
        draw.text((TEXT_LEFT, 362), "\n".join(lines), TEXT, _font(52, 600), spacing=8)
    draw.text((RIGHT, SIZE[1] - BAND - 30), "VibeCheck", QUIET, _font(30, 600), anchor="rs")
    left = 0.0
    for each, share in zip(EMOTIONS, shares or [float(each is emotion) for each in EMOTIONS], strict=True):
        right = left + share * SIZE[0]
        draw.rectangle((round(left), SIZE[1] - BAND, round(right), SIZE[1]), each.colour)
        left = right
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def _draw_both(draw: ImageDraw.ImageDraw, first: Emotion, second: Emotion) -> None:
    """“Sad or afraid?”, in two lines."""
    font, title = _font(76, 700), first.headline
    draw.text((TEXT_LEFT, 128), title, first.colour, font)
    draw.text((TEXT_LEFT + font.getlength(f"{title} "), 128), "or", QUIET, font)
    draw.text((TEXT_LEFT, 212), f"{second.adjective}?", second.colour, font)


def _photographed(jpeg: bytes) -> tuple[Image.Image, Image.Image]:
    """A face crop with round corners, and its mask."""
    mask = Image.new("L", (SIDE * FINER,) * 2)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, *mask.size), SIDE * FINER // 8, 255)
    with Image.open(BytesIO(jpeg)) as image:
        crop = ImageOps.fit(image.convert("RGB"), (SIDE, SIDE))
    return crop, mask.resize(crop.size, Image.Resampling.LANCZOS)


def _drawn(mood: str) -> tuple[Image.Image, Image.Image]:
    """A simple face with this mood, and its mask. No font with emoji may be installed."""
    side, unit, features = SIDE * FINER, SIDE * FINER / 100, FEATURES[mood]
    face, mask = Image.new("RGB", (side, side), BY_NAME[mood].colour), Image.new("L", (side, side))
    ImageDraw.Draw(mask).ellipse((0, 0, side, side), 255)
    draw = ImageDraw.Draw(face)

    def line(*points: tuple[float, float]) -> None:
        scaled = [(x * unit, y * unit) for x, y in points]
        draw.line(scaled, INK, round(4 * unit), "curve")
        for x, y in (scaled[0], scaled[-1]):
            draw.circle((x, y), 2 * unit, INK)

    for sign in (-1, 1):
        x, half = 50 + 17 * sign, features.eye / 2
        draw.ellipse([(x - 5) * unit, (42 - half) * unit, (x + 5) * unit, (42 + half) * unit], INK)
        if features.brows:
            line((50 + 8 * sign, features.brows[0]), (50 + 26 * sign, features.brows[1]))
    middle, corners = features.mouth
    if features.open:
        draw.circle((50 * unit, middle * unit), features.open * unit, INK)
    else:
        curve = [(x, middle + (corners - middle) * ((x - 50) / 20) ** 2) for x in range(30, 71)]
        if features.filled:
            draw.polygon([(x * unit, y * unit) for x, y in curve], INK)
            line(curve[0], curve[-1])
        line(*curve)
    if features.tear:
        draw.polygon([(x * unit, y * unit) for x, y in ((70, 50), (65.5, 58.5), (74.5, 58.5))], TEAR)
        draw.circle((70 * unit, 60 * unit), 4.7 * unit, TEAR)
    size = (SIDE, SIDE)
    return face.resize(size, Image.Resampling.LANCZOS), mask.resize(size, Image.Resampling.LANCZOS)


def _lines(text: str, font: ImageFont.FreeTypeFont) -> list[str]:
    """A text in lines that fit, without characters that the font lacks; empty if too little of it is left."""
    words = [word for each in text.split() if (word := "".join(filter(_is_drawable, each)))]
    if 2 * sum(map(len, words)) < sum(map(len, text.split())):
        return []
    lines = [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > RIGHT - TEXT_LEFT:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > LINES:
        lines[LINES - 1 :] = [f"{lines[LINES - 1]}…"]
    return [_cut(line, font) for line in lines if line]


def _cut(line: str, font: ImageFont.FreeTypeFont) -> str:
    while font.getlength(line) > RIGHT - TEXT_LEFT:
        line = f"{line.removesuffix('…')[:-1]}…"
    return line


def _is_drawable(character: str) -> bool:
    """Whether the font has a glyph for a character, and not just its box for those that it lacks."""
    font = _font(52, 600)
    return bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


@cache
def _font(size: int, weight: int) -> ImageFont.FreeTypeFont:
    file = next((Path(st.__file__).parent / "static" / "static" / "media").glob(FONT))
    font = ImageFont.truetype(file, size)
    font.set_variation_by_axes([weight])
    return font
