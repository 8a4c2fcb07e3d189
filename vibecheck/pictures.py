"""Bytes from outside become a picture, or one clear sentence.

A visitor's upload, a camera snapshot, a file on the command line: all are hostile until parsed. Only
five kinds are opened, each by its own Pillow reader and never by `Image.open`, which warns about
large, animated or oddly tagged files through the process-wide `warnings` (another thread's filters
cannot be borrowed to silence it). What the readers of JPEG, PNG and GIF get to see is trimmed first to
the parts that make pixels, so that text bombs, animations and broken tags are never parsed at all.
No setting of Pillow is changed, and any number of threads may decode at once.
"""

import re
import struct
import zlib
from io import BytesIO
from math import sqrt
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vibecheck.errors import PictureTooLarge, UnreadablePicture

MAX_BYTES = 30_000_000  # a 50-megapixel phone photo is 10 to 25 MB
MAX_PIXELS = 52_000_000  # "50 megapixel" phones make 8192 x 6144, which is 50.3 million
MIN_SIDE = 16  # px; below this no face can be read, and a tracking pixel is not a photo

# What is handed on is at most 4096 x 4096: 50 MB as an array. A 12-megapixel phone photo stays as it
# is, so that faces are cut from full resolution; a larger one keeps more detail than any face needs.
MAX_KEPT_PIXELS = 4096 * 4096

# A usual progressive JPEG has 10 scans, the most thorough optimisers make 64. Each costs a pass over
# the whole picture for a handful of bytes, and libjpeg itself sets no limit.
MAX_SCANS = 100
MAX_PARTS = 100_000  # segments or chunks of one file; 30 MB of empty ones would take many seconds

PAPER = (255, 255, 255)  # behind transparent pixels, as on most sites portraits are cut out for

# What damaged data can make Pillow's readers raise, and the trimmers here, which index into the bytes
# without asking. Nothing else is guarded by it.
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
    Image.DecompressionBombError,
)

_JPEG_MARKER = re.compile(rb"\xff+([\x01-\xcf\xd8-\xfe])")  # not FF00 nor a restart, which are data
_JPEG_SCAN, _JPEG_END, _JPEG_EXIF = 0xDA, 0xD9, 0xE1
_JPEG_BARE = {0x01, 0xD8}  # markers with nothing after them
# Frame headers, tables and scans; of the application's own, JFIF and Adobe, which say what
# the numbers mean: without them, an RGB or YCCK picture comes out in wrong colours.
_JPEG_KEPT = {*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xEE}
_PNG_KEPT = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
_BMP_HEADERS = {12, 40, 52, 56, 64, 108, 124}  # sizes of the seven versions of its header
_BMP_PLAIN = {0, 3}  # uncompressed, with or without bit masks; Pillow unpacks the others in Python

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
        image, exif = _open(data, name)
        _check_size(*image.size, name)
        return np.array(_finish(image, _orientation(exif)))
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


def read_file(path: str | Path) -> np.ndarray:
    """The picture in the file at `path`, as `decode` gives it. Raises PictureError naming the path."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UnreadablePicture(f"{path} is a folder. Name a picture in it.")
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise UnreadablePicture(f"{path} is not a file.")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise _too_many_bytes(size, str(path))
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadablePicture(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadablePicture(f"{path} cannot be read: {reason}.") from error
    return decode(data, name=str(path))


def _open(data: bytes, name: str) -> tuple[ImageFile, bytes]:
    """The picture with its header read but nothing unpacked, and its EXIF block (may be empty)."""
    if data.startswith(b"\xff\xd8\xff"):
        trimmed, exif = _trim_jpeg(data)
        return JpegImageFile(BytesIO(trimmed)), exif
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        trimmed, exif = _trim_png(data)
        return PngImageFile(BytesIO(trimmed)), exif
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        _check_size(*_webp_size(data), name)  # the reader makes room for the canvas when it opens
        image = WebPImageFile(BytesIO(data))
        return image, image.info.get("exif", b"")
    if data.startswith((b"GIF87a", b"GIF89a")):
        trimmed, size = _trim_gif(data)
        _check_size(*size, name)
        return GifImageFile(BytesIO(trimmed)), b""
    if data.startswith(b"BM") and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        image = BmpImageFile(BytesIO(data))
        if image.info["compression"] not in _BMP_PLAIN:
            raise UnreadablePicture(f"{name} is a compressed BMP. Save it as JPEG or PNG.")
        return image, b""
    raise UnreadablePicture(f"{name} {_what_it_is(data)}")


def _finish(image: ImageFile, orientation: int) -> Image.Image:
    """The image unpacked: RGB, upright, at most MAX_KEPT_PIXELS."""
    width, height = image.size
    if width * height >= 2 * MAX_KEPT_PIXELS:
        # A 48-megapixel JPEG is halved by its own decoder, to the 12 megapixels such phones usually
        # save, in a quarter of the memory. Other kinds ignore this.
        image.draft(None, (width // 2, height // 2))
    picture = _rgb(image)
    if (excess := picture.width * picture.height / MAX_KEPT_PIXELS) > 1:
        shrunk = (int(picture.width / sqrt(excess)) or 1, int(picture.height / sqrt(excess)) or 1)
        picture = picture.resize(shrunk, Image.Resampling.BICUBIC)
    if orientation in _UPRIGHT:
        picture = picture.transpose(_UPRIGHT[orientation])
    return picture


def _rgb(image: ImageFile) -> Image.Image:
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


def _trim_jpeg(data: bytes) -> tuple[bytes, bytes]:
    """Frame, tables and scans of the first picture in `data`, and its EXIF block."""
    kept, exif = [data[:2]], b""
    position, scans, in_scan = 2, 0, False
    for _ in range(MAX_PARTS):
        found = _JPEG_MARKER.search(data, position)
        if in_scan:
            kept.append(data[position : found.start() if found else None])
        if not found or found[1][0] == _JPEG_END:  # without the end, the reader will find it cut short
            return b"".join(kept) + (b"\xff\xd9" if found else b""), exif
        marker, start = found[1][0], found.end()
        length = 0 if marker in _JPEG_BARE else int.from_bytes(data[start : start + 2], "big")
        position = start + length
        in_scan = marker == _JPEG_SCAN
        scans += in_scan
        if scans > MAX_SCANS:
            break
        if marker in _JPEG_KEPT:
            kept.append(b"\xff" + data[start - 1 : position])
        elif marker == _JPEG_EXIF and not exif and data.startswith(b"Exif\0\0", start + 2):
            exif = data[start + 2 : position]
    raise ValueError("too many scans or segments")


def _trim_png(data: bytes) -> tuple[bytes, bytes]:
    """Header, palette, transparency and pixels of the PNG, and its EXIF block.

    Leaves out the frames of an animation: what remains is the picture shown where it cannot move.
    """
    kept, exif, position, kind = [data[:8]], b"", 8, b""
    for _ in range(MAX_PARTS):
        if position >= len(data) or kind == b"IEND":
            return b"".join(kept), exif
        end = position + 12 + int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind in _PNG_KEPT:
            kept.append(data[position:end])
        elif kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        position = end
    raise ValueError("too many chunks")


def _trim_gif(data: bytes) -> tuple[bytes, tuple[int, int]]:
    """Header, palette, transparency of the first frame and what follows, and the size of it all."""
    position = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    header, control = data[:position], b""
    while data[position] == 0x21:  # an extension: a kind, then blocks that begin with their length
        block = position + 2
        if data[position + 1] == 0xF9:
            # Whether and which colour is clear, without what to do after the frame: Pillow would
            # make room for that at once.
            control = b"\x21\xf9\x04" + bytes([data[position + 3] & 1, 0, 0, data[position + 6], 0])
        while data[block]:
            block += data[block] + 1
        position = block + 1
    if data[position] != 0x2C:
        raise ValueError("no frame")
    screen = struct.unpack_from("<HH", data, 6)
    left, top, width, height = struct.unpack_from("<HHHH", data, position + 1)
    size = max(screen[0], left + width), max(screen[1], top + height)  # a frame may stick out
    return header + control + data[position:], size


def _webp_size(data: bytes) -> tuple[int, int]:
    """Width and height by the header (RFC 9649)."""
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X" and len(data) >= 30:
        return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1
    raise ValueError("no size")


def _orientation(exif: bytes) -> int:
    """The EXIF orientation, 1 (upright) where none can be read: bad tags do not spoil a picture."""
    tiff = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", tiff, 4)
        (count,) = struct.unpack_from(order + "H", tiff, offset)
        for entry in range(offset + 2, offset + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", tiff, entry)
            if tag == 0x0112:
                (value,) = struct.unpack_from(order + ("I" if kind == 4 else "H"), tiff, entry + 8)
                return value
    except struct.error:
        return 1
    return 1
