"""Image files without metadata that may be damaged or huge, for which Pillow refuses an intact picture.

It gets only what pixels and orientation need; nothing is copied.
"""

import io
import re
import struct
import zlib
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from vibecheck.vision import image_formats
from vibecheck.vision.image_formats import ImageKind

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# Segments of a JPEG: application data 0 to 15, comment; and markers without a segment, or before pixels.
APP0, APP1, APP14, APP15, COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
END_OF_HEADER = {0x00, 0x01, *range(0xD0, 0xDB)}
# The two segments that say how colours are stored: how they begin, and their least length.
JFIF, JFIF_LENGTH = b"JFIF\0", 14
ADOBE, ADOBE_LENGTH = b"Adobe", 12
# The entry for the EXIF item of an AVIF, whose orientation is stored elsewhere.
_EXIF_ITEM = re.compile(rb"infe[\2\3].{3}(?:.{4}|.{6})(?=Exif)", re.DOTALL)


def without_metadata(kind: ImageKind, data: bytes, name: str) -> io.BufferedReader:
    """The file for Pillow, without metadata that it could fail on.

    A JPEG's segments have been counted (see `jpeg_layout.check_jpeg_header`). Raises UnreadablePicture if a
    PNG has too many chunks.
    """
    view = memoryview(data)
    match kind:
        case image_formats.PNG:
            parts = _png(view, name)
        case image_formats.JPEG:
            parts = _jpeg(view)
        case image_formats.AVIF:
            parts = _avif(view)
        case _:
            parts = iter([view])
    return io.BufferedReader(_Spliced(list(parts)))


class _Spliced(io.RawIOBase):
    """A file made of parts of others."""

    def __init__(self, parts: Sequence[memoryview]) -> None:
        self._parts = [part for part in parts if len(part)] or [memoryview(b"")]
        self._starts = [0, *accumulate(map(len, self._parts))]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if self._at >= self._starts[-1]:
            return 0
        out = memoryview(buffer).cast("B")
        part = bisect(self._starts, self._at) - 1
        found = self._parts[part][self._at - self._starts[part] :][: len(out)]
        out[: len(found)] = found
        self._at += len(found)
        return len(found)


def _png(view: memoryview, name: str) -> Iterator[memoryview]:
    yield view[:8]
    position, chunks = 8, 0
    while position + 12 <= len(view):
        if (chunks := chunks + 1) > image_formats.MAX_CHUNKS:
            raise image_formats.too_many("parts", name)
        (length,) = struct.unpack_from(">I", view, position)
        end = position + 12 + length
        kind = bytes(view[position + 4 : position + 8])
        if kind in (b"IHDR", b"PLTE", b"IDAT", b"IEND") or (
            kind in (b"tRNS", b"eXIf")
            and zlib.crc32(view[position + 4 : end - 4]).to_bytes(4, "big") == view[end - 4 : end]
        ):
            yield view[position:end]
        if kind == b"IEND":
            break
        position = end


def _jpeg(view: memoryview) -> Iterator[memoryview]:
    # Not by the walk of `jpeg_layout`, which goes on past stray bytes, scans and further images, as libjpeg
    # does: from the first of these on, Pillow gets the file as it is.
    yield view[:2]
    position = 2
    while position + 4 <= len(view) and view[position] == 0xFF:
        marker = view[position + 1]
        if marker == 0xFF:  # padding
            position += 1
            continue
        if marker in END_OF_HEADER:
            break
        (length,) = struct.unpack_from(">H", view, position + 2)
        end = position + 2 + length
        if _is_needed(marker, view[position + 4 : end]):
            yield view[position:end]
        position = end
    yield view[position:]


def _is_needed(marker: int, content: memoryview) -> bool:
    """Whether a segment of a JPEG says how its pixels are stored, or holds EXIF or XMP."""
    if marker == APP0:
        return content[: len(JFIF)] == JFIF and len(content) >= JFIF_LENGTH
    if marker == APP14:
        return content[: len(ADOBE)] == ADOBE and len(content) >= ADOBE_LENGTH
    return marker == APP1 or not (APP0 <= marker <= APP15 or marker == COMMENT)


def _avif(view: memoryview) -> Iterator[memoryview]:
    if found := _EXIF_ITEM.search(view):
        yield view[: found.end()]
        yield memoryview(b"none")  # a type that decoders skip
        yield view[found.end() + 4 :]
    else:
        yield view
