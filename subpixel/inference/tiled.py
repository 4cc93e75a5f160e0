"""A network over rows: tile by tile, exactly as if it had seen the whole image at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, OutOfMemory
from subpixel.images import Floats
from subpixel.inference import flat, smooth, tiles
from subpixel.inference.adapt import adapt
from subpixel.inference.flat import keep_flat
from subpixel.inference.rows import UNIT, Rows
from subpixel.inference.smooth import keep_smooth
from subpixel.ports import Geometry, Port, Ports
from subpixel.runtimes import Run, Tensors
from subpixel.runtimes.checked import out_of_memory

Pixels = NDArray[Any]
"""Floats in [0, 1], or 8-bit levels."""

_CACHED = 8  # rows that are converted at a time


def self_ensemble(run: Run) -> Run:
    """The mean over the 8 flips and quarter turns of the input, each undone on the output; for plain networks.

    Source: the geometric self-ensemble of EDSR (Lim et al., CVPRW 2017, arXiv:1707.02921, section 4.3).
    """

    def average(feeds: Tensors) -> dict[str, Pixels]:
        ((low, batch),) = feeds.items()
        total: dict[str, Pixels] = {}
        for turn in range(4):
            for flip in (1, -1):
                turned = np.ascontiguousarray(np.rot90(batch, turn, (2, 3))[..., ::flip])
                for name, result in run({low: turned}).items():
                    upright = np.rot90(result[..., ::flip], -turn, (2, 3))
                    total[name] = total[name] + upright if name in total else upright.copy()
        return {name: result / np.float32(8) for name, result in total.items()}

    return average


class TiledNetwork:
    """Rows of a network's first output, an image, clipped to the limits; without alpha.

    source: the rows of the first input. run: see `Runtime.run`. maps: what the other inputs are fed, whole, H W C at
    the port's scale. keeps_flat: flat colour stays what it is, whatever the network makes of it (see `flat`).
    keeps_smooth: so does a plane, of floats (see `smooth`). The dtype is the source's: 8-bit levels give 8-bit levels.

    A row of tiles is computed at once and kept until a call no longer reaches it, so neighbouring calls may overlap at
    no cost. The other outputs gather in `maps`, H W C, as their rows are computed, and in `vectors`; a network with a
    vector sees the whole image as one tile. When the memory does not suffice, the tile is halved and its row is done
    again.

    Raises: BadRequest for a map of another size; when pulled, OutOfMemory when the smallest tile does not fit.
    """

    def __init__(
        self,
        source: Rows,
        run: Run,
        ports: Ports,
        geometry: Geometry,
        tile: tuple[int, int],
        maps: Mapping[str, Floats] | None = None,
        keeps_flat: bool = True,
        limits: tuple[float, float] = UNIT,
        keeps_smooth: bool = False,
    ) -> None:
        shape = source.shape
        vectors = any(port.kind == "vector" for port in ports.outputs)
        self.tile = (shape.height, shape.width) if vectors else tile
        self._limits = limits
        self._source, self._run, self._ports, self._geometry = source, run, ports, geometry
        self._adapter = adapt(shape, ports.inputs[0])
        channels = ports.outputs[0].depth if self._adapter.equal else shape.channels
        height, width = shape.height * geometry.scale, shape.width * geometry.scale
        self.shape = replace(shape, height=height, width=width, channels=channels)
        self._fed = {port.name: _checked(port, (maps or {}).get(port.name), source) for port in ports.inputs[1:]}
        self.maps = {port.name: self._zeros(port) for port in ports.outputs[1:] if port.kind != "vector"}
        self.vectors: dict[str, Floats] = {}
        self._flat = min(flat.REACH, geometry.halo) if keeps_flat else 0
        self._smooth = min(smooth.REACH, geometry.halo - 1) if keeps_smooth else 0
        self._bands = self._spans(0, shape.height, tile[0] if not vectors else shape.height, shape.height)
        self._kept: dict[tiles.Span, Pixels] = {}

    def rows(self, y0: int, y1: int) -> Pixels:
        s = self._geometry.scale
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
        g = self._geometry
        return tiles.spans(start, stop, tile, g.halo, length, g.stride, g.fixed_size)

    def _empty(self, rows: int) -> Pixels:
        return np.empty((rows, self.shape.width, self.shape.channels), self.shape.dtype)

    def _zeros(self, port: Port) -> Floats:
        shape = self._source.shape
        return np.zeros((shape.height * port.scale, shape.width * port.scale, port.depth), np.float32)

    def _compute(self, band: tiles.Span, out: Pixels) -> Pixels:
        window = self._source.rows(band.low, band.high)
        while True:
            try:
                return self._fill(band, window, out)
            except Exception as error:
                if not out_of_memory(error):
                    raise
                self.tile = _smaller(self.tile, error)

    def _fill(self, band: tiles.Span, window: Pixels, out: Pixels) -> Pixels:
        shape, s = self._source.shape, self._geometry.scale
        for row in self._spans(band.start, band.stop, self.tile[0], shape.height):
            for column in self._spans(0, shape.width, self.tile[1], shape.width):
                patch = window[row.low - band.low : row.high - band.low, column.low : column.high]
                results = self._run(self._feeds(patch, row, column))
                first, *others = self._ports.outputs
                target = out[s * (row.start - band.start) : s * (row.stop - band.start), s * column.start :]
                result = target[:, : s * (column.stop - column.start)]
                self._put(results[first.name], row, column, result)
                if result.shape[2] == patch.shape[2]:
                    self._keep(patch, row, column, result)
                for port in others:
                    self._gather(port, results[port.name], row, column)
        return out

    def _keep(self, patch: Pixels, row: tiles.Span, column: tiles.Span, result: Pixels) -> None:
        """What the network was not to change, in its result for a tile."""
        if self._smooth > 0:
            step = patch.shape[2] if self._adapter.equal else 1  # a channel that goes alone is smooth or not by itself
            for k in range(0, patch.shape[2], step):
                part = slice(k, k + step)
                keep_smooth(patch[..., part], row, column, self._smooth, self._limits, result[..., part])
        if self._flat:
            keep_flat(patch, row, column, self._flat, result)

    def _feeds(self, patch: Pixels, row: tiles.Span, column: tiles.Span) -> Tensors:
        first, *others = self._ports.inputs
        maps = {
            port.name: np.ascontiguousarray(
                self._fed[port.name][_scaled(row, port.scale), _scaled(column, port.scale)].transpose(2, 0, 1)[None]
            )
            for port in others
        }
        return {first.name: self._adapter.to_batch(patch), **maps}

    def _put(self, batch: Pixels, row: tiles.Span, column: tiles.Span, target: Pixels) -> None:
        """The tile's own part of an image: levels are copied, floats clipped, in bands that stay in the cache."""
        inner, across = _core(row, self._geometry.scale), _core(column, self._geometry.scale)
        if target.dtype == np.uint8:
            target[:] = batch[0][inner, across]
            return
        for channel, planes in enumerate(self._adapter.channels(batch[..., inner, across])):
            for y in range(0, len(target), _CACHED):
                band = planes[..., y : y + _CACHED, :]
                level = band.mean(axis=0) if band.ndim == 3 else band
                np.clip(level, *self._limits, out=target[y : y + _CACHED, :, channel])

    def _gather(self, port: Port, batch: Floats, row: tiles.Span, column: tiles.Span) -> None:
        if port.kind == "vector":
            self.vectors[port.name] = batch[0]
            return
        core = batch[0][:, _core(row, port.scale), _core(column, port.scale)].transpose(1, 2, 0)
        rows, columns = slice(row.start * port.scale, row.stop * port.scale), column.start * port.scale
        self.maps[port.name][rows, columns : columns + core.shape[1]] = core


def _core(span: tiles.Span, scale: int) -> slice:
    """Where a tile lies in what its window gave."""
    return slice(scale * (span.start - span.low), scale * (span.stop - span.low))


def _scaled(span: tiles.Span, scale: int) -> slice:
    return slice(span.low * scale, span.high * scale)


def _checked(port: Port, values: Floats | None, source: Rows) -> Floats:
    shape = source.shape
    expected = (shape.height * port.scale, shape.width * port.scale, port.depth)
    if values is None or values.shape != expected:
        given = "nothing" if values is None else f"shape {values.shape}"
        raise BadRequest(f"the input {port.name} is given {given}; expected {expected}")
    return values


def _smaller(tile: tuple[int, int], error: Exception) -> tuple[int, int]:
    smaller = tiles.halved(tile)
    if smaller is None:
        tried = f"a tile of {tile[1]}x{tile[0]} pixels does not fit into memory"
        raise OutOfMemory(f"{tried}; free some memory, or use a smaller model or fewer threads") from error
    return smaller
