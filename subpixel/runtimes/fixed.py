"""Graphs for images of one size, which is what networks with attention in windows become when they are recorded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest
from subpixel.ports import Port, Ports
from subpixel.runtimes.levels import through_floats
from subpixel.runtimes.runtime import Precision, Run, Runtime, Tensors


def of_size(run: Run, ports: Ports, size: int) -> Run:
    """What takes one image of `size` x `size` as what takes any number of smaller ones.

    They are reflected at the right and lower edge, which is cut off again.
    Raises (when called): BadRequest for a larger image.
    """

    def padded(feeds: Tensors) -> dict[str, NDArray[Any]]:
        count, _, height, width = feeds[ports.inputs[0].name].shape
        if max(height, width) > size:
            raise BadRequest(f"an image of {width}x{height} pixels; this graph takes at most {size}x{size}: use tiles")
        wide = {port.name: _reflected(feeds[port.name], size * port.scale) for port in ports.inputs}
        parts = [run({name: batch[k : k + 1] for name, batch in wide.items()}) for k in range(count)]
        return {
            port.name: _cut(np.concatenate([part[port.name] for part in parts]), port, height, width)
            for port in ports.outputs
        }

    return padded


def _reflected(batch: NDArray[Any], size: int) -> NDArray[Any]:
    height, width = batch.shape[2:]
    return np.pad(batch, ((0, 0), (0, 0), (0, size - height), (0, size - width)), mode="reflect")


def _cut(batch: NDArray[Any], port: Port, height: int, width: int) -> NDArray[Any]:
    return batch if port.kind == "vector" else batch[..., : height * port.scale, : width * port.scale]


class FixedSize:
    """A runtime whose graph takes images of one size, for smaller ones too."""

    def __init__(self, runtime: Runtime, ports: Ports, size: int) -> None:
        self.name, self.device = runtime.name, runtime.device
        self.precision: Precision = runtime.precision
        self.run = through_floats(of_size(runtime.run, ports, size), ports)
        self.close = runtime.close
