import struct
import time
from contextlib import suppress
from io import BytesIO

import pytest
from PIL import Image

from vibecheck.errors import UnreadablePicture
from vibecheck.vision import avif_frames
from vibecheck.vision.avif_frames import TooManyUnits, _offsets_in, largest_frame
from vibecheck.vision.images import decode


def avif(mode: str, size: tuple[int, int], **options) -> bytes:
    out = BytesIO()
    Image.new(mode, size).save(out, "AVIF", speed=10, **options)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
@pytest.mark.parametrize("size", [(16, 16), (200, 180), (513, 777)])
def test_largest_frame_is_the_size_of_the_coded_image(mode, size):
    assert largest_frame(avif(mode, size)) == size[0] * size[1]


def test_largest_frame_of_an_animation_is_found():
    data = avif(
        "RGB", (200, 180), save_all=True, append_images=[Image.new("RGB", (200, 180), "red")], duration=9
    )
    assert largest_frame(data) == 200 * 180


def test_an_animation_of_too_many_frames_is_refused_with_the_reason(monkeypatch):
    red = Image.new("RGB", (64, 64), "red")
    data = avif("RGB", (64, 64), save_all=True, append_images=[red, red], duration=9)
    assert decode(data).shape == (64, 64, 3)
    monkeypatch.setattr(avif_frames, "MOST_UNITS", 5)
    with pytest.raises(UnreadablePicture, match=r"me\.avif is stored in too many frames or tiles"):
        decode(data, name="me.avif")


def free(content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), b"free") + content


def iloc(items: int, extents: int, start: int = 0) -> bytes:
    """The box without its size, with offsets of four bytes and lengths of none."""
    return (
        b"iloc"
        + bytes(4)
        + b"\x40\0"
        + struct.pack(">H", items)
        + struct.pack(">HHHI", 1, 0, extents, start) * items
    )


def test_every_location_box_counts_not_only_the_first():
    small, large = avif("RGB", (16, 16)), avif("RGB", (513, 777))
    at, *_ = _offsets_in(large, large.index(b"iloc"))
    behind = len(small) + 8 + len(iloc(1, 1))
    assert largest_frame(small + free(iloc(1, 1, behind) + large[at : at + 64])) == 513 * 777


@pytest.mark.parametrize(
    "content",
    [
        b"iloc" + bytes(5) + b"\0" + struct.pack(">H", 4000) + struct.pack(">HHH", 1, 0, 65535) * 4000,
        b"stco" * 500_000,
        iloc(1, 1, 40) + b"\x0a" + b"\xff" * 1_000_000,
        iloc(5000, 1, 40) + b"\x0a\x0b\0\0\0\x04" * 5000,
    ],
    ids=["extents", "chunks", "a size of a million bytes", "sequence headers"],
)
def test_hostile_boxes_take_less_than_two_seconds(content):
    began = time.process_time()
    with suppress(ValueError, TooManyUnits):
        largest_frame(free(content) + avif("RGB", (64, 64)))
    assert time.process_time() - began < 2


@pytest.mark.parametrize("length", [0, 20, 100, 200])
def test_data_without_a_sequence_header_is_refused(length):
    with pytest.raises(ValueError, match=r"no AV1 sequence header|cut short"):
        largest_frame(avif("RGB", (64, 64))[:length])
