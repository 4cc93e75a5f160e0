"""Graphs for images of one size, which is what networks with attention in windows become when they are recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest
from subpixel.runtimes import Precision, Runtime, bytes_through

Run = Callable[[NDArray[Any]], NDArray[Any]]


def of_size(run: Run, side: int, scale: int) -> Run:
    """What takes 1 3 side side as what takes N 3 H W: reflected at the right and lower edge, which are cut off again.

    Raises (when called): BadRequest for a larger image.
    """

    def padded(batch: NDArray[Any]) -> NDArray[Any]:
        height, width = batch.shape[2:]
        if max(height, width) > side:
            raise BadRequest(f"an image of {width}x{height} pixels; this graph takes at most {side}x{side}: use tiles")
        edges = (0, 0), (0, 0), (0, side - height), (0, side - width)
        images = np.pad(batch, edges, mode="reflect")
        high = np.concatenate([run(image[None]) for image in images])
        return high[..., : height * scale, : width * scale]

    return padded


class Fixed:
    """A runtime whose graph takes images of one size, for smaller ones too."""

    def __init__(self, runtime: Runtime, side: int, scale: int) -> None:
        self.name, self.device = runtime.name, runtime.device
        self.precision: Precision = runtime.precision
        self._run, self._runtime = of_size(runtime.run, side, scale), runtime

    def run(self, batch: NDArray[Any]) -> NDArray[Any]:
        return self._run(batch)

    def run_bytes(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return bytes_through(self._run, pixels)

    def close(self) -> None:
        self._runtime.close()
