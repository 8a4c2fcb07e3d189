"""Draws faces and a mood onto a photo: the box in the mood's colour, its label, thin boxes for the others."""

import cv2
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFont

from vibecheck.emotions import BY_NAME, Distribution
from vibecheck.vision.faces import Face

INK = (13, 10, 34)  # text on a mood's colour
FITTED_SIDE = 1280
QUIET = (152, 162, 179)  # the boxes of faces that are not read


def draw(picture: np.ndarray, faces: tuple[Face, ...], shown: Distribution) -> None:
    """Draw onto an H x W x 3 uint8 RGB picture, in place.

    The first face gets a box in the colour of the mood `shown` and its tag, the others a thin grey box.
    """
    line = max(2, round(max(picture.shape[:2]) / 320))
    for face in faces[1:]:
        _box(picture, face, QUIET, max(1, line // 2))
    text, colour = tag(shown)
    _box(picture, faces[0], ImageColor.getrgb(colour)[:3], line)
    _paste(picture, label(text, colour, 11 * line), faces[0], line)


def tag(shown: Distribution) -> tuple[str, str]:
    """The tag of a face, "Sad 62%" or "Sad or afraid?", and its colour (#RRGGBB)."""
    mood, other = BY_NAME[shown.mood], BY_NAME[shown.runner_up]
    if shown.clear:
        return f"{mood.headline} {shown.percent}%", mood.colour
    return f"{mood.headline} or {other.adjective}?", mood.colour


def fitted(picture: np.ndarray, faces: tuple[Face, ...], shown: Distribution) -> np.ndarray:
    """A copy of a picture, no longer than FITTED_SIDE px, with its faces drawn on it."""
    height, width = picture.shape[:2]
    scale = min(1.0, FITTED_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    copy = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    matrix = np.array([[scale, 0.0, 0.0], [0.0, scale, 0.0]])
    draw(copy, tuple(face.moved(matrix) for face in faces), shown)
    return copy


def label(text: str, colour: str, height: int) -> np.ndarray:
    """A tag of `height` px with rounded corners: dark text on `colour`, as h x w x 4 uint8 RGBA."""
    font = ImageFont.load_default(size=height * 0.62)
    width = round(font.getlength(text) + height * 0.8)
    # Drawn four times as large and shrunk: Pillow's rounded corners are not smoothed.
    tag = Image.new("RGBA", (width * 4, height * 4), (*ImageColor.getrgb(colour), 0))
    ImageDraw.Draw(tag).rounded_rectangle((0, 0, width * 4 - 1, height * 4 - 1), height, fill=colour)
    tag = tag.resize((width, height), Image.Resampling.LANCZOS)
    ImageDraw.Draw(tag).text((width / 2, height / 2), text, fill=INK, font=font, anchor="mm")
    return np.asarray(tag)


def _box(picture: np.ndarray, face: Face, colour: tuple[int, int, int], line: int) -> None:
    """A box with rounded corners."""
    left, top = round(face.x), round(face.y)
    right, bottom = round(face.x + face.width), round(face.y + face.height)
    r = max(1, round(min(face.width, face.height) * 0.09))
    corners = (
        cv2.ellipse2Poly((left + r, top + r), (r, r), 180, 0, 90, 5),
        cv2.ellipse2Poly((right - r, top + r), (r, r), 270, 0, 90, 5),
        cv2.ellipse2Poly((right - r, bottom - r), (r, r), 0, 0, 90, 5),
        cv2.ellipse2Poly((left + r, bottom - r), (r, r), 90, 0, 90, 5),
    )
    cv2.polylines(picture, [np.concatenate(corners)], True, colour, line, cv2.LINE_AA)


def _paste(picture: np.ndarray, tag: np.ndarray, face: Face, line: int) -> None:
    """Blend a tag above the face's box, or inside its top if there is no room, within the picture."""
    height, width = tag.shape[:2]
    y = round(face.y) - height - 2 * line
    if y < 0:
        y = max(0, round(face.y) + 2 * line)
    x = min(max(0, round(face.x) - line // 2), max(0, picture.shape[1] - width))
    target = picture[y : y + height, x : x + width]
    part = tag[: target.shape[0], : target.shape[1]]
    alpha = part[..., 3:].astype(np.uint16)
    target[:] = ((part[..., :3] * alpha + target * (255 - alpha)) // 255).astype(np.uint8)
