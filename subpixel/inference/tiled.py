"""A network over rows: tile by tile, exactly as if it had seen the whole image at once."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import OutOfMemory
from subpixel.images import Floats, to_batch
from subpixel.inference import tiles
from subpixel.inference.rows import Rows, Uint8Rows

Run = Callable[[Floats], Floats]
"""(N, 3, h, w) in [0, 1] -> (N, 3, scale h, scale w), not clipped, float32."""

Pixels = NDArray[Any]
"""Floats in [0, 1], or 8-bit levels."""

# What openvino, onnxruntime, torch and oneDNN say when an allocation fails.
_NO_MEMORY = re.compile(r"(?is)out of memory|bad_alloc|alloc\w* .*memory|memory .*alloc|not enough memory")
_CACHED = 8  # rows that are converted at a time


def self_ensemble(run: Run) -> Run:
    """The mean over the 8 flips and quarter turns of the input, each undone on the output.

    Source: the geometric self-ensemble of EDSR (Lim et al., CVPRW 2017, arXiv:1707.02921, section 3.3).
    """

    def average(batch: Floats) -> Floats:
        total: Floats | None = None
        for turn in range(4):
            for flip in (1, -1):
                turned = np.rot90(batch, turn, (2, 3))[..., ::flip]
                result = np.rot90(run(np.ascontiguousarray(turned))[..., ::flip], -turn, (2, 3))
                total = result.copy() if total is None else np.add(total, result, out=total)
        assert total is not None
        return np.divide(total, np.float32(8), out=total)

    return average


def on_floats(run: Run) -> Callable[[Floats], Floats]:
    """A network as H W C -> sH sW 3; gray is replicated to RGB."""

    def patch_run(patch: Floats) -> Floats:
        batch = to_batch(patch)
        batch = batch if batch.shape[1] == 3 else np.repeat(batch, 3, axis=1)
        return np.moveaxis(run(batch)[0], 0, -1)

    return patch_run


class TiledNetwork:
    """Rows enlarged by a network and clipped to [0, 1]; the colour is 1 or 3 channels, without alpha.

    run: from a patch H W C to sH sW 3, see `on_floats`; or from 8-bit levels to 8-bit levels, with dtype uint8.
    halo, tile_stride, fixed_size: see `models.Card`.

    A row of tiles is computed at once and kept until a call no longer reaches it, so neighbouring calls may
    overlap at no cost. Where the source is gray the result is averaged back. When the memory does not
    suffice, the tile is halved and its row done again.

    Raises (when pulled): OutOfMemory when the smallest tile does not fit.
    """

    has_alpha = False

    def __init__(
        self,
        source: Rows | Uint8Rows,
        run: Callable[[Pixels], Pixels],
        scale: int,
        halo: int,
        tile: tuple[int, int],
        dtype: type[np.float32] | type[np.uint8] = np.float32,
        tile_stride: int = 1,
        fixed_size: int = 0,
    ) -> None:
        self.height, self.width, self.channels = source.height * scale, source.width * scale, source.channels
        self.tile = tile
        self._source, self._run, self._scale, self._dtype = source, run, scale, dtype
        self._halo, self._tile_stride, self._fixed_size = halo, tile_stride, fixed_size
        self._bands = self._spans(0, source.height, tile[0], source.height)
        self._kept: dict[tiles.Span, Pixels] = {}

    def rows(self, y0: int, y1: int) -> Pixels:
        s = self._scale
        bands = [band for band in self._bands if band.start * s < y1 and band.stop * s > y0]
        self._kept = {band: self._kept[band] for band in bands if band in self._kept}
        out = self._empty(y1 - y0)
        for band in bands:
            top, bottom = max(band.start * s, y0), min(band.stop * s, y1)
            part = out[top - y0 : bottom - y0]
            if band in self._kept:
                part[:] = self._kept[band][top - band.start * s : bottom - band.start * s]
            elif len(part) == (band.stop - band.start) * s:
                self._kept[band] = self._compute(band, part)
            else:
                whole = self._compute(band, self._empty((band.stop - band.start) * s))
                part[:] = whole[top - band.start * s : bottom - band.start * s]
                self._kept[band] = whole
        return out

    def _spans(self, start: int, stop: int, tile: int, length: int) -> list[tiles.Span]:
        return tiles.spans(start, stop, tile, self._halo, length, self._tile_stride, self._fixed_size)

    def _empty(self, rows: int) -> Pixels:
        return np.empty((rows, self.width, self.channels), self._dtype)

    def _compute(self, band: tiles.Span, out: Pixels) -> Pixels:
        window = self._source.rows(band.low, band.high)
        while True:
            try:
                return self._fill(band, window, out)
            except Exception as error:
                if not (isinstance(error, MemoryError) or _NO_MEMORY.search(str(error))):
                    raise
                self.tile = _smaller(self.tile, error)

    def _fill(self, band: tiles.Span, window: Pixels, out: Pixels) -> Pixels:
        s, source = self._scale, self._source
        for row in self._spans(band.start, band.stop, self.tile[0], source.height):
            for column in self._spans(0, source.width, self.tile[1], source.width):
                patch = window[row.low - band.low : row.high - band.low, column.low : column.high]
                result = self._run(patch)
                core = result[s * (row.start - row.low) : s * (row.stop - row.low)]
                core = core[:, s * (column.start - column.low) : s * (column.stop - column.low)]
                y, x = s * (row.start - band.start), s * column.start
                _put(core, out[y : y + core.shape[0], x : x + core.shape[1]])
        return out


def _put(core: Pixels, target: Pixels) -> None:
    """Copies levels, or clips floats, in bands that stay in the cache; gray becomes the mean of the three."""
    if target.dtype == np.uint8:
        target[:] = core
        return
    for y in range(0, len(target), _CACHED):
        band = np.moveaxis(core[y : y + _CACHED], -1, 0)
        planes = np.clip(band if target.shape[2] == 3 else band.mean(axis=0, keepdims=True), 0, 1)
        for channel, plane in enumerate(planes):
            target[y : y + _CACHED, :, channel] = plane


def _smaller(tile: tuple[int, int], error: Exception) -> tuple[int, int]:
    smaller = tiles.halved(tile)
    if smaller is None:
        tried = f"a tile of {tile[1]}x{tile[0]} pixels does not fit into memory"
        raise OutOfMemory(f"{tried}; free some memory, or use a smaller model or fewer threads") from error
    return smaller
