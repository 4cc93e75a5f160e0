"""Whether something computes what a model computes: the proof that every import and export has to pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import ParityError
from subpixel.models import Model
from subpixel.runtimes import Execution, on_batches, open_runtime

Run = Callable[[NDArray[Any]], NDArray[Any]]
"""N 3 H W float32 in [0, 1] -> N 3 sH sW float32."""

SIZES = ((17, 22), (1, 1), (8, 3), (40, 131))
"""Height and width of the images that are compared: odd, tiny, narrow, large."""

TOLERANCE = 1e-4
"""Largest difference, of values in [0, 1]: 0.03 levels of 255. Different libraries sum in different order."""


def compare(
    what: Path,
    original: Model,
    run: Run,
    gray: bool = False,
    sizes: Sequence[tuple[int, int]] = SIZES,
    tolerance: float = TOLERANCE,
) -> None:
    """Compares what a file computes with its original, in f32, at several sizes.

    gray: on gray images only. Raises: ParityError.
    """
    runtime = open_runtime(original, Execution("openvino", "f32", device="cpu"))
    reference = on_batches(runtime.run)
    for size in sizes:
        low = noise_image(size, gray)
        expected, result = reference(low), run(low)
        same = expected.shape == result.shape
        difference = float(np.abs(expected - result).max()) if same else float("inf")
        if not difference <= tolerance:  # NaN is no parity
            raise ParityError(f"{what} at {size[1]}x{size[0]} pixels", difference, tolerance)


def noise_image(size: tuple[int, int], gray: bool) -> NDArray[np.float32]:
    """A random batch of one, 1 3 H W in [0, 1], for comparisons; gray: its three channels are equal."""
    batch = np.random.default_rng(0).random((1, 1 if gray else 3, *size), dtype=np.float32)
    return np.repeat(batch, 3, axis=1) if gray else batch
