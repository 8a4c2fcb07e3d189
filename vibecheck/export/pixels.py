"""What an image processor does to pixels, measured on pictures instead of read from its settings.

Processors of transformers differ in settings that are easily missed: BGR instead of RGB, an offset after
scaling, a second division by the standard deviation, a centre crop of a resized picture. All of these are
a crop and a linear map of each channel, which the exported graph can do exactly; anything else is refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vibecheck.errors import ModelError

SIDES = range(16, 1025)  # px; larger inputs are not for live video
# Largest error of a pixel, as a share of the range of its channel, that counts as exact.
EXACT = 1e-4
LONGEST = 300  # characters of a message of another library


@dataclass(frozen=True, slots=True)
class PixelMap:
    """A square of `side` px becomes its centre of `size` px, whose channels are mapped linearly.

    Output channel i is `scale[i]` * input channel `order[i]` + `shift[i]`; input is 0 to 255. With one
    input channel pictures are converted to grey first.
    """

    side: int
    size: int
    channels: int
    order: tuple[int, ...]
    scale: tuple[float, ...]
    shift: tuple[float, ...]

    @property
    def description(self) -> str:
        """The part of a face crop that the model sees, for its report."""
        if self.side == self.size:
            return f"the whole face crop, {self.side} px"
        return f"the central {self.size} px of a face crop of {self.side} px, as its image processor crops"

    def apply(self, pictures: np.ndarray) -> np.ndarray:
        """N x C x size x size float32, from N x side x side x channels uint8."""
        edge = (self.side - self.size) // 2
        centre = pictures[:, edge : edge + self.size, edge : edge + self.size, list(self.order)]
        scale, shift = np.array(self.scale, np.float32), np.array(self.shift, np.float32)
        values = centre.astype(np.float32) * scale + shift
        return values.transpose(0, 3, 1, 2)


def run_processor(processor: Any, pictures: np.ndarray) -> np.ndarray:
    """N x C x H x W float32 from the processor itself; `pictures` is N x S x S x 3 or x 1 uint8.

    Raises ModelError if it fails, or returns something other than one picture.
    """
    images = [Image.fromarray(each[:, :, 0] if each.shape[2] == 1 else each) for each in pictures]
    try:
        values = np.asarray(processor(images=images, return_tensors="np")["pixel_values"], np.float32)
    except Exception as error:  # third-party code: any exception is the reason
        raise ModelError(f"its image processor fails on a picture: {one_line(error)}") from error
    if values.ndim != 4 or len(values) != len(images):
        raise ModelError("its image processor does not turn a picture into one picture")
    return values


def measure_pixels(processor: Any, channels: int, image_size: int) -> PixelMap:
    """What `processor` does to square pictures with 1 or 3 channels.

    `image_size` (px) is used if the processor does not resize. Raises ModelError with half a sentence.
    """
    rng = np.random.default_rng(0)

    def noise(side: int) -> np.ndarray:
        return rng.integers(0, 256, (1, side, side, channels), dtype=np.uint8)

    *_, height, width = run_processor(processor, noise(image_size)).shape
    if height != width:
        raise ModelError(f"it takes pictures of {width} x {height} px, and VibeCheck crops faces to squares")
    if height not in SIDES:
        raise ModelError(f"it takes pictures of {height} px, and {SIDES[0]} to {SIDES[-1]} px are possible")
    order, scale, shift = _linear_map(processor, channels, image_size)
    for side in _sides(processor, height):
        found = PixelMap(side, height, channels, order, scale, shift)
        picture = noise(side)
        wrong = np.abs(run_processor(processor, picture) - found.apply(picture)).max()
        if wrong <= EXACT * 255 * np.abs(scale).max():
            return found
    raise ModelError(
        "its image processor does more to a picture than resizing it, cropping its centre and scaling its "
        "channels, which VibeCheck cannot do exactly"
    )


def _linear_map(
    processor: Any, channels: int, side: int
) -> tuple[tuple[int, ...], tuple[float, ...], tuple[float, ...]]:
    """Order, scale and shift of the channels, from pictures of one colour each."""
    colours = np.vstack([np.zeros(channels), 255 * np.eye(channels)]).astype(np.uint8)
    pictures = np.tile(colours[:, np.newaxis, np.newaxis], (1, side, side, 1))
    values = run_processor(processor, pictures)
    middle = values[:, :, values.shape[2] // 2, values.shape[3] // 2].astype(np.float64)
    shift, change = middle[0], (middle[1:] - middle[0]).T / 255  # change: output x input channels
    order = np.abs(change).argmax(axis=1)
    scale = change[np.arange(len(order)), order]
    return tuple(map(int, order)), tuple(map(float, scale)), tuple(map(float, shift))


def _sides(processor: Any, size: int) -> Iterator[int]:
    """Sides at which the processor may not have to resize: that of its output, then those it names."""
    named = [
        value
        for key in ("size", "crop_size")
        for value in (dict(getattr(processor, key, None) or {})).values()
        if isinstance(value, int)
    ]
    yield from dict.fromkeys(
        [size, *(each for each in named if size < each in SIDES), *range(size, 2 * size)]
    )


def one_line(error: BaseException) -> str:
    """The message of another library's error, as one line that is not too long."""
    return " ".join(str(error).split())[:LONGEST].rstrip(".") or type(error).__name__
