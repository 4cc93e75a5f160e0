"""Results that, reduced again, are what they were made from: back-projection, as rows.

x becomes x + U(y - D x), where y is the image, D reduces a result to its size and U enlarges what is missing. With the
box, D is the mean over the area of a pixel and U repeats it, so that one step is exact at whole factors.
Source: Irani and Peleg, Improving resolution by image registration, CVGIP 53 (1991), equation 2.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, check_type
from subpixel.inference.rows import Rows
from subpixel.resample import Taps, along_columns, along_rows, taps

Array = NDArray[Any]
_STEPS = 5
"""Steps where one is not exact: then no 8-bit sample of the reduced result differs from the image."""


@dataclass(frozen=True)
class Reduction:
    """D: how an image is thought to come from its enlargement.

    Raises: BadRequest for a standard deviation that is not in 0.1 to 4 pixels of the image.
    """

    kernel: Literal["box", "bicubic", "gaussian"]
    sigma: float = 0.0
    """Of the Gaussian, in pixels of the image."""

    def __post_init__(self) -> None:
        if self.kernel == "gaussian" and not 0.1 <= self.sigma <= 4:
            raise BadRequest(f"consistent sigma={self.sigma:g}; expected 0.1 to 4 pixels of the image")

    @property
    def reach(self) -> int:
        """Pixels of the image that a mended pixel can see to each side, in all steps together."""
        return _STEPS * {"box": 1, "bicubic": 5, "gaussian": math.ceil(4 * self.sigma) + 4}[self.kernel]

    def down(self, length: int, target: int) -> Taps:
        """What reduces `length` pixels of a result to `target` of the image."""
        if self.kernel == "bicubic":
            return taps(length, target)
        ratio = length / target
        if self.kernel == "box":
            return _areas(length, target)
        reach = math.ceil(4 * self.sigma * ratio) + 1
        centre = (np.arange(target) + 0.5) * ratio - 0.5
        positions = np.floor(centre)[:, None].astype(np.int64) + np.arange(-reach, reach + 1)
        weights = np.exp(-0.5 * ((positions - centre[:, None]) / (self.sigma * ratio)) ** 2)
        return Taps(np.clip(positions, 0, length - 1), weights / weights.sum(1, keepdims=True))

    def up(self, length: int, target: int) -> Taps:
        """What enlarges `length` pixels of the image to `target` of the result."""
        return taps(length, target, "nearest" if self.kernel == "box" else "bicubic")

    def steps(self, high: tuple[int, int], low: tuple[int, int]) -> int:
        """How often a result of these sides is mended."""
        return 1 if self.kernel == "box" and not any(h % side for h, side in zip(high, low, strict=True)) else _STEPS


def parse(text: str) -> Reduction | None:
    """What `--consistent` says: box, bicubic or sigma=PIXELS; None for auto and none. Raises: BadRequest."""
    check_type("consistent", text, str)
    if text in ("auto", "none"):
        return None
    if text in ("box", "bicubic"):
        return Reduction("box" if text == "box" else "bicubic")
    match = re.fullmatch(r"sigma=(\d+(?:\.\d*)?|\.\d+)", text)
    if match is None:
        raise BadRequest(f"consistent {text!r}; expected auto, none, box, bicubic or sigma=PIXELS")
    return Reduction("gaussian", float(match[1]))


def consistent(result: Rows, source: Rows, reduction: Reduction) -> Rows:
    """A result that reduces to its source; both in the same units, floats that nothing clips.

    Raises: BadRequest where the result has fewer pixels than the source.
    """
    high, low = (result.shape.height, result.shape.width), (source.shape.height, source.shape.width)
    if high[0] < low[0] or high[1] < low[1]:
        raise BadRequest("a result that is smaller than its image cannot be consistent with it; leave --consistent")
    for _ in range(reduction.steps(high, low)):
        result = _Mended(result, source, reduction)
    return result


class LimitedRows:
    """Rows clipped to [0, 1], and what that costs: the share of the samples that changed, and by how much at most."""

    def __init__(self, rows: Rows) -> None:
        self.shape = rows.shape
        self._rows, self._clipped, self._most = rows, 0, 0.0

    def rows(self, y0: int, y1: int) -> Array:
        values = self._rows.rows(y0, y1)
        limited = np.clip(values, 0, 1)
        change = np.abs(limited - values)
        self._clipped += int(np.count_nonzero(change))
        self._most = max(self._most, float(change.max(initial=0)))
        return limited

    @property
    def note(self) -> str:
        """What the clip cost in all rows that were pulled; empty where it is less than half a level of 255."""
        if self._most < 0.5 / 255:
            return ""
        share = self._clipped / (self.shape.pixels * self.shape.samples)
        return (
            f"consistent up to the limits of its range: {share:.2%} of the samples clipped, by at most "
            f"{255 * self._most:.1f} of 255"
        )


class _Mended:
    """One step of back-projection."""

    def __init__(self, rows: Rows, source: Rows, reduction: Reduction) -> None:
        self.shape = replace(rows.shape, dtype="float32")
        self._rows, self._source = rows, source
        high, low = rows.shape, source.shape
        self._down = reduction.down(high.height, low.height), reduction.down(high.width, low.width)
        self._up = reduction.up(low.height, high.height), reduction.up(low.width, high.width)

    def rows(self, y0: int, y1: int) -> Array:
        up = self._up[0].between(y0, y1)
        a, b = up.reach
        down = self._down[0].between(a, b)
        first, last = down.reach
        low, high = min(first, y0), max(last, y1)
        band = self._rows.rows(low, high)
        reduced = along_columns(along_rows(band[first - low : last - low], down, first), self._down[1])
        missing = self._source.rows(a, b) - reduced
        return band[y0 - low : y1 - low] + along_columns(along_rows(missing, up, a), self._up[1])


def _areas(length: int, target: int) -> Taps:
    """The share of each pixel that lies in each of `target` equal parts of the axis."""
    ratio = length / target
    edges = np.arange(target) * ratio
    positions = np.floor(edges + 1e-9)[:, None].astype(np.int64) + np.arange(math.ceil(ratio) + 1)
    overlap = np.minimum(positions + 1, edges[:, None] + ratio) - np.maximum(positions, edges[:, None])
    weights = np.where(overlap > 1e-9, overlap, 0) / ratio
    used = weights.any(0)
    return Taps(np.clip(positions[:, used], 0, length - 1), weights[:, used] / weights.sum(1, keepdims=True))
