"""Thumbnails: small pictures of what columns hold, and nothing of what is no picture."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sparkclean.plots import thumbnails
from sparkclean.plots.thumbnails import thumbnail


def encoded(kind: str, image: Image.Image, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def decoded(value: object) -> np.ndarray:
    found = thumbnail(value)
    assert found is not None
    with Image.open(io.BytesIO(found.data)) as image:
        assert image.size == (found.width, found.height)
        return np.asarray(image)


PHOTO = Image.linear_gradient("L").resize((300, 200)).convert("RGB")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_thumbnail_of_an_encoded_image_is_small_and_of_ours(kind: str) -> None:
    found = thumbnail(encoded(kind, PHOTO))
    assert found is not None
    assert (found.media_type, found.width, found.height) == ("image/webp", 96, 64)
    assert found.smooth
    assert len(found.data) < 4_000


def test_thumbnail_keeps_nothing_of_the_file_but_its_pixels() -> None:
    exif = Image.Exif()
    exif[0x010E] = "hidden words"
    exif[0x0112] = 6  # turned by a quarter
    found = thumbnail(encoded("JPEG", PHOTO, exif=exif))
    assert found is not None
    assert (found.width, found.height) == (64, 96)
    assert b"hidden words" not in found.data


@pytest.mark.parametrize("wrap", [bytearray, memoryview, lambda data: {"bytes": data, "path": "x"}])
def test_thumbnail_takes_bytes_in_any_wrapping(wrap: Any) -> None:
    assert thumbnail(wrap(encoded("PNG", PHOTO))) is not None


@pytest.mark.parametrize(
    "value",
    [
        b'<svg xmlns="http://www.w3.org/2000/svg"><script>hurt()</script></svg>',
        b"",
        b"\x89PNG\r\n\x1a\n and no more",
        encoded("PNG", PHOTO)[:-400],
        encoded("TIFF", PHOTO),
        "text",
        None,
        7,
        {},
        {"height": 2**31, "width": 2**31, "nChannels": 3, "data": b"x"},
        {"height": 2, "width": 2, "nChannels": 3, "data": b"x"},
        [],
        [[1, 2], [3]],
        ["a", "b"],
        [[]],
        [-0.5] * 64,
        [0.1] * 63,
        [1.0, 2.0],
        [float("nan")] * 64,
        np.zeros((2, 3, 5, 7)),
        np.zeros((5, 4, 7)),
        np.array(["a"] * 64),
    ],
    ids=range(22),
)
def test_thumbnail_of_what_is_no_picture_is_none(value: object) -> None:
    assert thumbnail(value) is None


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header promises more than there is room for, in a few bytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    body = zlib.compress(b"\0" * 1000)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(5001, 5000), (12_000, 12_000), (2**31 - 1, 2**31 - 1)])
def test_thumbnail_decodes_no_image_of_too_many_pixels(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    assert thumbnail(bomb(*size)) is None


def test_thumbnail_reads_no_more_bytes_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded("PNG", PHOTO)
    monkeypatch.setattr(thumbnails, "MOST_BYTES", len(data) - 1)
    assert thumbnail(data) is None


def test_thumbnail_makes_no_array_of_too_many_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thumbnails, "_MOST_NUMBERS", 15)
    assert thumbnail([[1] * 4] * 4) is None
    assert thumbnail(np.ones((4, 4))) is None


def test_thumbnail_scales_pixels_from_least_to_largest() -> None:
    assert decoded([[2.0, 4.0], [3.0, 6.0]]).tolist() == [[0, 128], [64, 255]]
    assert decoded([[False, True], [True, True]]).tolist() == [[0, 255], [255, 255]]
    assert decoded(np.full((4, 4), 9)).tolist() == [[128] * 4] * 4
    assert decoded([[0.0, float("nan")], [float("inf"), 1.0]]).tolist() == [[0, 0], [255, 255]]


def test_thumbnail_of_a_flat_list_is_a_square() -> None:
    flat = list(range(64))
    assert np.array_equal(decoded(flat), decoded(np.array(flat).reshape(8, 8)))
    found = thumbnail(flat)
    assert found is not None
    assert (found.width, found.height, found.smooth) == (8, 8, False)


def test_thumbnail_of_colours_is_the_same_whatever_their_order() -> None:
    rows = np.linspace(0, 255, 16)[:, None]
    picture = np.stack([np.tile(rows, 16), np.tile(rows.T, (16, 1)), np.full((16, 16), 40.0)], 2)
    wanted = decoded(picture)
    assert wanted.shape == (16, 16, 3)
    for other in (np.moveaxis(picture, 2, 0), picture.ravel(), np.moveaxis(picture, 2, 0).ravel()):
        assert np.array_equal(decoded(other.tolist()), wanted)


def test_thumbnail_of_an_image_of_spark_has_its_colours_turned() -> None:
    blue = bytes([255, 0, 0]) * 15 + bytes([0, 0, 0])
    value = {"height": 4, "width": 4, "nChannels": 3, "mode": 16, "data": blue}
    assert decoded(value)[0, 0].tolist() == [0, 0, 255]


def test_thumbnail_of_a_vector_is_that_of_its_numbers() -> None:
    from pyspark.ml.linalg import Vectors

    assert np.array_equal(decoded(Vectors.dense(range(16))), decoded(list(range(16))))
