"""Image files → RGB arrays, or an error of one sentence; and back to JPEG.

Uploads, camera snapshots and files on the command line are hostile until parsed. The kind of a file is judged
by its content (`image_formats`), its header says what decoding will cost, and nothing over the budget is
decoded: any accepted file adds at most 200 MB to the process and takes about two seconds of one core.
Thread-safe; no setting of Pillow is changed.
"""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from math import ceil, floor, sqrt
from pathlib import Path

import cv2
import numpy as np
from PIL import ExifTags, Image

from vibecheck.errors import PictureError, PictureTooLarge, UnreadablePicture
from vibecheck.vision import image_formats, jpeg_layout
from vibecheck.vision.decoding_slots import picture_slots
from vibecheck.vision.image_formats import GIF, HEIC, JPEG, WEBP, ImageKind
from vibecheck.vision.metadata import without_metadata

MAX_BYTES = 30_000_000  # a 50-megapixel phone photo is 10 to 25 MB

# Larger pictures are shrunk to this while they are decoded. It is what a "12 megapixel" phone makes, so that
# faces in its photos are cropped from full resolution.
MAX_KEPT_PIXELS = 4096 * 3072
STRIP_ROWS = 256  # converted and shrunk at a time

PAPER = (255, 255, 255)  # behind transparent pixels

# Everything the decoders are known to raise on damaged data. Only calls into them are guarded.
_DAMAGE = (
    ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, LookupError, OSError,
    RuntimeError, SyntaxError, TypeError, ValueError, cv2.error, struct.error, zlib.error,
)  # fmt: skip

# EXIF orientation (CIPA DC-008, tag 0x0112) → the operation that turns the picture upright
_UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda picture: picture[:, ::-1],
    3: lambda picture: picture[::-1, ::-1],
    4: lambda picture: picture[::-1],
    5: lambda picture: picture.transpose(1, 0, 2),
    6: lambda picture: np.rot90(picture, -1),
    7: lambda picture: picture[::-1, ::-1].transpose(1, 0, 2),
    8: lambda picture: np.rot90(picture),
}

# The rows of a decoded picture from one to another, as an image of their own.
_Rows = Callable[[int, int], Image.Image]


def decode(data: bytes, *, name: str = "This file") -> np.ndarray:
    """The picture in `data`: height x width x 3, uint8, RGB, upright, contiguous, the caller's own.

    JPEG (of an MPO the first picture), PNG, WebP, GIF, BMP, TIFF, AVIF and HEIC are accepted; of an
    animation, the first frame. Transparent pixels become white. Pictures of more than MAX_KEPT_PIXELS are
    made smaller, others keep their size. Metadata (EXIF, location, colour profile) are dropped.

    All but small pictures wait for one of the process's decoding slots (see `decoding_slots.picture_slots`).

    `name` begins the sentence of an error. Raises PictureTooLarge for more bytes or pixels than are accepted
    (by the header, before anything is decoded), UnreadablePicture for everything else that cannot be used;
    nothing else is raised, whatever the bytes.
    """
    if not data:
        raise UnreadablePicture(f"{name} is empty. Choose another picture.")
    if len(data) > MAX_BYTES:
        raise _too_many_bytes(len(data), name)
    kind = image_formats.sniff(data)
    if isinstance(kind, str):
        raise UnreadablePicture(f"{name} is {kind}, which is not accepted. Save it as JPEG or PNG.")
    if kind is None:
        raise _no_picture(name)
    try:
        return _decoded_heic(data, name) if kind is HEIC else _decoded(kind, data, name)
    except PictureError:
        raise
    except Image.UnidentifiedImageError as error:
        raise _no_picture(name) from error
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(
            f"{name} has far more than {image_formats.MAX_PIXELS // 10**6} million pixels. Save it smaller."
        ) from error
    except MemoryError as error:
        raise PictureTooLarge(f"{name} needs more memory than there is. Save it smaller.") from error
    except _DAMAGE as error:
        raise UnreadablePicture(
            f"{name} is damaged or cut short. Send it again, or save it again as JPEG or PNG."
        ) from error


def encode_jpeg(picture: np.ndarray, quality: int = 92) -> bytes:
    """`picture` (height x width x 3, uint8, RGB) as a JPEG without any metadata.

    `quality` is libjpeg's, 1 to 95.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"Not an RGB uint8 picture: {picture.shape} {picture.dtype}")
    out = BytesIO()
    Image.fromarray(picture).save(out, "JPEG", quality=quality)
    return out.getvalue()


def thumbnail(picture: np.ndarray, side: int) -> bytes:
    """`picture` (as in `encode_jpeg`) as a JPEG of at most `side` x `side` pixels; never enlarged."""
    small = Image.fromarray(picture)
    small.thumbnail((side, side), Image.Resampling.LANCZOS, reducing_gap=2)
    return encode_jpeg(np.asarray(small), quality=80)


def read_file(path: Path) -> np.ndarray:
    """The picture in the file at `path`, as `decode` gives it. Raises PictureError naming the path."""
    return decode(read_bytes(path), name=str(path))


def read_bytes(path: Path) -> bytes:
    """The file at `path`, if it is one that could be a picture. Raises PictureError naming the path."""
    try:
        if path.is_dir():
            any(path.iterdir())  # raises what keeps it from being listed
            raise UnreadablePicture(f"{path} is a folder. Name a picture in it.")
        if path.exists() and not path.is_file():  # a pipe or a device might never end
            raise UnreadablePicture(f"{path} is not a file.")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise _too_many_bytes(size, str(path))
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UnreadablePicture(f"There is no file {path}.") from error
    except (OSError, ValueError) as error:  # ValueError: a null byte in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadablePicture(f"{path} cannot be read: {reason}.") from error


def _decoded(kind: ImageKind, data: bytes, name: str) -> np.ndarray:
    """The picture of a file that Pillow can open; WebP is decoded by OpenCV, in a third of the memory."""
    if kind is JPEG:
        jpeg_layout.check_jpeg_header(layout := jpeg_layout.jpeg_layout(data), name)
    elif kind is GIF:
        image_formats.check_gif_header(data, name)
    with Image.open(without_metadata(kind, data, name), formats=(kind.format,)) as image:
        size = image.size
        image_formats.check_cost(kind, data, size, image.mode, name)
        if kind is JPEG:
            jpeg_layout.check_jpeg(layout, size[0] * size[1], name)
        with picture_slots(size):
            if kind is WEBP:
                orientation = _orientation(image)
                image.close()
                return _upright(_shrunk(*_decoded_webp(data)), orientation)
            if kind is JPEG:
                _draft(image, layout)
            image.load()
            if image.mode == "P" and not image.getpalette():
                raise ValueError("a palette picture without a palette")
            # After loading, since Pillow itself turns a TIFF upright.
            orientation = _orientation(image)
            picture = _shrunk(image.size, lambda top, bottom: image.crop((0, top, image.width, bottom)))
            image.close()  # frees its pixels before the turned copy is made
            return _upright(picture, orientation)


def _draft(image: Image.Image, layout: jpeg_layout.JpegLayout) -> None:
    """Have libjpeg shrink a large JPEG by a power of two while it decodes it, which saves memory."""
    pixels = image.width * image.height
    for shrink in (1, 2, 4, 8):
        memory = jpeg_layout.jpeg_memory(layout, pixels, shrink)
        if pixels / shrink**2 < 2 * MAX_KEPT_PIXELS and memory <= image_formats.MAX_DECODING:
            break
    if shrink > 1:
        image.draft(None, (image.width // shrink, image.height // shrink))


def _decoded_webp(data: bytes) -> tuple[tuple[int, int], _Rows]:
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("OpenCV cannot decode it")
    to_rgb = cv2.COLOR_BGRA2RGBA if pixels.shape[2] == 4 else cv2.COLOR_BGR2RGB
    height, width = pixels.shape[:2]
    return (width, height), lambda top, bottom: Image.fromarray(cv2.cvtColor(pixels[top:bottom], to_rgb))


def _decoded_heic(data: bytes, name: str) -> np.ndarray:
    import pi_heif  # imported only when needed: phones convert most photos before they send them

    image = pi_heif.open_heif(BytesIO(data), convert_hdr_to_8bit=True)
    kind = image_formats.heic_of(image.info.get("chroma", 444), image.info["bit_depth"])
    image_formats.check_cost(kind, data, image.size, image.mode, name)
    with picture_slots(image.size):
        pixels = np.asarray(image)[:, : image.size[0]]  # rows may be padded
        # libheif has already applied the rotation; the EXIF orientation repeats it.
        return _shrunk(image.size, lambda top, bottom: Image.fromarray(pixels[top:bottom]))


def _shrunk(size: tuple[int, int], rows: _Rows) -> np.ndarray:
    """A decoded picture as RGB of at most MAX_KEPT_PIXELS, a strip at a time to save memory."""
    width, height = size
    scale = min(1.0, sqrt(MAX_KEPT_PIXELS / (width * height)))
    out = np.empty((int(height * scale) or 1, int(width * scale) or 1, 3), np.uint8)
    step = height / len(out)
    for start in range(0, len(out), STRIP_ROWS):
        stop = min(start + STRIP_ROWS, len(out))
        if scale == 1:
            out[start:stop] = np.asarray(_rgb(rows(start, stop)))
            continue
        # The filter needs some rows beyond those it produces.
        top, bottom = max(0, floor(start * step) - 8), min(height, ceil(stop * step) + 8)
        box = (0.0, start * step - top, float(width), stop * step - top)
        size = (out.shape[1], stop - start)
        strip = _rgb(rows(top, bottom)).resize(size, Image.Resampling.BICUBIC, box=box)
        out[start:stop] = np.asarray(strip)
    return out


def _upright(picture: np.ndarray, orientation: int) -> np.ndarray:
    turn = _UPRIGHT.get(orientation)
    return picture if turn is None else np.ascontiguousarray(turn(picture))


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 (upright) if it cannot be read: a picture with bad tags is still usable."""
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except _DAMAGE:
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    """The image in RGB, whatever its mode; 16-bit grey is reduced to its upper 8 bits."""
    if image.mode.startswith("I;16"):  # Pillow would clip all but the darkest 256 shades to white
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    cutout = image.convert("RGBA")
    paper = Image.new("RGB", cutout.size, PAPER)
    paper.paste(cutout, mask=cutout)
    return paper


def _too_many_bytes(size: int, name: str) -> PictureTooLarge:
    return PictureTooLarge(
        f"{name} is {size / 1e6:.1f} MB; at most {MAX_BYTES // 10**6} MB are accepted. Save it smaller."
    )


def _no_picture(name: str) -> UnreadablePicture:
    return UnreadablePicture(
        f"{name} is not a picture that can be read. Send a {image_formats.ACCEPTED} file."
    )
