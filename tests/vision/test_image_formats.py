from io import BytesIO

import pytest
from PIL import Image

from vibecheck.vision import image_formats
from vibecheck.vision.image_formats import AVIF, HEIC, JPEG, TIFF, sniff, tiff_tags


def saved(kind: str, **options) -> bytes:
    out = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (saved("JPEG"), JPEG),
        (saved("TIFF"), TIFF),
        (saved("AVIF"), AVIF),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", AVIF),
        (b"\0\0\0\x18ftypheix\0\0\0\0mif1heix", HEIC),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", HEIC),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a Canon CR3 raw camera file"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "a video"),
        (b"RIFF\0\0\0\0AVI LIST", "a video"),
        (b"FUJIFILMCCD-RAW 0201", "a raw camera file"),
        (b"MM\0*\0\0\0\x08CR", "a raw camera file"),
        (b"plain text", None),
        (b"", None),
    ],
)
def test_file_format_is_recognised_by_its_content(data, kind):
    assert sniff(data) == kind


def test_tags_of_a_tiff_are_read_and_damaged_ones_are_none():
    tags = tiff_tags(saved("TIFF", compression="tiff_lzw"))
    assert (tags[256], tags[257], tags[259]) == (64, 48, 5)
    assert tiff_tags(b"II*\0\xff\xff\xff\xff") == tiff_tags(b"II*\0") == {}


def test_every_kind_has_an_extension_and_is_named():
    assert {"jpg", "png", "webp", "gif", "bmp", "tif", "avif", "heic"} <= set(image_formats.EXTENSIONS)
    assert not set(image_formats.EXTENSIONS) & set(image_formats.REFUSED_EXTENSIONS)
    kinds = [each for each in vars(image_formats).values() if isinstance(each, image_formats.ImageKind)]
    for kind in kinds:
        assert kind.format.lower() in image_formats.ACCEPTED.lower()
