"""What decoding a JPEG will cost, from its marker segments."""

import re
import struct
from dataclasses import dataclass

from vibecheck.errors import PictureTooLarge
from vibecheck.vision.image_formats import MAX_DECODING, MAX_SCANNED, MAX_STRAY, too_many

# A usual progressive JPEG has 10 scans, the most thorough optimisers make 64; libjpeg sets no limit.
MAX_SCANS = 100
# Pillow and `jpeg_layout` go through the segments in Python, and Pillow through what lies between them, byte
# by byte; fill bytes in a scan cost it the square of their number. A usual picture has 10 segments, one with
# a large colour profile and depth maps some hundreds.
MAX_SEGMENTS = 1000
# Up to the next marker with a segment, or the end of the image. Possessive, so that the time grows with the
# size of the file alone: backtracking over a row of 0xFF bytes takes the square of its length.
_MARKER = re.compile(rb"(?:[^\xff]++|\xff++[\x00\x01\xd0-\xd8])*+\xff++(.)", re.DOTALL)
# Segments that Pillow does not skip, but goes through byte by byte.
_UNREAD = (0xC8, *range(0xF0, 0xFE))


@dataclass(frozen=True, slots=True)
class JpegLayout:
    """What decoding a JPEG will take: how many scans it has, and how many coefficients to each 64 pixels.

    `segments` and `stray` (bytes between them, in a scan only fill bytes) are counted up to their limits.
    """

    scans: int
    blocks: float
    segments: int
    stray: int


def jpeg_layout(data: bytes) -> JpegLayout:
    """Read the marker segments of the first picture in a JPEG file as libjpeg would; nothing is decoded."""
    scans, blocks, segments, stray, position = 0, 3.0, 0, 0, 2
    while segments <= MAX_SEGMENTS and stray <= MAX_STRAY:
        marker = _MARKER.match(data, position)
        end = marker.end() if marker else len(data)
        stray += data.count(b"\xff\xff", position, end) if scans else end - position - 2
        if marker is None or end + 2 > len(data):
            break
        code, position = marker[1][0], end
        if code == 0xD9:  # end of image
            if scans:
                break
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if code in _UNREAD and not scans:
            stray += length
        if 0xC0 <= code <= 0xCF and code not in (0xC4, 0xC8, 0xCC):
            blocks = _blocks(data[position : position + length])
        scans += code == 0xDA
        segments += 1
        position += max(length, 2)
    return JpegLayout(scans, blocks, segments, stray)


def _blocks(frame: bytes) -> float:
    """How many 8 x 8 blocks of coefficients a frame has for 8 x 8 pixels: 1.5 for 4:2:0, 3 for 4:4:4."""
    factors = [(each >> 4, each & 15) for each in frame[9 : 8 + 3 * frame[7] : 3]] if len(frame) > 7 else []
    widest = max((h for h, _ in factors), default=0) * max((v for _, v in factors), default=0)
    return sum(h * v for h, v in factors) / widest if widest else 4.0


def jpeg_memory(layout: JpegLayout, pixels: int, shrink: int) -> float:
    """Bytes that libjpeg and its output take, decoding at 1/`shrink` of the side.

    A picture with several scans is held as two-byte coefficients until the last scan.
    """
    held = 2 * layout.blocks if layout.scans > 1 else 0.0
    return pixels * (held + 4 / shrink**2)


def check_jpeg(layout: JpegLayout, pixels: int, name: str) -> None:
    """Refuse a JPEG that would take too much memory or time to decode. Raises PictureError."""
    if layout.scans * pixels > MAX_SCANNED:
        raise too_many("passes", name)
    if jpeg_memory(layout, pixels, 8) > MAX_DECODING:
        raise PictureTooLarge(
            f"{name} is a progressive JPEG of {pixels / 1e6:.1f} million pixels, which takes too much "
            "memory. Save it smaller, or as an ordinary (baseline) JPEG."
        )


def check_jpeg_header(layout: JpegLayout, name: str) -> None:
    """Refuse a JPEG whose header alone takes too long to read. Raises UnreadablePicture, and ValueError."""
    if layout.scans > MAX_SCANS:
        raise too_many("passes", name)
    if layout.segments > MAX_SEGMENTS:
        raise too_many("parts", name)
    if layout.stray > MAX_STRAY:
        raise ValueError("bytes between its segments")
