"""What real image processors do to pixels is measured and reproduced."""

import numpy as np
import pytest

from vibecheck.errors import ModelError
from vibecheck.export.pixels import measure_pixels, run_processor

pytestmark = pytest.mark.filterwarnings("default")
SQUARE = {"height": 32, "width": 32}


def processor(kind: str, **settings):
    import transformers

    return getattr(transformers, f"{kind}ImageProcessor")(**settings)


@pytest.mark.parametrize(
    ("kind", "settings", "side", "size", "order"),
    [
        ("ViT", {"size": SQUARE}, 32, 32, (0, 1, 2)),
        ("ViT", {"size": SQUARE, "do_normalize": False}, 32, 32, (0, 1, 2)),
        ("ViT", {"size": SQUARE, "do_rescale": False, "do_normalize": False}, 32, 32, (0, 1, 2)),
        ("ViT", {"do_resize": False}, 48, 48, (0, 1, 2)),
        ("MobileViT", {"size": {"shortest_edge": 72}, "crop_size": SQUARE}, 72, 32, (2, 1, 0)),
        ("MobileViT", {"size": {"shortest_edge": 33}, "crop_size": SQUARE}, 33, 32, (2, 1, 0)),
        ("ConvNext", {"size": {"shortest_edge": 32}}, 36, 32, (0, 1, 2)),
        ("ConvNext", {"size": {"shortest_edge": 32}, "crop_pct": 0.9}, 35, 32, (0, 1, 2)),
        ("EfficientNet", {"size": SQUARE, "crop_size": {"height": 289, "width": 289}}, 32, 32, (0, 1, 2)),
        (
            "EfficientNet",
            {"size": SQUARE, "rescale_factor": 1 / 127.5, "rescale_offset": True, "include_top": True},
            *(32, 32, (0, 1, 2)),
        ),
        ("Levit", {"size": {"shortest_edge": 32}, "crop_size": SQUARE}, 36, 32, (0, 1, 2)),
    ],
)
def test_measured_pixels_match_the_image_processor(kind, settings, side, size, order):
    real = processor(kind, **settings)
    measured = measure_pixels(real, 3, 48)
    assert (measured.side, measured.size, measured.order) == (side, size, order)
    pictures = np.random.default_rng(1).integers(0, 256, (2, side, side, 3), dtype=np.uint8)
    assert measured.apply(pictures) == pytest.approx(run_processor(real, pictures), abs=1e-4)


def test_a_grey_processor_has_one_channel():
    measured = measure_pixels(processor("ViT", size=SQUARE, image_mean=[0.5], image_std=[0.25]), 1, 32)
    assert (measured.channels, measured.order) == (1, (0,))
    assert measured.scale == pytest.approx([4 / 255]) and measured.shift == pytest.approx([-2])


class Altered:
    """A processor that does something more."""

    def __init__(self, alter) -> None:
        self._alter, self._real = alter, processor("ViT", size=SQUARE)

    def __call__(self, **given):
        values = np.asarray(self._real(**given)["pixel_values"])
        return {"pixel_values": self._alter(values)}


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (lambda values: np.sign(values) * values**2, "cannot do exactly"),
        (lambda values: values[..., ::-1].copy(), "cannot do exactly"),
        (lambda values: values.mean(axis=1, keepdims=True).repeat(3, axis=1), "cannot do exactly"),
        (lambda values: values - values.mean(axis=(2, 3), keepdims=True), "cannot do exactly"),
        (lambda values: values[..., :20], "20 x 32 px"),
        (lambda values: values[..., :8, :8], "8 px"),
        (lambda values: values.reshape(len(values), -1), "a picture into one picture"),
        (lambda values: 1 / 0, "fails on a picture: division by zero"),
    ],
)
def test_unsupported_image_processor_is_refused(alter, words):
    with pytest.raises(ModelError, match=words):
        measure_pixels(Altered(alter), 3, 32)
