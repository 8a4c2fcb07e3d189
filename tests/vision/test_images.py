"""Accepted pictures come out upright, in RGB, in their colours; all others get a one-sentence error."""

import os
import re
import struct
import subprocess
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from tests.conftest import examples, photograph
from vibecheck.errors import PictureError, PictureTooLarge, UnreadablePicture
from vibecheck.vision import decoding_slots, images
from vibecheck.vision.image_formats import MAX_PIXELS
from vibecheck.vision.images import (
    MAX_BYTES,
    MAX_KEPT_PIXELS,
    decode,
    encode_jpeg,
    read_file,
    thumbnail,
)
from vibecheck.vision.jpeg_layout import MAX_SCANS

# Pillow warns of large and of oddly tagged files; whether they are taken is for the tests to say.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")

# 5712 x 4284 (24 megapixels, as phones take), flat, encoded by x265: Pillow writes no HEIC.
LARGEST_HEIC = Path(__file__).with_name("largest.heic")
HEIC = Path(__file__).with_name("face.heic")  # FACE, as a phone would save it
FACE = Image.fromarray(photograph("astronaut")[10:190, 130:330])  # wider than high, so that turns show
PHOTO = np.asarray(FACE)
GREY = np.asarray(FACE.convert("L"))
CLEAR = np.zeros(GREY.shape, bool)  # the part that is transparent below
CLEAR[:, :80] = True


def saved(image, kind, **options) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, depth, colour, rows: bytes, *extra: bytes) -> bytes:
    """A PNG by hand: `rows` as the format has them, `extra` chunks before the pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + pixels + chunk(b"IEND", b"")


def exif(orientation, order="<", kind=3) -> bytes:
    """An EXIF block with an orientation, as SHORT (kind 3) or, as some editors have it, LONG (4)."""
    value = struct.pack(order + ("HH" if kind == 3 else "I"), *((orientation, 0)[: 5 - kind]))
    entries = struct.pack(order + "HHI4s", 0x010F, 2, 4, b"abc\0")  # the maker, before it
    entries += struct.pack(order + "HHI", 0x0112, kind, 1) + value
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return b"Exif\0\0" + head + struct.pack(order + "H", 2) + entries + struct.pack(order + "I", 0)


def cutout(mode) -> Image.Image:
    image = FACE.convert("RGBA")
    image.putalpha(Image.fromarray(np.where(CLEAR, 0, 255).astype(np.uint8)))
    return image.convert(mode)


def palette_cutout(**options) -> bytes:
    """A palette picture, the part of it that is clear below drawn in entry 7."""
    image = FACE.quantize(200)
    indices = np.where(CLEAR, 7, np.asarray(image) + 8).astype(np.uint8)
    indices[0, -7:] = range(7)  # or Pillow would drop the entries before it
    paletted = Image.frombytes("P", FACE.size, indices.tobytes())
    paletted.putpalette([255, 0, 255] * 8 + image.getpalette()[:600])
    return saved(paletted, **options)


def adobe_ycck() -> bytes:
    """What Photoshop writes: YCbCr of the inverted CMY, and K, told apart by Adobe's segment alone."""
    ycc = np.asarray(Image.fromarray(255 - PHOTO).convert("YCbCr"))
    inverted = np.dstack([255 - ycc, np.zeros(GREY.shape, np.uint8)])  # Pillow inverts on writing
    data = bytearray(saved(Image.frombytes("CMYK", FACE.size, inverted.tobytes()), "JPEG", quality=95))
    data[data.index(b"Adobe") + 11] = 2  # transform: YCCK
    return bytes(data)


def jpeg_with(*segments: tuple[int, bytes], image=FACE) -> bytes:
    """A JPEG with segments of (marker, payload) right after its start."""
    data = saved(image, "JPEG", quality=95)
    added = (bytes([0xFF, marker]) + struct.pack(">H", len(load) + 2) + load for marker, load in segments)
    return data[:2] + b"".join(added) + data[2:]


def animation(kind, **options) -> bytes:
    other = Image.new("RGB", FACE.size, "red")
    return saved(FACE, kind, save_all=True, append_images=[other, FACE], duration=100, **options)


def mpo() -> bytes:
    return saved(FACE, "MPO", save_all=True, append_images=[Image.new("RGB", FACE.size, "red")], quality=95)


ON_PAPER = np.where(CLEAR[..., None], 255, PHOTO)
AS_GREY = np.dstack([GREY] * 3)
GREY_ON_PAPER = np.where(CLEAR[..., None], 255, AS_GREY)
BLACK_AND_WHITE = np.dstack([np.where(GREY > 127, 255, 0)] * 3)
WIDE_GREY = Image.fromarray(GREY.astype(np.uint16) * 257)  # 16 bits

# name, bytes, what they must look like, mean difference allowed (of 255)
TAKEN = [
    ("jpeg", lambda: saved(FACE, "JPEG", quality=95), PHOTO, 2),
    ("jpeg, progressive", lambda: saved(FACE, "JPEG", quality=95, progressive=True), PHOTO, 2),
    ("jpeg, grey", lambda: saved(FACE.convert("L"), "JPEG", quality=95), AS_GREY, 2),
    ("jpeg, CMYK", lambda: saved(FACE.convert("CMYK"), "JPEG", quality=95), PHOTO, 2),
    ("jpeg, YCCK", adobe_ycck, PHOTO, 3),
    ("jpeg, RGB", lambda: saved(FACE, "JPEG", quality=95, keep_rgb=True), PHOTO, 2),
    ("jpeg, restarts", lambda: saved(FACE, "JPEG", quality=95, restart_marker_blocks=3), PHOTO, 2),
    ("jpeg, broken EXIF", lambda: jpeg_with((0xE1, b"Exif\0\0II*\0" + b"\xff" * 40)), PHOTO, 2),
    ("jpeg, tiny EXIF", lambda: jpeg_with((0xE1, b"Exif\0\0II")), PHOTO, 2),
    ("jpeg, broken MPO index", lambda: jpeg_with((0xE2, b"MPF\0XX*\0garbage")), PHOTO, 2),
    ("jpeg, ICC profile cut short", lambda: jpeg_with((0xE2, b"ICC_PROFILE\0\1")), PHOTO, 2),
    ("jpeg, Photoshop block cut short", lambda: jpeg_with((0xED, b"Photoshop 3.0\x008BIM\4\4")), PHOTO, 2),
    ("jpeg, JFIF segment cut short", lambda: jpeg_with((0xE0, b"JFIF\0")), PHOTO, 2),
    ("jpeg, Adobe segment cut short", lambda: jpeg_with((0xEE, b"Adobe")), PHOTO, 2),
    ("jpeg, comment", lambda: jpeg_with((0xFE, b"a comment")), PHOTO, 2),
    (
        "jpeg, bytes between segments",
        lambda: b"\xff\xd8\xff\xff" + saved(FACE, "JPEG", quality=95)[3:],
        PHOTO,
        2,
    ),
    ("jpeg, bytes after its end", lambda: saved(FACE, "JPEG", quality=95) + b"\xff\xda" * 500, PHOTO, 2),
    ("mpo", mpo, PHOTO, 2),
    ("png", lambda: saved(FACE, "PNG"), PHOTO, 0),
    ("png, grey", lambda: saved(FACE.convert("L"), "PNG"), AS_GREY, 0),
    ("png, 16 bits of grey", lambda: saved(WIDE_GREY, "PNG"), AS_GREY, 0),
    ("png, 1 bit", lambda: saved(Image.fromarray(GREY > 127), "PNG"), BLACK_AND_WHITE, 0),
    ("png, palette", lambda: saved(FACE.quantize(256), "PNG"), PHOTO, 4),
    ("png, palette, one clear", lambda: palette_cutout(kind="PNG", transparency=7), ON_PAPER, 4),
    (
        "png, palette, half clear",  # entries with any alpha, not just all or nothing
        lambda: palette_cutout(kind="PNG", transparency=bytes([0] * 8 + [128] * 200)),
        np.where(CLEAR[..., None], 255, (PHOTO + 255.0) / 2),
        4,
    ),
    ("png, RGBA", lambda: saved(cutout("RGBA"), "PNG"), ON_PAPER, 0),
    ("png, LA", lambda: saved(cutout("LA"), "PNG"), GREY_ON_PAPER, 0),
    ("png, animated", lambda: animation("PNG"), PHOTO, 0),
    ("png, broken animation", lambda: png_with(chunk(b"acTL", b"\0" * 8)), PHOTO, 0),
    ("png, ICC profile of an unknown kind", lambda: png_with(chunk(b"iCCP", b"a\0\7" + b"x" * 50)), PHOTO, 0),
    ("png, ICC profile of 2 MB", lambda: saved(FACE, "PNG", icc_profile=os.urandom(2_000_000)), PHOTO, 0),
    ("png, text that unpacks to 100 MB", lambda: png_with(text_bomb()), PHOTO, 0),
    ("png, text of 2 MB", lambda: png_with(chunk(b"tEXt", b"Comment\0" + b"x" * 2_000_000)), PHOTO, 0),
    ("png, international text", lambda: png_with(chunk(b"iTXt", b"a\0\1\0\0\0no zlib")), PHOTO, 0),
    (
        "png, text with a wrong checksum",
        lambda: png_with(chunk(b"tEXt", b"Comment\0hi")[:-4] + b"\0\1\2\3"),
        PHOTO,
        0,
    ),
    (
        "png, EXIF with a wrong checksum",
        lambda: png_with(chunk(b"eXIf", exif(6)[6:])[:-4] + b"\0\1\2\3"),
        PHOTO,
        0,
    ),
    ("webp", lambda: saved(FACE, "WEBP", quality=95), PHOTO, 4),
    ("webp, lossless", lambda: saved(FACE, "WEBP", lossless=True), PHOTO, 0),
    ("webp, RGBA", lambda: saved(cutout("RGBA"), "WEBP", lossless=True), ON_PAPER, 0),
    ("webp, animated", lambda: animation("WEBP", lossless=True), PHOTO, 0),
    ("gif", lambda: saved(FACE, "GIF"), PHOTO, 5),
    ("gif, grey", lambda: saved(FACE.convert("L"), "GIF"), AS_GREY, 0),
    ("gif, one clear", lambda: palette_cutout(kind="GIF", transparency=7), ON_PAPER, 4),
    ("gif, animated", lambda: animation("GIF"), PHOTO, 5),
    ("gif, animated, with disposal", lambda: animation("GIF", disposal=2), PHOTO, 5),
    ("bmp", lambda: saved(FACE, "BMP"), PHOTO, 0),
    ("bmp, grey", lambda: saved(FACE.convert("L"), "BMP"), AS_GREY, 0),
    ("bmp, palette", lambda: saved(FACE.quantize(256), "BMP"), PHOTO, 4),
    (
        "avif, broken EXIF",
        lambda: saved(FACE, "AVIF", quality=95, exif=exif(1)).replace(b"II*\0", b"\xff" * 4),
        PHOTO,
        4,
    ),
    ("tiff", lambda: saved(FACE, "TIFF"), PHOTO, 0),
    ("tiff, deflate", lambda: saved(FACE, "TIFF", compression="tiff_adobe_deflate"), PHOTO, 0),
    ("tiff, jpeg", lambda: saved(FACE, "TIFF", compression="jpeg", quality=95), PHOTO, 3),
    ("tiff, 16 bits of grey", lambda: saved(WIDE_GREY, "TIFF"), AS_GREY, 0),
    ("tiff, RGBA", lambda: saved(cutout("RGBA"), "TIFF"), ON_PAPER, 0),
    ("tiff, CMYK", lambda: saved(FACE.convert("CMYK"), "TIFF"), PHOTO, 2),
    ("tiff, two pages", lambda: animation("TIFF"), PHOTO, 0),
    ("avif", lambda: saved(FACE, "AVIF", quality=95), PHOTO, 3),
    ("avif, RGBA", lambda: saved(cutout("RGBA"), "AVIF", quality=95), ON_PAPER, 4),
    ("avif, animated", lambda: animation("AVIF", quality=95), PHOTO, 4),
    ("heic", HEIC.read_bytes, PHOTO, 5),
    ("heic under another brand", lambda: HEIC.read_bytes().replace(b"ftypheic", b"ftypmif1"), PHOTO, 5),
    ("bmp, RGBA, whose alpha nothing honours", lambda: saved(cutout("RGBA"), "BMP"), PHOTO, 0),
]


def png_with(extra: bytes) -> bytes:
    """The photo as PNG with one more chunk after its header."""
    data = saved(FACE, "PNG")
    return data[:33] + extra + data[33:]


def text_bomb() -> bytes:
    return chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 100_000_000))


def difference(a, b) -> float:
    return float(np.abs(np.asarray(a, float) - np.asarray(b, float)).mean())


@pytest.mark.parametrize(
    ("make", "expected", "allowed"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN]
)
def test_accepted_picture_is_decoded_to_the_expected_pixels(make, expected, allowed):
    picture = decode(make())
    assert picture.shape == expected.shape
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    assert picture.flags.writeable
    assert difference(picture, expected) <= allowed


@pytest.mark.parametrize(
    ("depth", "colour", "pixel", "expected"),
    [
        (16, 2, b"\x80\x00\x40\x00\xff\xff", (128, 64, 255)),
        (16, 6, b"\x80\x00\x40\x00\xff\xff\xff\xff", (128, 64, 255)),
        (16, 6, b"\x80\x00\x40\x00\xff\xff\x00\x00", (255, 255, 255)),
        (16, 4, b"\x80\x00\xff\xff", (128, 128, 128)),
        (16, 0, b"\x80\x00", (128, 128, 128)),
        (16, 0, b"\xff\xff", (255, 255, 255)),
        (16, 0, b"\x00\x00", (0, 0, 0)),
    ],
)
def test_sixteen_bits_are_scaled_not_clipped(depth, colour, pixel, expected):
    data = png(20, 16, depth, colour, (b"\0" + pixel * 20) * 16)
    assert (decode(data) == expected).all()


@pytest.mark.parametrize(
    ("depth", "colour", "pixel", "clear"),
    [
        (8, 2, b"\x12\x34\x56", b"\0\x12\0\x34\0\x56"),
        (8, 0, b"\x12", b"\0\x12"),
    ],
)
def test_transparent_colour_becomes_white(depth, colour, pixel, clear):
    data = png(20, 16, depth, colour, (b"\0" + pixel * 20) * 16, chunk(b"tRNS", clear))
    assert (decode(data) == 255).all()


# Orientation → how a camera held that way stores an upright scene (the inverse of turning it back).
STORED = {
    1: lambda photo: photo,
    2: lambda photo: photo[:, ::-1],
    3: lambda photo: photo[::-1, ::-1],
    4: lambda photo: photo[::-1],
    5: lambda photo: photo.swapaxes(0, 1),
    6: lambda photo: np.rot90(photo, 1),
    7: lambda photo: np.rot90(photo, 2).swapaxes(0, 1),
    8: lambda photo: np.rot90(photo, -1),
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "MPO", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", STORED)
def test_a_turned_photo_comes_out_upright(orientation, kind):
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation](PHOTO)))
    picture = decode(saved(stored, kind, exif=exif(orientation), quality=95))
    assert picture.shape == PHOTO.shape
    assert difference(picture, PHOTO) < 4


@pytest.mark.parametrize(
    ("block", "turned"),
    [
        (exif(6, "<", 3), True),
        (exif(6, ">", 3), True),
        (exif(6, "<", 4), True),
        (exif(6, ">", 4), True),
        (exif(0), False),
        (exif(9), False),
        (exif(6)[:20], False),
        (exif(6).replace(b"II*\0", b"XX*\0"), False),
        (b"", False),
    ],
)
def test_only_a_readable_orientation_turns(block, turned):
    data = jpeg_with((0xE1, block))
    assert decode(data).shape == ((200, 180, 3) if turned else (180, 200, 3))


def huge(kind, width=10_000, height=10_000) -> bytes:
    """A small file whose header claims many pixels."""
    data = bytearray(saved(FACE, kind))
    if kind == "JPEG":
        struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, height, width)
    elif kind == "PNG":
        return png(width, height, 8, 2, b"")
    elif kind == "GIF":
        struct.pack_into("<HH", data, 6, width, height)
    elif kind == "BMP":
        struct.pack_into("<ii", data, 18, width, height)
    elif kind == "WEBP":
        struct.pack_into("<HH", data, 26, width, height)
    return bytes(data)


def huge_webp(header: bytes) -> bytes:
    return b"RIFF\0\0\0\0WEBP" + header + bytes(60)


def gif_frame_beyond_the_screen() -> bytes:
    data = bytearray(saved(FACE, "GIF"))
    struct.pack_into("<HHHH", data, data.index(b",", 13 + 768) + 1, 1000, 1000, 9000, 9500)
    return bytes(data)


@pytest.mark.parametrize(
    "make",
    [
        *(partial(huge, kind) for kind in ("JPEG", "PNG", "GIF", "BMP", "WEBP")),
        partial(huge_webp, b"VP8X\x0a\0\0\0\0\0\0\0" + b"\xff\xff\xff" + b"\xff\0\0"),
        gif_frame_beyond_the_screen,
        partial(huge, "PNG", 2**31 - 1, 2**31 - 1),
        partial(huge, "PNG", 8192, 6500),
        partial(huge, "JPEG", 65_500, 16_000),
    ],
)
def test_too_many_pixels_are_refused_by_the_header(make, monkeypatch):
    data = make()

    def unpack(*_):
        raise AssertionError("unpacked")

    monkeypatch.setattr(ImageFile.ImageFile, "load", unpack)
    with pytest.raises(PictureTooLarge, match=r"^It has .* pixels"):
        decode(data, name="It")


def test_a_photo_of_12_megapixels_keeps_its_size():
    data = saved(FACE.resize((4000, 3000)), "JPEG", exif=exif(6))
    assert decode(data).shape == (4000, 3000, 3)


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        ("JPEG", (6000, 4000), (2896, 4344, 3)),  # by less than half: resized
        ("JPEG", (8192, 6144), (3072, 4096, 3)),  # a "50 megapixel" phone: halved while decoding
        ("PNG", (3000, 8000), None),
        ("WEBP", (5000, 4000), None),
    ],
)
def test_a_larger_photo_is_made_smaller(kind, size, expected):
    quickly = {"JPEG": {}, "PNG": {"compress_level": 1}, "WEBP": {"method": 0}}[kind]
    data = saved(FACE.resize(size, Image.Resampling.BOX), kind, **quickly)
    assert len(data) <= MAX_BYTES
    picture = decode(data)
    height, width = picture.shape[:2]
    if expected:
        assert picture.shape == expected
    assert 0.7 * MAX_KEPT_PIXELS < height * width <= MAX_KEPT_PIXELS
    assert width / height == pytest.approx(size[0] / size[1], rel=0.001)
    seen = Image.fromarray(picture).resize(FACE.size, Image.Resampling.BOX)
    assert difference(seen, FACE) < 3


def test_pictures_up_to_the_size_limits_are_accepted_and_beyond_refused():
    assert 50_331_648 <= MAX_PIXELS < 100_000_000  # 8192 x 6144 is taken, 100 megapixels are not
    small = saved(FACE.resize((16, 16)), "PNG")
    assert decode(small).shape == (16, 16, 3)
    padded = small + b"\0" * (MAX_BYTES - len(small))
    assert decode(padded).shape == (16, 16, 3)
    with pytest.raises(PictureTooLarge, match=r"^It is 30\.1 MB; at most 30 MB are accepted"):
        decode(padded + b"\0" * 100_000, name="It")


def run_length_bmp() -> bytes:
    """4096 x 4096 pixels in runs of one."""
    header = bytearray(saved(FACE.convert("P"), "BMP")[:1078])
    struct.pack_into("<ii", header, 18, 4096, 4096)
    struct.pack_into("<i", header, 30, 1)
    return bytes(header) + b"\1\7" * 2_000_000


def tiled_tiff(side: int) -> bytes:
    """A grey TIFF of 64 x 64 pixels in a tile of this side, behind a thousand tags that nobody knows."""
    pixels = zlib.compress(bytes(side * side))
    known = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: side, 323: side, 325: len(pixels)}
    tags = dict.fromkeys(range(40_000, 41_000), 0) | known
    tags[324] = 8 + 2 + 12 * (len(tags) + 1) + 4
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4) + pixels


def gif_with(extra: bytes) -> bytes:
    """A GIF with bytes before its first picture."""
    data = saved(FACE, "GIF")
    start = 13 + (3 << (data[10] % 8 + 1) if data[10] & 0x80 else 0)
    return data[:start] + extra + data[start:]


SMALL = saved(FACE.resize((64, 48)), "JPEG", progressive=True)
LAST_SCAN = SMALL[SMALL.rindex(b"\xff\xda") : -2]

PARTED = saved(FACE, "PNG")[:33] + chunk(b"IDAT", b"") * 20_000

# name, bytes, words of the sentence
REFUSED = [
    ("nothing", b"", "is empty"),
    ("text", b"hello, world", "is not a picture"),
    ("text that begins as a BMP", b"BMW is a maker of cars and motorcycles", "is damaged"),
    ("zeros", bytes(1000), "is not a picture"),
    ("pdf", b"%PDF-1.7\n", "is a PDF, which is not accepted. Save it as JPEG or PNG"),
    ("svg", b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "is an SVG drawing"),
    ("svg with a mark", b"\xef\xbb\xbf <svg/>", "is an SVG drawing"),
    ("html", b"<html><body>", "is not a picture"),
    ("heic, header alone", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "is damaged"),
    ("avif, header alone", b"\0\0\0\x20ftypavif\0\0\0\0avifmif1", "is not a picture"),
    ("cr3", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "is a Canon CR3 raw camera file"),
    ("jpeg xl", b"\xff\x0a\xfa\x1f", "is a JPEG XL picture"),
    ("jpeg xl in boxes", b"\0\0\0\x0cJXL \r\n\x87\n", "is a JPEG XL picture"),
    ("cr2", b"II*\0\x10\0\0\0CR\2\0", "is a raw camera file"),
    ("dng", saved(FACE, "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "is a raw camera file"),
    ("tiff, no directory", saved(FACE, "TIFF")[:8], "is "),
    ("mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2", "is a video"),
    ("webm", b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81", "is a video"),
    ("jpeg 2000, which Pillow would open", saved(FACE, "JPEG2000"), "is a JPEG 2000 picture"),
    ("icon, which Pillow would open", saved(FACE, "ICO"), "is an icon"),
    ("pnm, which Pillow would open", saved(FACE, "PPM"), "is not a picture"),
    ("eps, which Pillow would run", b"%!PS-Adobe-3.0 EPSF-3.0\n", "is not a picture"),
    ("tiny", saved(FACE.resize((15, 200)), "PNG"), "is only 15 x 200 pixels, too small for a face"),
    ("a tracking pixel", saved(FACE.resize((1, 1)), "GIF"), "is only 1 x 1 pixels"),
    ("jpeg, 12 bits", SMALL.replace(b"\xff\xc2\x00\x11\x08", b"\xff\xc2\x00\x11\x0c"), "is not a picture"),
    ("jpeg, start alone", b"\xff\xd8\xff", "is not a picture"),
    ("jpeg, end at once", b"\xff\xd8\xff\xd9", "is not a picture"),
    ("jpeg, no end", SMALL[:-2], "is damaged"),
    ("jpeg, a thousand scans", SMALL[:-2] + LAST_SCAN * 1000 + b"\xff\xd9", "is stored in too many passes"),
    ("jpeg, a thousand parts", SMALL[:2] + b"\xff\xe0\0\2" * 1000 + SMALL[2:], "is stored in too many parts"),
    ("jpeg, fill bytes behind an end", SMALL[:2] + b"\xff\xd9" + b"\xff" * 20_000 + SMALL[2:], "is damaged"),
    ("jpeg, unknown segments", SMALL[:2] + (b"\xff\xf0\x9c\x40" + bytes(39_998)) + SMALL[2:], "is damaged"),
    ("tiff, a huge tile", tiled_tiff(1200), "is a TIFF with larger tiles than pixels"),
    ("gif, a long comment", gif_with(b"!\xfe" + b"\1a" * 20_001 + b"\0"), "is stored in too many parts"),
    ("gif, many extensions", gif_with(b"!\xfe\0" * 20_001), "is stored in too many parts"),
    ("gif, zeros before the picture", gif_with(bytes(20_000)), "is damaged"),
    ("jpeg, fill bytes in a scan", SMALL[:-2] + b"\xff" * 20_100 + b"\0" + SMALL[-2:], "is damaged"),
    ("jpeg, fill bytes", SMALL[:2] + b"\xff" * 20_000 + SMALL[2:], "is damaged"),
    ("png, many chunks", PARTED, "is stored in too many parts"),
    ("png, signature alone", b"\x89PNG\r\n\x1a\n", "is not a picture"),
    ("png, no pixels", png(64, 64, 8, 2, b""), "is damaged"),
    ("png, palette but none given", png(64, 64, 8, 3, (b"\0" + bytes(64)) * 64), "is damaged"),
    ("png, an unknown colour type", png(64, 64, 8, 5, (b"\0" + bytes(192)) * 64), "is not a picture"),
    ("gif, no frame", saved(FACE, "GIF")[: 13 + 768] + b";", "is not a picture"),
    ("heic, cut", HEIC.read_bytes()[:3000], "is damaged"),
    ("bmp, run-length encoded, large", run_length_bmp(), "is a compressed BMP"),
    ("webp, header alone", saved(FACE, "WEBP")[:16], "is damaged"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "words"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_unsupported_file_gets_a_one_sentence_error(data, words):
    with pytest.raises(UnreadablePicture) as caught:
        decode(data, name="cat.jpg")
    sentence = str(caught.value)
    assert sentence.startswith(f"cat.jpg {words}")
    assert re.fullmatch(r"[^\n]{20,140}\.", sentence)


def test_a_tiff_of_one_tile_is_read():
    assert decode(tiled_tiff(256)).shape == (64, 64, 3)


def test_number_of_scans_made_by_optimisers_is_accepted():
    data = SMALL[:-2] + LAST_SCAN * (MAX_SCANS - SMALL.count(b"\xff\xda")) + b"\xff\xd9"
    assert decode(data).shape == (48, 64, 3)
    assert MAX_SCANS >= 64


def test_out_of_memory_is_reported_in_one_sentence(monkeypatch):
    def unpack(*_):
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", unpack)
    with pytest.raises(PictureTooLarge, match="needs more memory than there is"):
        decode(saved(FACE, "PNG"))


KINDS = {
    "jpeg": saved(FACE.resize((64, 48)), "JPEG", exif=exif(6)),
    "progressive jpeg": SMALL,
    "cmyk": saved(FACE.resize((64, 48)).convert("CMYK"), "JPEG"),
    "mpo": saved(FACE.resize((64, 48)), "MPO", save_all=True, append_images=[FACE.resize((64, 48))]),
    "png": saved(FACE.resize((64, 48)), "PNG", exif=exif(6)),
    "palette png": saved(FACE.resize((64, 48)).quantize(16), "PNG", transparency=b"\0\x80\xff"),
    "wide png": saved(WIDE_GREY.crop((0, 0, 64, 48)), "PNG"),
    "animated png": saved(FACE.resize((64, 48)), "PNG", save_all=True, append_images=[FACE.resize((64, 48))]),
    "webp": saved(FACE.resize((64, 48)), "WEBP", exif=exif(6)),
    "lossless webp": saved(cutout("RGBA").resize((64, 48)), "WEBP", lossless=True),
    "animated webp": saved(
        FACE.resize((64, 48)), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))]
    ),
    "gif": saved(FACE.resize((64, 48)).quantize(16), "GIF", transparency=3, disposal=2),
    "animated gif": saved(
        FACE.resize((64, 48)), "GIF", save_all=True, append_images=[Image.new("RGB", (64, 48))]
    ),
    "bmp": saved(FACE.resize((64, 48)), "BMP"),
    "palette bmp": saved(FACE.resize((64, 48)).quantize(16), "BMP"),
    "tiff": saved(FACE.resize((64, 48)), "TIFF", compression="tiff_lzw"),
    "avif": saved(FACE.resize((64, 48)), "AVIF"),
    "heic": HEIC.read_bytes(),
}
ANIMATED = {"mpo", "animated png", "animated gif"}  # may be cut after the first picture


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.8, 0.99])
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - ANIMATED))
def test_a_file_cut_short_is_refused(kind, share):
    data = KINDS[kind]
    if kind.endswith("png") and share > 0.98:
        data = data[:-16]  # what ends a PNG carries no pixels: cut into the last that do
    with pytest.raises(UnreadablePicture):
        decode(data[: int(len(data) * share)])


def survives(data: bytes) -> None:
    """Either a picture or a PictureError; anything else fails."""
    try:
        picture = decode(data)
    except PictureError as error:
        assert str(error).startswith("This file ")
    else:
        assert picture.ndim == 3
        assert picture.shape[2] == 3
        assert picture.dtype == np.uint8


STARTS = [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"BM", b"RIFF\x50\0\0\0WEBPVP8 "] + [
    data[:60] for data in KINDS.values()
]


@settings(max_examples=examples(200), deadline=None)
@given(st.sampled_from(STARTS), st.binary(max_size=400))
def test_arbitrary_bytes_raise_only_picture_errors(start, rest):
    survives(start + rest)


@settings(max_examples=examples(400), deadline=None)
@given(
    st.sampled_from(sorted(KINDS)),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.floats(0, 1),
    st.booleans(),
)
@example("palette bmp", [(0.0, 66)], 1.0, False)
def test_damaged_files_raise_only_picture_errors(kind, flips, cut, in_header):
    data = bytearray(KINDS[kind])
    reach = min(len(data), 120) if in_header else len(data)  # most of what can go wrong is there
    for where, value in flips:
        data[int(where * reach)] = value
    survives(bytes(data[: int(len(data) * cut)] if cut < 0.5 else data))


def test_wrong_header_bytes_raise_only_picture_errors():
    for kind in ("jpeg", "gif", "bmp", "webp", "animated webp"):  # a PNG's is checksummed
        for position in range(100):
            for value in (0, 0x7F, 0xFF):
                data = bytearray(KINDS[kind])
                data[position] = value
                survives(bytes(data))


@pytest.mark.parametrize(("large", "together"), [(63 * 64, False), (64 * 64, True)])
def test_large_pictures_are_decoded_one_at_a_time(monkeypatch, large, together):
    monkeypatch.setattr(decoding_slots, "SMALL_PIXELS", 0)
    monkeypatch.setattr(decoding_slots, "LARGE_PIXELS", large)
    data = encode_jpeg(np.zeros((64, 64, 3), np.uint8))
    met = threading.Barrier(2)
    shrunk = images._shrunk

    def slow(*given):
        try:
            met.wait(30 if together else 0.3)  # for another picture that is being decoded
        except threading.BrokenBarrierError:
            alone.append(1)
        return shrunk(*given)

    alone: list[int] = []
    monkeypatch.setattr(images, "_shrunk", slow)
    with ThreadPoolExecutor(2) as pool:
        assert all(len(each) == 64 for each in pool.map(decode, [data, data]))
    assert len(alone) == (0 if together else 2)


def test_threads_can_decode_at_once_without_changing_pillows_settings():
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)
    alone = {kind: decode(data) for kind, data in KINDS.items()}
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, [*KINDS.values()] * 10))
    for picture, expected in zip(together, [*alone.values()] * 10, strict=True):
        assert np.array_equal(picture, expected)
    assert (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES, list(warnings.filters)) == before


def test_encoded_pictures_decode_to_themselves_without_metadata():
    turned = decode(saved(FACE, "JPEG", exif=exif(6), comment=b"here", quality=95))
    data = encode_jpeg(turned)
    assert difference(decode(data), turned) < 3
    with Image.open(BytesIO(data)) as image:
        assert dict(image.getexif()) == {}
        assert image.info.keys() == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert len(encode_jpeg(turned, quality=50)) < len(data)
    assert difference(decode(encode_jpeg(PHOTO[:, ::-1])), PHOTO[:, ::-1]) < 3  # not contiguous


@pytest.mark.parametrize(
    "picture", [PHOTO.astype(float), GREY, np.dstack([PHOTO, GREY]), PHOTO[:0], PHOTO.astype(np.uint16)]
)
def test_only_rgb_arrays_are_encoded(picture):
    with pytest.raises(ValueError, match="Not an RGB uint8 picture"):
        encode_jpeg(picture)


def test_a_file_is_read(tmp_path):
    path = tmp_path / "me.png"
    path.write_bytes(saved(FACE, "PNG"))
    assert np.array_equal(read_file(path), PHOTO)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 100_000)


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (lambda path: None, UnreadablePicture, "There is no file {path}."),
        (Path.mkdir, UnreadablePicture, "{path} is a folder. Name a picture in it."),
        (os.mkfifo, UnreadablePicture, "{path} is not a file."),
        (sparse, PictureTooLarge, "{path} is 30.1 MB; at most 30 MB are accepted. Save it smaller."),
        (Path.touch, UnreadablePicture, "{path} is empty. Choose another picture."),
        (
            lambda path: path.write_text("hello"),
            UnreadablePicture,
            "{path} is not a picture that can be read. Send a JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC "
            "file.",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, make, error, sentence):
    path = tmp_path / "me.jpg"
    make(path)
    with pytest.raises(error) as caught:
        read_file(path)
    assert str(caught.value) == sentence.format(path=path)


def test_size_is_checked_before_reading(tmp_path, monkeypatch):
    path = tmp_path / "me.jpg"
    sparse(path)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read"))
    with pytest.raises(PictureTooLarge):
        read_file(path)


def test_a_file_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    def read_bytes(_):
        raise PermissionError(13, "Permission denied")

    path = tmp_path / "me.jpg"
    path.touch()
    monkeypatch.setattr(Path, "read_bytes", read_bytes)  # file modes mean nothing to root
    with pytest.raises(UnreadablePicture, match=r"me\.jpg cannot be read: Permission denied\.$"):
        read_file(path)


def test_impossible_path_is_reported():
    with pytest.raises(UnreadablePicture, match="cannot be read: embedded null byte"):
        read_file(Path("me\0.jpg"))
    with pytest.raises(UnreadablePicture, match="name too long"):
        read_file(Path("x" * 5000))


@pytest.mark.parametrize(("shape", "expected"), [((300, 150), (56, 112)), ((40, 40), (40, 40))])
def test_a_thumbnail_fits_and_is_never_enlarged(shape, expected):
    picture = np.full((*shape, 3), (200, 30, 30), np.uint8)
    small = decode(thumbnail(picture, 112))
    assert small.shape == (expected[1], expected[0], 3)
    assert np.abs(small.astype(int) - (200, 30, 30)).max() < 12


# The largest of each kind that is taken, by header and structure: flat pictures, which are quick to make.
LARGEST = {
    "jpeg": lambda: saved(Image.new("RGB", (8192, 6144), "red"), "JPEG", quality=30),
    "jpeg, not shrunk by its decoder": lambda: saved(Image.new("RGB", (5000, 5000)), "JPEG", quality=30),
    "progressive jpeg": lambda: saved(Image.new("RGB", (7800, 5900)), "JPEG", quality=30, progressive=True),
    "png": lambda: saved(Image.new("RGB", (6000, 4400)), "PNG", compress_level=1),
    "palette png": lambda: saved(Image.new("P", (8192, 6144)), "PNG", compress_level=1),
    "webp": lambda: saved(Image.new("RGB", (5300, 4300)), "WEBP", lossless=True, method=0, quality=0),
    "animated webp": lambda: saved(
        Image.new("RGB", (4000, 4000), "red"),
        "WEBP",
        save_all=True,
        append_images=[Image.new("RGB", (4000, 4000))],
        lossless=True,
        method=0,
        quality=0,
    ),
    "gif": lambda: saved(Image.new("P", (8192, 6144)), "GIF"),
    "tiff": lambda: saved(
        Image.new("RGB", (5000, 4000)), "TIFF", compression="tiff_adobe_deflate", tiffinfo={278: 4000}
    ),
    "avif": lambda: saved(Image.new("RGB", (3800, 3800)), "AVIF", speed=10, subsampling="4:4:4"),
    "heic": LARGEST_HEIC.read_bytes,
}
MEASURE = """
import sys, threading, time, psutil
from vibecheck.vision.images import decode
data = open(sys.argv[1], "rb").read()
decode(open(sys.argv[2], "rb").read())  # loads the decoders
process, done = psutil.Process(), threading.Event()
before = peak = process.memory_info().rss
def watch():
    global peak
    while not done.wait(0.001):
        peak = max(peak, process.memory_info().rss)
watcher = threading.Thread(target=watch)
watcher.start()
cpu = time.process_time()
decode(data)
cpu = time.process_time() - cpu
done.set()
watcher.join()
print((peak - before) / 1e6, cpu)
"""


# One of each family of decoders in every run: Pillow's own, libwebp's and libheif's.
QUICK = ("jpeg", "webp", "heic")


@pytest.mark.parametrize(
    "kind", [pytest.param(each, marks=() if each in QUICK else pytest.mark.slow) for each in LARGEST]
)
def test_largest_file_of_each_format_takes_at_most_200_mb_and_6_s(kind, tmp_path):
    (tmp_path / "largest").write_bytes(LARGEST[kind]())
    (tmp_path / "small").write_bytes(HEIC.read_bytes() if kind == "heic" else saved(FACE, "JPEG"))
    command = [sys.executable, "-c", MEASURE, str(tmp_path / "largest"), str(tmp_path / "small")]
    measured = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    memory, cpu = map(float, measured.split())
    assert 10 < memory < 200, f"{memory:.0f} MB"
    assert cpu < 6, f"{cpu:.1f} s"  # about one on an idle core


def scans_of(side: int, count: int) -> bytes:
    """A baseline JPEG of `side` x `side` pixels in `count` scans of one component each, nearly empty."""
    data = saved(Image.new("RGB", (16, 16)), "JPEG", subsampling=0)
    start = bytearray(data[: data.index(b"\xff\xda")])
    struct.pack_into(">HH", start, start.index(b"\xff\xc0") + 5, side, side)
    scans = (
        b"\xff\xda\0\x08\1" + bytes([component + 1, 0x11 * (component > 0)]) + b"\0\x3f\0\0"
        for component in (number % 3 for number in range(count))
    )
    return bytes(start) + b"".join(scans) + b"\xff\xd9"


@pytest.mark.parametrize(("side", "count"), [(64, MAX_SCANS + 1), (5000, 40), (7000, 20)])
def test_scans_are_counted_whatever_the_kind_of_jpeg(side, count):
    with pytest.raises(UnreadablePicture, match="stored in too many passes"):
        decode(scans_of(side, count))


def test_scan_markers_in_metadata_do_not_count():
    assert decode(jpeg_with((0xE5, b"\xff\xda" * 500))).shape == PHOTO.shape


@pytest.mark.parametrize("kind", ["AVIF", "HEIC"])
def test_picture_larger_than_its_declared_size_is_not_decoded(kind, monkeypatch):
    data = saved(Image.new("RGB", (3000, 2000)), "AVIF", speed=10) if kind == "AVIF" else HEIC.read_bytes()
    where = data.index(b"ispe") + 8
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(UnreadablePicture, match="is damaged"):
        decode(data[:where] + struct.pack(">II", 64, 64) + data[where + 8 :])


def test_scans_inside_a_tiff_count_as_well():
    data = saved(FACE.resize((4000, 3000)), "TIFF", compression="jpeg", tiffinfo={278: 3000})
    with pytest.raises(UnreadablePicture, match="stored in too many passes"):
        decode(data + b"\xff\xda" * 100)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: huge("WEBP", 7210, 7210),
            "at most 22 million are accepted for a WebP picture. Save it smaller, or",
        ),
        (
            lambda: png(7210, 7210, 8, 6, b""),
            "at most 26 million are accepted for a PNG. Save it smaller, or as JPEG.",
        ),
        (
            lambda: saved(
                Image.new("RGB", (7210, 7210)), "JPEG", progressive=True, subsampling=0, quality=10
            ),
            "is a progressive JPEG of 52.0 million pixels, which takes too much memory.",
        ),
    ],
)
def test_picture_that_needs_too_much_memory_is_refused_by_its_header(make, sentence):
    with pytest.raises(PictureTooLarge) as caught:
        decode(make())
    assert sentence in str(caught.value)
