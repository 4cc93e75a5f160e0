"""Levels of 8 bits in and out of what computes on floats alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.ports import Ports
from subpixel.runtimes.checked import all_finite
from subpixel.runtimes.runtime import Run, Tensors


def through_floats(run: Run, ports: Ports) -> Run:
    """`Runtime.run` for a runtime that computes on floats alone: levels are converted before and after."""

    def converted(feeds: Tensors) -> dict[str, NDArray[Any]]:
        levels = feeds[ports.inputs[0].name]
        if levels.dtype != np.uint8:
            return run(feeds)
        batch = np.divide(levels.transpose(0, 3, 1, 2), 255, dtype=np.float32)
        results = run({ports.inputs[0].name: batch})
        return {name: _levels(result) for name, result in results.items()}

    return converted


def _levels(batch: NDArray[Any]) -> NDArray[np.uint8]:
    all_finite(batch)
    levels = np.clip(batch, 0, 1) * 255 + 0.5
    return np.ascontiguousarray(levels.astype(np.uint8).transpose(0, 2, 3, 1))
