"""TIFF in tiles, and in codecs that libvips has not: every tile is read, or the image is refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import tifffile

from subpixel.errors import UnreadableImage
from subpixel.images import read

LEVELS = np.random.default_rng(0).integers(1, 256, (60, 80, 3), dtype=np.uint8)
RGB: dict[str, Any] = {"photometric": "rgb", "metadata": None}
TILES = pytest.mark.parametrize("tile", [None, (32, 32)])


def tiff(levels: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, levels, **RGB, **options)
    return file.getvalue()


@TILES
@pytest.mark.parametrize("compression", ["deflate", "lzw", "jpeg"])
def test_a_damaged_or_missing_part_is_no_black_one(compression: str, tile: tuple[int, int] | None) -> None:
    whole = tiff(LEVELS, tile=tile, compression=compression, rowsperstrip=None if tile else 16)
    assert read(whole).pixels.min() >= 0
    assert read(whole).pixels.mean() > 0.4
    with tifffile.TiffFile(io.BytesIO(whole)) as file:
        page: Any = file.pages[0]
        start, size, last = page.dataoffsets[2], page.databytecounts[2], page.dataoffsets[-1]
    for damaged in (whole[:start] + bytes(size) + whole[start + size :], whole[: last + 10]):
        with pytest.raises(UnreadableImage, match="damaged"):
            read(damaged)


@TILES
@pytest.mark.parametrize("compression", ["zstd", "lzma", "png"])
def test_a_codec_is_read_or_refused(compression: str, tile: tuple[int, int] | None) -> None:
    pytest.importorskip("imagecodecs")  # by which they are written
    image = tiff(LEVELS, tile=tile, compression=compression)
    if compression == "png":
        with pytest.raises(UnreadableImage, match="rare kind"):
            read(image)
        return
    assert np.array_equal(read(image).to_array(), LEVELS)
    deep = read(tiff(LEVELS.astype(np.uint16) * 257, tile=tile, compression=compression))
    assert np.array_equal(deep.to_array(8), LEVELS)
    assert deep.metadata.notes == ("its colours were read with 8 bits",)
