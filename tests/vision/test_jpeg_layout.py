import time
from io import BytesIO

import pytest
from PIL import Image

from vibecheck.vision.jpeg_layout import jpeg_layout


def saved(**options) -> bytes:
    out = BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "JPEG", **options)
    return out.getvalue()


@pytest.mark.parametrize(
    ("options", "scans", "blocks"),
    [
        ({"subsampling": 0}, 1, 3.0),
        ({"subsampling": 2}, 1, 1.5),
        ({"subsampling": 2, "progressive": True}, 10, 1.5),
        ({"subsampling": 1, "progressive": True}, 10, 2.0),
        ({"comment": b"\xff\xda" * 50, "restart_marker_blocks": 1, "subsampling": 0}, 1, 3.0),
    ],
)
def test_the_layout_of_a_jpeg_is_read_from_its_markers(options, scans, blocks):
    layout = jpeg_layout(saved(**options))
    assert (layout.scans, layout.blocks) == (scans, blocks)


@pytest.mark.parametrize("end", [b"\0", b"\1", b"\xd0", b""])
def test_time_to_read_a_jpegs_layout_depends_only_on_its_size(end):
    start = saved()
    start = start[: start.index(b"\xff\xda") + 14]
    began = time.process_time()
    jpeg_layout(start + b"\xff" * 3_000_000 + end)
    jpeg_layout(start + (b"\xff" + end) * 1_500_000)
    jpeg_layout(start[:-14] + b"\xff\xe0\0\2" * 750_000)
    assert time.process_time() - began < 2
