"""What editing and age do to an image: sharpening, fading, scratches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from subpixel.degradations.blur import Blur, GaussianBlur, Kernel
from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.degradations.labels import Traces
from subpixel.errors import BadRequest


@dataclass(frozen=True)
class Sharpen(Blur):
    """Unsharp masking: `amount` times the difference to a blurred copy is added."""

    amount: float
    sigma: float = 1.0
    """Of the blur, in pixels."""

    def __post_init__(self) -> None:
        if not 0 <= self.amount < math.inf:
            raise BadRequest(f"amount is {self.amount}; expected a number from 0")
        GaussianBlur(self.sigma)

    def kernel(self) -> Kernel:
        kernel = -self.amount * GaussianBlur(self.sigma).kernel()
        kernel[len(kernel) // 2, len(kernel) // 2] += 1 + self.amount
        return kernel

    def moments(self, kernel: Kernel) -> tuple[float, float, float]:
        """None: what a blur has taken does not come back."""
        return 0.0, 0.0, 0.0


@dataclass(frozen=True)
class Fade(Degradation):
    """Dyes that bleached: contrast shrinks towards a bright, warm paper; x -> paper + contrast (x - paper)."""

    contrast: float
    """1: none is lost."""
    red: float = 0.8
    """The colour of the paper; gray images take the mean of the three."""
    green: float = 0.75
    blue: float = 0.65

    def __post_init__(self) -> None:
        if not all(0 <= value <= 1 for value in (self.contrast, *self._paper)):
            raise BadRequest(f"contrast and paper are {self.contrast} and {self._paper}; expected 0 to 1")

    @property
    def _paper(self) -> tuple[float, float, float]:
        return self.red, self.green, self.blue

    def trace(self, traces: Traces) -> Traces:
        left = self.contrast**2
        noises = (replace(noise, luma=left * noise.luma, chroma=left * noise.chroma) for noise in traces.noises)
        return replace(traces, noises=tuple(noises))

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        paper = np.array(self._paper if pixels.shape[2] == 3 else [np.mean(self._paper)], np.float32)
        return np.clip(paper + self.contrast * (pixels - paper), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Scratches(Degradation):
    """Thin lines, bright or dark, nearly along the image's height, as of film that was drawn over grit."""

    density: float
    """Scratches in a width of 100 pixels, on average."""
    opacity: float = 0.7
    """Of the middle of a scratch; its profile is Gaussian, half a pixel to one and a half wide."""

    def __post_init__(self) -> None:
        if not (0 <= self.density < math.inf and 0 <= self.opacity <= 1):
            raise BadRequest(f"density and opacity are {self.density} and {self.opacity}; expected from 0, and 0 to 1")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        height, width = pixels.shape[:2]
        scratched = pixels.copy()
        for _ in range(rng.poisson(self.density * width / 100)):
            cover, tone = self.opacity * _scratch(height, width, rng), float(rng.integers(2))
            scratched += cover[..., None] * (tone - scratched)
        return np.clip(scratched, 0, 1)


def _scratch(height: int, width: int, rng: Rng) -> Floats:
    """How much of each pixel one scratch covers: a leaning line over a part of the height."""
    column, slope, sigma = rng.uniform(0, width), rng.normal(0, 0.05), rng.uniform(0.5, 1.5)
    top, length = rng.uniform(-0.5, 1) * height, rng.uniform(0.2, 1.5) * height
    y, x = np.arange(height, dtype=np.float32)[:, None], np.arange(width, dtype=np.float32)
    inside = (y >= top) & (y < top + length)
    return (np.exp(-(((x - column - slope * y) / sigma) ** 2) / 2) * inside).astype(np.float32)
