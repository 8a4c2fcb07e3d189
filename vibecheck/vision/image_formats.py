"""Which kind of image file some bytes are, judged by content, and what each kind costs to decode."""

import re
import struct
from dataclasses import dataclass, replace

from vibecheck.errors import PictureTooLarge, UnreadablePicture
from vibecheck.vision.avif_frames import TooManyUnits, largest_frame

MIN_SIDE = 16  # px; smaller pictures cannot show a readable face, and a tracking pixel is not a photo
MAX_PIXELS = 52_000_000  # "50 megapixel" phones make 8192 x 6144, which is 50.3 million
# Bytes that decoding may take in addition to the result; together they are at most 200 MB.
MAX_DECODING = 160_000_000

# Each scan of a JPEG is a pass over the whole picture, for as little as 10 bytes of file.
MAX_SCANNED = 800_000_000  # pixels, of all scans together: about a second; 64 scans of 12 megapixels
START_OF_SCAN = b"\xff\xda"

MAX_STRAY = 10_000  # bytes between the parts of a file, which Pillow reads one by one in Python
MAX_BLOCKS = 20_000  # of a GIF, before its first picture; the largest metadata have some hundreds
MAX_CHUNKS = 20_000  # of a PNG; common encoders put 4 kB or more of pixels into each

# Pixels by which a tile of a TIFF may exceed the picture: a tile is decoded whole. The usual side is 256 px.
LARGEST_TILE = 1_100_000

# Pillow expands run-length encoding in Python: about a microsecond for two bytes.
MAX_RUN_LENGTH_BMP = 2_000_000  # bytes


@dataclass(frozen=True, slots=True)
class ImageKind:
    """A kind of file that is accepted: Pillow's name for it, the name for people, and its cost.

    `cost` is the peak memory of decoding in bytes per pixel, as measured with the decoder that is
    used; 0 if it depends on the file (see `check_cost`).
    """

    format: str
    title: str
    cost: float = 0


JPEG = ImageKind("JPEG", "a JPEG")
PNG = ImageKind("PNG", "a PNG")
WEBP = ImageKind("WEBP", "a WebP picture", 7)
GIF = ImageKind("GIF", "a GIF", 2)
BMP = ImageKind("BMP", "a BMP", 3)
TIFF = ImageKind("TIFF", "a TIFF", 8)
AVIF = ImageKind("AVIF", "an AVIF picture", 11)
HEIC = ImageKind("HEIC", "a HEIC picture")
ACCEPTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"

# File name extensions, lower case, without the dot.
EXTENSIONS = (
    "jpg", "jpeg", "jfif", "mpo", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "hif",
)  # fmt: skip
# Extensions of pictures that are not accepted, which are reported when a folder is searched for pictures.
REFUSED_EXTENSIONS = (
    "svg", "psd", "jxl", "jp2", "j2k", "ico", "icns", "tga", "pcx", "eps", "ai", "xcf", "exr", "hdr", "ppm",
    "pgm", "pbm", "dng", "cr2", "cr3", "nef", "arw", "orf", "rw2", "raf", "pef", "srw", "x3f", "raw",
)  # fmt: skip

_RAW = "a raw camera file"
VIDEO = "a video"
# How files begin
_SIGNATURES: tuple[tuple[bytes | tuple[bytes, ...], ImageKind | str], ...] = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF8", GIF),
    (b"BM", BMP),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop file"),
    ((b"\xff\x0a", b"\0\0\0\x0cJXL "), "a JPEG XL picture"),
    ((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon"),
    (b"\x1a\x45\xdf\xa3", VIDEO),
    ((b"FUJIFILMCCD-RAW", b"IIU\0", b"IIRO", b"IIRS", b"MMOR", b"FOVb"), _RAW),
)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_IMAGE_BRANDS = {b"mif1", b"msf1", b"mif2", b"miaf"}


def sniff(data: bytes) -> ImageKind | str | None:
    """The kind of a file by its content; the name of a known kind that is not accepted; else None."""
    for start, kind in _SIGNATURES:
        if data.startswith(start):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return WEBP
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return VIDEO
    if data[:4] in (b"II*\0", b"MM\0*"):
        return _RAW if _is_raw(data) else TIFF
    if data[4:8] == b"ftyp":
        return _iso_media(data)
    if re.match(rb"(\xef\xbb\xbf)?\s*<", data[:64]) and b"<svg" in data[:4096]:
        return "an SVG drawing"
    return None


def _iso_media(data: bytes) -> ImageKind | str:
    """The kind of an ISO base media file, by its major brand, then by its compatible ones."""
    major, end = data[8:12], min(int.from_bytes(data[:4], "big"), 256)
    compatible = {data[i : i + 4] for i in range(16, end - 3, 4)}
    if major == b"crx ":
        return "a Canon CR3 raw camera file"
    if major in _AVIF_BRANDS or (major in _IMAGE_BRANDS and compatible & _AVIF_BRANDS):
        return AVIF
    if major in _HEIC_BRANDS | _IMAGE_BRANDS:
        return HEIC
    return VIDEO


def _is_raw(data: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, of which Pillow would read the tiny preview."""
    if data[8:10] == b"CR":
        return True
    tags = tiff_tags(data)
    preview = tags.get(254, 0) & 1 and 330 in tags  # NewSubfileType: reduced; SubIFDs: the real picture
    return bool(50706 in tags or preview or tags.get(259) in (32767, 34713))  # DNGVersion; Sony, Nikon


def tiff_tags(data: bytes) -> dict[int, int]:
    """The tags of a TIFF's first directory, with the first value of each; -1 if that is no SHORT or LONG.

    Of a tag that occurs several times, the first one counts, as it does for libtiff.
    """
    order = "<" if data[:2] == b"II" else ">"
    try:
        (offset,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, offset)
        tags: dict[int, int] = {}
        for i in range(count):
            tag, kind, _, value = struct.unpack_from(order + "HHI4s", data, offset + 2 + 12 * i)
            code = {3: "H2x", 4: "I"}.get(kind)
            tags.setdefault(tag, struct.unpack(order + code, value)[0] if code else -1)
        return tags
    except struct.error:
        return {}


def check_cost(kind: ImageKind, data: bytes, size: tuple[int, int], mode: str, name: str) -> None:
    """Refuse a picture that is too small, or would take too much memory or time to decode.

    `size` and `mode` are those in the header, in Pillow's terms. Raises PictureError, and
    ValueError for damaged data.
    """
    if min(size) < MIN_SIDE:
        raise UnreadablePicture(
            f"{name} is only {size[0]} x {size[1]} pixels, too small for a face. Send a larger one."
        )
    pixels = size[0] * size[1]
    if pixels > MAX_PIXELS:
        raise too_many_pixels(size, MAX_PIXELS, "", name)
    cost: float = kind.cost
    if kind is AVIF:
        _check_avif(data, pixels, name)
    if kind is WEBP and data[12:16] == b"VP8X" and data[20:21] and data[20] & 2:  # an animation
        cost = 10
    if kind is PNG:
        cost = 6 if mode in ("RGB", "RGBA", "LA", "I") else 3
    if cost * pixels > MAX_DECODING:
        raise too_many_pixels(size, int(MAX_DECODING / cost), kind.title, name)
    if kind is TIFF:
        _check_tiff(data, pixels, name)
    elif kind is BMP and len(data) > MAX_RUN_LENGTH_BMP and data[30:34] in (b"\1\0\0\0", b"\2\0\0\0"):
        raise UnreadablePicture(f"{name} is a compressed BMP, which takes too long to read. Save it as PNG.")


def heic_of(chroma: int, bits: int) -> ImageKind:
    """HEIC with the cost of this chroma format (420 as phones make it, 444 …) and this many bits."""
    if chroma in (400, 420):
        return replace(HEIC, cost=6.5 if bits == 8 else 9)
    return replace(HEIC, cost=11 if bits == 8 else 16)


def too_many_pixels(size: tuple[int, int], most: int, kind: str, name: str) -> PictureTooLarge:
    """The error that says how many pixels are accepted; `kind` is empty if that is the limit of all kinds."""
    of_kind, instead = (f" for {kind}", ", or as JPEG") if kind else ("", "")
    return PictureTooLarge(
        f"{name} has {size[0]} x {size[1]} pixels, {size[0] * size[1] / 1e6:.1f} million; at most "
        f"{most // 10**6} million are accepted{of_kind}. Save it smaller{instead}."
    )


def check_gif_header(data: bytes, name: str) -> None:
    """Refuse a GIF with too much before its first picture: Pillow reads it in Python, and keeps comments.

    Raises UnreadablePicture, and ValueError.
    """
    palette = data[10] if len(data) > 10 else 0
    position = 13 + (3 << (palette % 8 + 1) if palette & 0x80 else 0)
    blocks = stray = 0
    while position < len(data) and data[position : position + 1] not in (b",", b";"):
        if data[position : position + 1] == b"!":  # an extension
            position, blocks = position + 2, blocks + 1
            while position < len(data) and (size := data[position]) and blocks <= MAX_BLOCKS:
                position, blocks = position + 1 + size, blocks + 1
        else:
            stray += 1
        position += 1
        if blocks > MAX_BLOCKS:
            raise too_many("parts", name)
        if stray > MAX_STRAY:
            raise ValueError("bytes between its blocks")


def too_many(parts: str, name: str) -> UnreadablePicture:
    return UnreadablePicture(f"{name} is stored in too many {parts}. Save it again as JPEG or PNG.")


def _check_tiff(data: bytes, pixels: int, name: str) -> None:
    """A TIFF may hold JPEGs of any number of scans, one to a strip or tile."""
    tags = tiff_tags(data)
    if tags.get(259) == 6:
        raise UnreadablePicture(f"{name} is a TIFF with old-style JPEG compression. Save it as JPEG or PNG.")
    if -1 in (tags.get(259), tags.get(322), tags.get(323)):
        raise ValueError("a tag of an unusual type")
    tile = tags.get(322, 1) * tags.get(323, 1) if 322 in tags else pixels
    if tile - pixels > LARGEST_TILE:
        raise UnreadablePicture(f"{name} is a TIFF with larger tiles than pixels. Save it as JPEG or PNG.")
    if tags.get(259) == 7 and data.count(START_OF_SCAN) * min(tile, pixels) > MAX_SCANNED:
        raise too_many("passes", name)


def _check_avif(data: bytes, pixels: int, name: str) -> None:
    """Refuse an AVIF with too many coded pictures, or with larger ones than its header says."""
    try:
        largest = largest_frame(data)
    except TooManyUnits:
        raise too_many("frames or tiles", name) from None
    if largest > 2 * pixels:
        raise ValueError("it decodes to a larger picture than it says")
