"""What an estimator learns of a degraded image: what is left of blur and noise, and what was lost on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

LABELS: Mapping[str, float] = MappingProxyType({
    "factor": 1.0, "blur_xx": 0.0, "blur_yy": 0.0, "blur_xy": 0.0, "noise_luma": 0.0, "noise_chroma": 0.0,
    "noise_shot": 0.0, "jpeg_quality": 100.0, "resampling_loss": 0.0,
})  # fmt: skip
"""The names that `Traces.labels` gives, in their order, with the values of an image that was not degraded.

factor: output sides by input sides. blur_xx, blur_yy, blur_xy: second moments of all blur, in px^2 of the output, x to
the right and y up. noise_luma, noise_chroma: standard deviation of what is left of the noise, at a pixel of value 1:
of Y, and the root mean square of Cb's and Cr's (BT.601, full range). noise_shot: of the variance a + b x at a pixel of
value x, the share b / (a + b). jpeg_quality: 1 to 100, of the last file. resampling_loss: 1 - f, where f is the
smallest size that the image went through, by the output's; 0 where it was never smaller.
"""

_ENERGY: Mapping[str, float] = MappingProxyType({"bilinear": 2 / 3, "bicubic": 0.8143, "lanczos": 0.8884})
"""The integral of each resampling kernel's square."""


@dataclass(frozen=True)
class Noise:
    """White noise, and how far it was smoothed since it was added."""

    luma: float
    """Variance of Y at a pixel of value 1, in units of the range [0, 1]."""
    chroma: float
    """The mean of the variances of Cb and Cr."""
    shot: float
    """0: the same everywhere; 1: all of it grows with the pixel's value."""
    area: float = 1.0
    """Over how many pixels it was averaged: what is left is the variance divided by this.

    Of a Gaussian of variance s it is 1 + 4 pi s, so that area - 1 adds up like the variances of blur.
    """

    def averaged(self, area: float) -> Noise:
        """After a kernel whose squares sum to 1 / area; below 1, a sharpening, it multiplies."""
        return replace(self, area=self.area + area - 1 if area > 1 else self.area * area)

    def resized(self, factor: float, kernel: str) -> Noise:
        """Variance and area are those of the new pixels."""
        area = factor**2 * (self.area - 1) + (factor / _left(factor, kernel)) ** 2
        return Noise(self.luma * factor**2, self.chroma * factor**2, self.shot, area)


@dataclass(frozen=True)
class Traces:
    """What the steps of a degradation have left in an image so far; each step adds its own (`Degradation.trace`)."""

    factor: float = 1.0
    smallest: float = 1.0
    """The smallest factor so far."""
    blur: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """xx, yy and xy."""
    noises: tuple[Noise, ...] = ()
    jpeg_quality: float = 100.0
    gray: bool = False
    """Whether the image has one channel: all noise is the luma's."""

    def blurred(self, moments: tuple[float, float, float], area: float) -> Traces:
        """moments: xx, yy, xy of the kernel in px^2. area: 1 / the sum of its squares."""
        xx, yy, xy = (old + new for old, new in zip(self.blur, moments, strict=True))
        return replace(self, blur=(xx, yy, xy), noises=tuple(noise.averaged(area) for noise in self.noises))

    def resized(self, factor: float, kernel: str) -> Traces:
        """What was blurred before is resized with it."""
        total = self.factor * factor
        xx, yy, xy = (moment * factor**2 for moment in self.blur)
        noises = tuple(noise.resized(factor, kernel) for noise in self.noises)
        return replace(self, factor=total, smallest=min(self.smallest, total), blur=(xx, yy, xy), noises=noises)

    def labels(self) -> dict[str, float]:
        """Numbers by the names of LABELS."""
        luma, chroma = (sum(getattr(n, part) / n.area for n in self.noises) for part in ("luma", "chroma"))
        shot = sum(n.shot * (n.luma + n.chroma) / n.area for n in self.noises)
        values = (
            self.factor, *self.blur, math.sqrt(luma), math.sqrt(chroma), shot / (luma + chroma or 1.0),
            self.jpeg_quality, max(0.0, 1 - self.smallest / self.factor),
        )  # fmt: skip
        return dict(zip(LABELS, values, strict=True))


def _left(factor: float, kernel: str) -> float:
    """What a resizing leaves of the variance of white noise, along one axis."""
    if kernel == "nearest":
        return 1.0
    energy = 1 - min(factor, 1 / factor) / 3 if kernel == "area" else _ENERGY[kernel]
    return min(factor, 1.0) * energy
