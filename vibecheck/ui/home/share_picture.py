"""The picture of a result that a visitor can share: mood, colours and playlist."""

from collections.abc import Sequence
from functools import cache
from io import BytesIO
from pathlib import Path

import streamlit as st
from PIL import Image, ImageDraw, ImageFont, ImageOps

from vibecheck.emotions import BY_NAME, EMOTIONS, Emotion

SIZE = (1200, 630)  # px: social networks show this shape uncropped
BACKGROUND, TEXT, QUIET = "#0E1016", "#F2F4F8", "#98A2B3"
FACE, TEXT_LEFT, RIGHT = (90, 110), 510, 1130  # px: where the face is, and where text begins and ends
SIDE = 340  # px, of the face; also of those that are drawn, in face_*.png
BAND = 24  # px: the seven probabilities along the bottom edge
LINES = 2  # of a playlist's name
FINER = 4  # drawn this many times larger and scaled down, since Pillow draws hard edges
# Source Sans (SIL Open Font License), which Streamlit ships for its pages; the name contains a hash.
FONT = "SourceSansVF-Upright*.woff2"


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
    with Image.open(Path(__file__).with_name(f"face_{mood}.png")) as image:
        face = image.convert("RGBA")
    return face.convert("RGB"), face.getchannel("A")


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
