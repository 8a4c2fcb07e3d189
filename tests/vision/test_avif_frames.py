from io import BytesIO

import pytest
from PIL import Image

from vibecheck.vision.avif_frames import largest_frame


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


@pytest.mark.parametrize("length", [0, 20, 100, 200])
def test_data_without_a_sequence_header_is_refused(length):
    with pytest.raises(ValueError, match=r"no AV1 sequence header|cut short"):
        largest_frame(avif("RGB", (64, 64))[:length])
