"""Levels that lie in a file as they are: row by row what Pillow decodes as a whole, which is never asked to."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from subpixel.errors import UnreadableImage
from subpixel.images import budget, open_image

HEIGHT, WIDTH = 13, 23  # rows of BMP are padded
LEVELS = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 4), dtype=np.uint8)


def encoded(kind: str, mode: str, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(LEVELS).convert(mode).save(file, kind, **options)
    return file.getvalue()


def bmp(bits: int, height: int) -> bytes:
    """Without a palette; from the top down where the height is negative (BITMAPINFOHEADER)."""
    stride = -(-WIDTH * bits // 32) * 4
    head = struct.pack(
        "<2sI4xIIiiHHIIiiII", b"BM", 54 + stride * HEIGHT, 54, 40, WIDTH, height, 1, bits, 0, 0, 0, 0, 0, 0
    )
    return head + np.random.default_rng(1).integers(0, 256, stride * HEIGHT, dtype=np.uint8).tobytes()


def tga(bits: int, descriptor: int) -> bytes:
    head = struct.pack("<BBB5xHHHHBB", 0, 0, 3 if bits == 8 else 2, 0, 0, WIDTH, HEIGHT, bits, descriptor)
    return head + LEVELS.tobytes()[: WIDTH * HEIGHT * bits // 8]


FILES = {
    "gray.bmp": encoded("BMP", "L"),
    "rgb.bmp": encoded("BMP", "RGB"),
    "down.bmp": bmp(24, -HEIGHT),
    "gray.tga": encoded("TGA", "L"),
    "gray-alpha.tga": encoded("TGA", "LA"),
    "rgb.tga": encoded("TGA", "RGB"),
    "rgba.tga": encoded("TGA", "RGBA"),
    "down.tga": tga(24, 0x20),
    "gray.ppm": encoded("PPM", "L"),
    "rgb.ppm": encoded("PPM", "RGB"),
}
DECODED = {
    "padded.bmp": bmp(32, HEIGHT),
    "one.bmp": encoded("BMP", "1"),
    "palette.bmp": encoded("BMP", "P"),
    "packed.tga": encoded("TGA", "RGB", compression="tga_rle"),
    "mirrored.tga": tga(24, 0x30),
    "text.ppm": b"P3 2 2 255\n" + b" ".join(b"%d" % level for level in range(12)),
    "hundred.ppm": b"P6 2 2 100\n" + bytes(range(12)),
}


def pillows(data: bytes) -> np.ndarray:
    image = PIL.Image.open(io.BytesIO(data))
    levels = np.asarray(image.convert({"1": "L", "P": "RGB"}.get(image.mode, image.mode)))
    return levels[..., None] if levels.ndim == 2 else levels


@pytest.mark.parametrize("name", FILES)
def test_rows_are_read_where_they_lie(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = FILES[name]
    (tmp_path / name).write_bytes(data)
    expected = pillows(data)
    monkeypatch.setattr(PIL.Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    monkeypatch.setattr(budget, "HELD", 0)
    for source in (tmp_path / name, data) if name[-3:] != "tga" else (tmp_path / name,):  # which has no signature
        reader = open_image(source)
        assert (reader.shape.samples, reader.shape.alpha) == (expected.shape[2], expected.shape[2] in (2, 4))
        for y0, y1 in ((0, HEIGHT), (12, 13), (3, 9), (0, 1)):
            np.testing.assert_array_equal(reader.rows(y0, y1), expected[y0:y1])


@pytest.mark.parametrize("name", DECODED)
def test_what_lies_otherwise_is_decoded(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).write_bytes(DECODED[name])
    expected = pillows(DECODED[name])
    reader = open_image(tmp_path / name)
    np.testing.assert_array_equal(reader.rows(0, reader.shape.height), expected)
    monkeypatch.setattr(budget, "HELD", 0)
    with pytest.raises(UnreadableImage, match="decoded as a whole from"):
        open_image(tmp_path / name)


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_cut_is_one_line(name: str, tmp_path: Path) -> None:
    data = FILES[name]
    (tmp_path / name).write_bytes(data[: -WIDTH - 26])  # a TGA ends with 26 bytes that say so
    with pytest.raises(UnreadableImage, match="damaged, truncated or of a rare kind"):
        open_image(tmp_path / name)
    (tmp_path / name).write_bytes(data)
    reader = open_image(tmp_path / name)
    (tmp_path / name).write_bytes(data[:100])
    with pytest.raises(UnreadableImage, match="it changed while it was read"):
        reader.rows(0, HEIGHT)
    (tmp_path / name).unlink()
    with pytest.raises(UnreadableImage, match="it changed while it was read"):
        reader.rows(0, 1)
