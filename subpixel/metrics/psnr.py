"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.metrics.protocol import same_shape


def psnr(result: NDArray[Any], reference: NDArray[Any]) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / mean squared error); infinite for equal images.

    Both: H W or H W C, in [0, 1], prepared under a Protocol. The mean runs over all samples of all channels.
    Raises: BadRequest if the shapes differ or are empty.
    """
    same_shape(result, reference)
    error = np.subtract(result, reference, dtype=np.float64)
    mse = float(np.mean(np.square(error, out=error)))
    return -10 * math.log10(mse) if mse > 0 else math.inf
