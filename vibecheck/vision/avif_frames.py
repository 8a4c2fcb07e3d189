"""The size that AV1 data in an AVIF file will decode to, which need not be what the file's boxes say.

Sources: ISO/IEC 14496-12 (boxes); AV1 Bitstream & Decoding Process Specification, section 5.5.
"""

import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain

# Items, chunks and OBUs together; a picture has a handful, one of many tiles some hundreds.
MOST_UNITS = 5000


class TooManyUnits(Exception):
    """A file of more than MOST_UNITS, such as an animation of some thousand frames."""


class _Bits:
    """Reads bits, the highest first. Raises IndexError at the end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return value


def largest_frame(data: bytes) -> int:
    """Pixels of the largest frame that a sequence header of the file announces.

    Raises ValueError if there is none where the boxes say that pictures begin, and TooManyUnits.
    """
    units, largest = 0, 0
    for start in chain(_item_offsets(data), _chunk_offsets(data)):
        for pixels in chain((0,), _frame_sizes(data, start)):
            units, largest = units + 1, max(largest, pixels)
            if units > MOST_UNITS:
                raise TooManyUnits
    if not largest:
        raise ValueError("no AV1 sequence header")
    return largest


def _frame_sizes(data: bytes, at: int) -> Iterator[int]:
    """For each OBU from a position on: the pixels that it announces, 0 if it is no sequence header."""
    while at < len(data) and not data[at] & 0x81:  # forbidden and reserved bits: no OBU
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size = 0 if sized else len(data) - at
        for shift in range(0, 56 if sized else 0, 7):  # at most 8 bytes
            if at >= len(data):
                return
            size |= (data[at] & 0x7F) << shift
            at += 1
            if not data[at - 1] & 0x80:
                break
        try:
            yield _pixels_in(_Bits(data[at : at + min(size, 256)])) if kind == 1 else 0
        except IndexError:
            return
        at += size


def _pixels_in(bits: _Bits) -> int:
    """The pixels that a sequence header allows at most."""
    bits.take(4)  # seq_profile, still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return (bits.take(width_bits) + 1) * (bits.take(height_bits) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    model = delay = 0
    if bits.take(1):  # timing_info_present_flag
        bits.take(64)
        if bits.take(1):  # equal_picture_interval: an unsigned variable-length number follows
            zeros = 0
            while not bits.take(1):
                zeros += 1
            bits.take(zeros)
        if model := bits.take(1):
            delay = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    display_delay = bits.take(1)
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # seq_level_idx
            bits.take(1)
        if model and bits.take(1):
            bits.take(2 * delay + 1)
        if display_delay and bits.take(1):
            bits.take(4)


def _item_offsets(data: bytes) -> Iterator[int]:
    """Where the items begin, by every `iloc` box: decoders differ in which one they read."""
    for box in _positions(data, b"iloc"):
        with suppress(ValueError):  # these letters inside something else
            yield from _offsets_in(data, box)


def _offsets_in(data: bytes, box: int) -> Iterator[int]:
    """Where the items of an `iloc` box begin. Raises ValueError if it is cut short."""
    version, at = data[box + 4 : box + 5], box + 8

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise ValueError("iloc is cut short")
        return int.from_bytes(data[at - size : at], "big")

    sizes = number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (b"\1", b"\2") else 0
    for _ in range(number(4 if version == b"\2" else 2)):
        number(4 if version == b"\2" else 2)  # item_ID
        method = number(2) & 15 if version in (b"\1", b"\2") else 0
        number(2)  # data_reference_index
        base = number(base_size)
        if not (extents := number(2)):
            yield len(data)
            continue
        number(index_size)
        start = base + number(offset_size)
        number(length_size + (extents - 1) * (index_size + offset_size + length_size))
        if method == 1:  # counted from the content of a box
            yield from (start + box + 4 for box in _positions(data, b"idat"))
        else:
            yield start


def _chunk_offsets(data: bytes) -> Iterator[int]:
    """Where the chunks of the tracks of an image sequence begin in the file."""
    for name, size in ((b"stco", "I"), (b"co64", "Q")):
        for box in _positions(data, name):
            if box + 12 + struct.calcsize(size) <= len(data):
                yield struct.unpack_from(">" + size, data, box + 12)[0]


def _positions(data: bytes, name: bytes) -> Iterator[int]:
    """Where the name of a box stands in the file."""
    at = data.find(name)
    while at >= 0:
        yield at
        at = data.find(name, at + 4)
