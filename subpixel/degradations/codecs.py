"""Lossy files: the image is rounded to 8 bit, written with Pillow's codec into memory, and read again."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image as Pillow

from subpixel.degradations.degradation import Degradation, Floats, Rng
from subpixel.degradations.labels import Traces
from subpixel.errors import BadRequest
from subpixel.images.samples import dequantise, quantise


@dataclass(frozen=True)
class _LossyCodec(Degradation):
    quality: int
    """1 (small) to 100 (good), as the codec counts."""

    def __post_init__(self) -> None:
        if not 1 <= self.quality <= 100:
            raise BadRequest(f"quality is {self.quality}; expected 1 to 100")


@dataclass(frozen=True)
class Jpeg(_LossyCodec):
    """JPEG, with the chroma at half the resolution (4:2:0)."""

    right: int = 0
    """Pixels by which the grid of its blocks lies to the right, as of an image that was cut since."""
    down: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.right, self.down) < 0:
            raise BadRequest(f"right and down are {self.right} and {self.down}; expected pixels from 0")

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        shifted = pixels
        if self.right or self.down:
            shifted = np.pad(pixels, ((self.down, 0), (self.right, 0), (0, 0)), mode="edge")
        return _roundtrip(shifted, "JPEG", quality=self.quality, subsampling="4:2:0")[self.down :, self.right :]

    def trace(self, traces: Traces) -> Traces:
        return replace(traces, jpeg_quality=float(self.quality))


@dataclass(frozen=True)
class Webp(_LossyCodec):
    """Lossy WebP."""

    def apply(self, pixels: Floats, rng: Rng) -> Floats:
        return _roundtrip(pixels, "WEBP", quality=self.quality)


def _roundtrip(pixels: Floats, codec: str, **options: Any) -> Floats:
    """Gray and RGB as such; of other images each channel as gray."""
    gray = pixels.shape[2] == 1
    if pixels.shape[2] not in (1, 3):
        channels = np.split(pixels, pixels.shape[2], axis=2)
        return np.dstack([_roundtrip(channel, codec, **options) for channel in channels])
    levels = quantise(pixels, 8)
    file = io.BytesIO()
    Pillow.fromarray(levels[..., 0] if gray else levels).save(file, codec, **options)
    with Pillow.open(file) as image:
        decoded = np.asarray(image.convert("L" if gray else "RGB"))
    return dequantise(decoded.reshape(pixels.shape))
