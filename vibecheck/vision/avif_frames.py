"""The size that AV1 data in an AVIF file will decode to, which need not be what the file's boxes say.

Sources: ISO/IEC 14496-12 (boxes); AV1 Bitstream & Decoding Process Specification, section 5.5.
"""

import struct
from collections.abc import Iterator

MOST_UNITS = 1000  # OBUs looked at; a picture has a handful


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

    Raises ValueError if there is none where the boxes say that pictures begin.
    """
    sizes = [
        size for start in (*_item_offsets(data), *_chunk_offsets(data)) for size in _frame_sizes(data, start)
    ]
    if not sizes:
        raise ValueError("no AV1 sequence header")
    return max(width * height for width, height in sizes)


def _frame_sizes(data: bytes, at: int) -> Iterator[tuple[int, int]]:
    """The sizes in all sequence headers among the OBUs from a position on."""
    for _ in range(MOST_UNITS):
        if at >= len(data) or data[at] & 0x81:  # forbidden and reserved bits: no OBU
            return
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        size = shift = 0
        while sized and at < len(data):
            size |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        if not sized:
            size = len(data) - at
        if kind == 1:
            try:
                yield _size_in(_Bits(data[at : at + min(size, 256)]))
            except IndexError:
                return
        at += size


def _size_in(bits: _Bits) -> tuple[int, int]:
    """Width and height that a sequence header allows at most."""
    bits.take(4)  # seq_profile, still_picture
    if bits.take(1):  # reduced_still_picture_header
        bits.take(5)
    else:
        _skip_operating_points(bits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    return bits.take(width_bits) + 1, bits.take(height_bits) + 1


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
    """Where the items of the `iloc` box begin in the file."""
    box = data.find(b"iloc")
    if box < 4:
        return
    inside = data.find(b"idat") + 4  # what construction method 1 counts from
    version, at = data[box + 4], box + 8

    def number(size: int) -> int:
        nonlocal at
        at += size
        if at > len(data):
            raise ValueError("iloc is cut short")
        return int.from_bytes(data[at - size : at], "big")

    sizes = number(2)
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version in (1, 2) else 0
    for _ in range(min(number(4 if version == 2 else 2), MOST_UNITS)):
        number(4 if version == 2 else 2)  # item_ID
        method = number(2) & 15 if version in (1, 2) else 0
        number(2)  # data_reference_index
        base = number(base_size)
        for extent in range(number(2)):
            number(index_size)
            start = base + number(offset_size) + (inside if method == 1 else 0)
            number(length_size)
            if extent == 0:
                yield start


def _chunk_offsets(data: bytes) -> Iterator[int]:
    """Where the chunks of the tracks of an image sequence begin in the file."""
    for name, size in ((b"stco", "I"), (b"co64", "Q")):
        box = data.find(name)
        while box >= 0:
            if box + 12 + struct.calcsize(size) <= len(data):
                yield struct.unpack_from(">" + size, data, box + 12)[0]
            box = data.find(name, box + 4)
