"""Bytes from outside become a picture, or one clear sentence.

A visitor's upload, a camera snapshot, a file on the command line: all are hostile until parsed. Pillow
opens only the kinds named here, and nothing is unpacked before its header has told its size. No
setting of Pillow is changed, and any number of threads may decode at once.

It knows no face, and trusts no byte.
"""

import re
import struct
import zlib
from io import BytesIO
from math import sqrt
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image

from vibecheck.errors import PictureError, PictureTooLarge, UnreadablePicture

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
# How the names of files of these kinds end, in small letters: to pick the pictures of a folder.
SUFFIXES = frozenset([".jpg", ".jpeg", ".jfif", ".png", ".webp", ".gif", ".bmp", ".mpo"])
MAX_BYTES = 30_000_000  # a 50-megapixel phone photo is 10 to 25 MB
MAX_PIXELS = 52_000_000  # "50 megapixel" phones make 8192 x 6144, which is 50.3 million
MIN_SIDE = 16  # px; below this no face can be read, and a tracking pixel is not a photo

# What is handed on is at most 4096 x 4096: 50 MB as an array. A 12-megapixel phone photo stays as it
# is, so that faces are cut from full resolution; a larger one keeps more detail than any face needs.
MAX_KEPT_PIXELS = 4096 * 4096

# A usual progressive JPEG has 10 scans, the most thorough optimisers make 64. Each costs a pass over
# the whole picture for a handful of bytes, and libjpeg itself sets no limit.
MAX_SCANS = 100
SCAN = b"\xff\xda"

PAPER = (255, 255, 255)  # behind transparent pixels, as on most sites portraits are cut out for

# Everything Pillow's readers are known to raise on damaged data. Only calls into Pillow are guarded.
_DAMAGE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    BufferError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)

_UPRIGHT = {  # EXIF orientation (CIPA DC-008, tag 0x0112) → what turns the picture upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

# The brand in the first box of an ISO media file; any other is some kind of video.
_BRANDS = dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1"), "a HEIC picture") | {
    b"avif": "an AVIF picture"
}
_KNOWN_BUT_REFUSED = (
    (b"%PDF", "a PDF"),
    (b"II*\0", "a TIFF or raw camera file"),
    (b"MM\0*", "a TIFF or raw camera file"),
    (b"8BPS", "a Photoshop file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon"),
    (b"\x1a\x45\xdf\xa3", "a video"),
)


def decode(data: bytes, *, name: str = "This file") -> np.ndarray:
    """The picture in `data`: height x width x 3, uint8, RGB, upright, contiguous, the caller's own.

    JPEG (also the first picture of an MPO), PNG, WebP, GIF and BMP are taken; of an animation, the
    first frame. Transparent pixels become white. Pictures of more than MAX_KEPT_PIXELS are made
    smaller, others keep their size. Nothing but pixels is left: no EXIF, no place, no colour profile.

    `name` begins the sentence of an error. Raises PictureTooLarge for more than MAX_BYTES or
    MAX_PIXELS (by the header, before anything is unpacked), UnreadablePicture for everything else
    that cannot be used; nothing else is raised, whatever the bytes.
    """
    if not data:
        raise UnreadablePicture(f"{name} is empty. Choose another picture.")
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(len(data), name)
    try:
        with Image.open(BytesIO(data), formats=KINDS) as image:
            _check_size(*image.size, name)
            if image.info.get("progressive") and data.count(SCAN) > MAX_SCANS:
                raise UnreadablePicture(f"{name} is stored in too many passes. Save it anew as JPEG or PNG.")
            return np.array(_finish(image))
    except PictureError:
        raise
    except Image.UnidentifiedImageError as error:
        raise UnreadablePicture(f"{name} {_what_it_is(data)}") from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(
            f"{name} has far more than {MAX_PIXELS // 10**6} million pixels. Save it smaller."
        ) from error
    except MemoryError as error:
        raise PictureTooLarge(f"{name} needs more memory than there is. Save it smaller.") from error
    except _DAMAGE as error:
        raise UnreadablePicture(
            f"{name} is damaged or cut short. Send it again, or save it anew as JPEG or PNG."
        ) from error


def encode_jpeg(picture: np.ndarray, quality: int = 92) -> bytes:
    """`picture` (height x width x 3, uint8, RGB) as a JPEG without any metadata.

    `quality` is libjpeg's, 1 to 95.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"Not an RGB uint8 picture: {picture.shape} {picture.dtype}")
    out = BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(picture: np.ndarray, side: int) -> bytes:
    """`picture` (as in `encode_jpeg`) as a JPEG of at most `side` x `side` pixels; never enlarged."""
    small = Image.fromarray(picture)
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
    return encode_jpeg(np.asarray(small), quality=80)


def read_file(path: str | Path) -> np.ndarray:
    """The picture in the file at `path`, as `decode` gives it. Raises PictureError naming the path."""
    return decode(read_bytes(path), name=str(path))


def read_bytes(path: str | Path) -> bytes:
    """The file at `path`, if it is one that could be a picture. Raises PictureError naming the path."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UnreadablePicture(f"{path} is a folder. Name a picture in it.")
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise UnreadablePicture(f"{path} is not a file.")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise _too_many_bytes(size, str(path))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadablePicture(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadablePicture(f"{path} cannot be read: {reason}.") from error


def _finish(image: Image.Image) -> Image.Image:
    """The image unpacked: RGB, upright, at most MAX_KEPT_PIXELS."""
    width, height = image.size
    if width * height >= 2 * MAX_KEPT_PIXELS:
        # A 48-megapixel JPEG is halved by its own decoder, to the 12 megapixels such phones usually
        # save, in a quarter of the memory. Other kinds ignore this.
        image.draft(None, (width // 2, height // 2))
    orientation = _orientation(image)
    picture = _rgb(image)
    if (excess := picture.width * picture.height / MAX_KEPT_PIXELS) > 1:
        shrunk = (int(picture.width / sqrt(excess)) or 1, int(picture.height / sqrt(excess)) or 1)
        picture = picture.resize(shrunk, Image.Resampling.BICUBIC)
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    return picture


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) where none can be read: bad tags do not spoil a picture."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGE:
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """The image in RGB, whatever it was in; 16 bits of grey become the upper 8."""
    if image.mode == "I;16":  # Pillow would clip all but the darkest 256 shades to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    cutout = image.convert("RGBA")
    paper = Image.new("RGB", cutout.size, PAPER)
    paper.paste(cutout, mask=cutout)
    return paper


def _check_size(width: int, height: int, name: str) -> None:
    if width * height > MAX_PIXELS:
        raise PictureTooLarge(
            f"{name} has {width} x {height} pixels, {width * height / 1e6:.1f} million; at most "
            f"{MAX_PIXELS // 10**6} million are taken. Save it smaller."
        )
    if min(width, height) < MIN_SIDE:
        raise UnreadablePicture(
            f"{name} is only {width} x {height} pixels, too small for a face. Send a larger one."
        )


def _too_many_bytes(size: int, name: str) -> PictureTooLarge:
    return PictureTooLarge(
        f"{name} is {size / 1e6:.1f} MB; at most {MAX_BYTES // 10**6} MB are taken. Save it smaller."
    )


def _what_it_is(data: bytes) -> str:
    """The end of a sentence about data that is none of the kinds taken."""
    kind = next((kind for start, kind in _KNOWN_BUT_REFUSED if data.startswith(start)), None)
    if data[4:8] == b"ftyp":
        kind = _BRANDS.get(data[8:12], "a video")
    elif re.match(rb"(\xef\xbb\xbf)?\s*<", data[:64]) and b"<svg" in data[:4096]:
        kind = "an SVG drawing"
    if kind:
        return f"is {kind}, which is not taken. Save it as JPEG or PNG."
    return "is not a picture that can be read. Send a JPEG, PNG, WebP, GIF or BMP file."
