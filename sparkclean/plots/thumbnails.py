"""Small pictures of what a column holds: encoded images, or arrays of pixels.

The bytes of a table never reach a page. Pillow decodes them, within limits that are checked before
anything is decoded, and what it has decoded is encoded anew.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparkclean.plots.parts import Thumbnail

if TYPE_CHECKING:
    from PIL.Image import Image

#: Width and height of a thumbnail at most, in pixels.
SIDE = 96
#: Bytes of an encoded image, and pixels that its header may declare.
MOST_BYTES, MOST_PIXELS = 20_000_000, 25_000_000
#: Numbers of an array of pixels.
_MOST_NUMBERS = 4_000_000
#: A picture that is smaller is enlarged in the page.
_SMOOTH_FROM = 48
#: The least side of a picture in a flat list of numbers.
_LEAST_SIDE = 4
#: Raster formats that every Pillow decodes. SVG is a document, with scripts, and no picture.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
#: Numbers of channels that a picture may have: grey, RGB, RGB with transparency.
_CHANNELS = (1, 3, 4)


def thumbnail(value: object) -> Thumbnail | None:
    """Make a small picture of a value.

    Parameters
    ----------
    value : object
        Bytes of a PNG, JPEG, WebP, GIF or BMP image of at most 20 MB and 25 million pixels; a
        mapping that holds such ``bytes``, or an image of Spark's ``image`` source; or pixels: an
        array or nested lists of shape (height, width), (height, width, channels) or (channels,
        height, width), or a flat list of n*n or 3*n*n numbers, none of them negative.

    Returns
    -------
    Thumbnail or None
        At most 96 pixels wide and high. None for anything that is no picture, is damaged, or is
        larger.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _thumbnail(value)
    except ModuleNotFoundError:  # Pillow: the caller says what to install
        raise
    except Exception:  # noqa: BLE001 (decoders raise anything over bytes that somebody made up)
        return None


def _thumbnail(value: object) -> Thumbnail | None:
    if hasattr(value, "asDict"):  # a Row of Spark
        value = value.asDict()
    if isinstance(value, Mapping):
        return _of_mapping(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _of_bytes(bytes(value)) if len(value) <= MOST_BYTES else None
    if hasattr(value, "toArray"):  # a vector of Spark ML
        value = value.toArray()
    if isinstance(value, np.ndarray) or (
        isinstance(value, Sequence) and not isinstance(value, str)
    ):
        return _of_pixels(value)
    return None


def _of_mapping(value: Mapping[Any, Any]) -> Thumbnail | None:
    if isinstance(value.get("bytes"), bytes | bytearray | memoryview):
        return _thumbnail(value["bytes"])
    if {"height", "width", "nChannels", "data"} <= set(value):
        shape = (int(value["height"]), int(value["width"]), int(value["nChannels"]))
        if min(shape) < 1 or math.prod(shape) > _MOST_NUMBERS or shape[2] not in _CHANNELS:
            return None
        pixels = np.frombuffer(bytes(value["data"]), np.uint8).reshape(shape)
        order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[shape[2]]  # Spark has blue first
        return _of_image(_image(pixels[:, :, order]))
    return None


def _of_bytes(data: bytes) -> Thumbnail | None:
    from PIL import Image, ImageOps  # noqa: PLC0415

    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    with image:
        width, height = image.size
        if not (0 < width * height <= MOST_PIXELS):
            return None
        image.draft("RGB", (2 * SIDE, 2 * SIDE))  # a JPEG is decoded at a fraction of its size
        image.load()
        kind = "RGBA" if image.has_transparency_data else "RGB"
        if image.mode.startswith("I") or image.mode == "F":
            return _of_pixels(np.asarray(image))  # 16 bits and more: scaled as arrays are
        picture = image.convert("L" if image.mode in ("1", "L") else kind)
        picture.info.update(image.info)
        picture.thumbnail((SIDE, SIDE))
        return _of_image(ImageOps.exif_transpose(picture))


# -- arrays of pixels ----------------------------------------------------------------------------


def _of_pixels(value: Any) -> Thumbnail | None:
    if _numbers_of(value) > _MOST_NUMBERS:
        return None
    pixels = np.asarray(value)
    if pixels.dtype == object:  # lists of arrays
        pixels = np.array([np.asarray(row) for row in pixels])
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8)
    if pixels.dtype.kind not in "iuf" or not 0 < pixels.size <= _MOST_NUMBERS:
        return None
    shaped = _shape(pixels.astype(np.float64))
    if shaped is None:
        return None
    scaled = _scale(shaped)
    return None if scaled is None else _of_image(_image(scaled))


def _numbers_of(value: Any) -> int:
    """Count the numbers of nested lists by their first rows, before an array is made of them."""
    if isinstance(value, np.ndarray):
        return value.size
    count = 1
    for _ in range(4):
        if isinstance(value, str) or not hasattr(value, "__len__"):
            return count
        count *= len(value)
        if not count:
            return 0
        value = value[0]
    return count


def _shape(pixels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Find height, width and channels, None if it cannot be a picture."""
    if pixels.ndim == 1:
        return _square(pixels)
    if pixels.ndim == 3 and pixels.shape[2] not in _CHANNELS and pixels.shape[0] in _CHANNELS:
        pixels = np.moveaxis(pixels, 0, 2)
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    fits = pixels.ndim == 3 and pixels.shape[2] in _CHANNELS and min(pixels.shape[:2]) > 1
    return pixels if fits else None


def _square(pixels: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Take a flat list as a square, grey or in three colours.

    Lists with negative numbers are rather embeddings or scaled features, which are no pictures.
    """
    if not np.nanmin(pixels) >= 0:
        return None
    for channels in (1, 3):
        side = math.isqrt(pixels.size // channels)
        if side >= _LEAST_SIDE and side * side * channels == pixels.size:
            if channels == 1:
                return pixels.reshape(side, side, 1)
            # one colour after the other, or pixel by pixel: neighbours of a picture are alike
            planes = np.moveaxis(pixels.reshape(3, side, side), 0, 2)
            mixed = pixels.reshape(side, side, 3)
            return min(planes, mixed, key=_roughness)
    return None


def _roughness(pixels: NDArray[np.float64]) -> float:
    return float(np.nanmean(np.abs(np.diff(pixels, axis=1))))


def _scale(pixels: NDArray[np.float64]) -> NDArray[np.uint8] | None:
    """Scale from the least to the largest number."""
    finite = np.isfinite(pixels)
    if not finite.any():
        return None
    low, high = float(pixels[finite].min()), float(pixels[finite].max())
    if low == high:
        return np.full(pixels.shape, 128, np.uint8)
    shares = np.clip((np.nan_to_num(pixels, nan=low) - low) / (high - low), 0.0, 1.0)
    return np.round(shares * 255).astype(np.uint8)


def _image(pixels: NDArray[np.uint8]) -> Image:
    from PIL import Image  # noqa: PLC0415

    return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)


# -- encoding ------------------------------------------------------------------------------------


def _of_image(image: Image) -> Thumbnail:
    image = image.copy()
    image.thumbnail((SIDE, SIDE))
    smooth = max(image.size) >= _SMOOTH_FROM
    buffer = io.BytesIO()
    if image.mode == "L" or not smooth:
        clean = image.copy()
        clean.info.clear()  # what the table's file said beside its pixels stays out
        clean.save(buffer, "PNG", optimize=True)
        kind = "image/png"
    else:
        image.save(buffer, "WEBP", quality=78, method=4, exif=b"", icc_profile=b"", xmp=b"")
        kind = "image/webp"
    width, height = image.size
    return Thumbnail(buffer.getvalue(), kind, width, height, smooth)
