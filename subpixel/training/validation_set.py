"""The images that a network is validated on; their low resolution comes from where that of the training comes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from subpixel.datasets.files import ImageFile
from subpixel.datasets.layouts import find_layout, size_mismatch
from subpixel.datasets.moving import clip
from subpixel.datasets.sources import file_pairs
from subpixel.degradations import Degradation, classical
from subpixel.errors import DataError, printable
from subpixel.evaluation.evaluate import Pair, degraded, described
from subpixel.images import Image


@dataclass(frozen=True)
class ValidationSet:
    """The validation images of one scale; each is decoded and degraded when it is needed."""

    name: str
    scale: int
    high: tuple[ImageFile, ...]
    low: tuple[ImageFile, ...] | Degradation
    """The LR of each HR image, or what makes it."""
    channels: int = 3
    """Of the network."""
    frames: int = 1
    """Above 1: of the clip that a camera makes of each image."""

    @classmethod
    def find(
        cls, folder: Path, scale: int, degradation: Degradation | None, channels: int = 3, frames: int = 1
    ) -> Self:
        """The images of a folder or zip; where it holds those for training too, the validation's.

        degradation: what makes LR of HR; None: LR comes from files. channels: of the network. frames: of a clip.
        Raises: DataError for a folder without images, or without LR where it comes from files.
        """
        layout, name = find_layout(folder, "valid"), printable(folder.stem)  # a model's card takes no other
        if degradation is not None:
            return cls(name, scale, layout.high, degradation, channels, frames)
        matches = file_pairs(layout, scale)
        if not matches:
            raise DataError(
                f"{folder} has no low resolution, but the training data has; put it beside, in a folder LR_x{scale}"
            )
        highs, lows = tuple(high for high, _ in matches), tuple(low for _, low in matches)
        return cls(name, scale, highs, lows, channels)

    @property
    def degradation(self) -> str:
        """In words, for a report."""
        if self.frames > 1:
            return f"clips of {self.frames} frames, bicubic x{self.scale}"
        return described(self.low, self.scale) if isinstance(self.low, Degradation) else "low resolution from files"

    @property
    def is_standard(self) -> bool:
        """Whether LR is made as the benchmarks' is."""
        return self.frames == 1 and self.low == classical(self.scale)

    def pairs(self) -> Iterator[Pair]:
        """The images of LR and HR one by one.

        Raises: UnreadableImage; DataError if a degradation makes another size.
        """
        if self.frames > 1:
            return (self._clip(k, file) for k, file in enumerate(self.high))
        if isinstance(self.low, Degradation):
            levels = ((str(file.place), file.levels(self.channels)) for file in self.high)
            images = ((name, Image.from_array(each, alpha=False)) for name, each in levels)
            return degraded(images, self.scale, self.low)
        return (self._read_pair(high, low) for high, low in zip(self.high, self.low, strict=True))

    def check(self, least: int) -> None:
        """Raises: DataError naming an image that is too small, or whose LR has another size; from the headers alone.

        least: pixels of a side that a metric needs inside the border, which is as wide as the scale.
        """
        side = (-(-least // self.scale) * self.scale + 2 * self.scale) * (1 if self.frames == 1 else 2)
        for file in self.high:
            height, width = file.size()
            if min(height, width) < side:
                raise DataError(
                    f"{file.name}: {width}x{height} pixels; a validation image needs {side} a side at x{self.scale}"
                )
        for high, low in zip(self.high, self.low, strict=True) if isinstance(self.low, tuple) else ():
            if problem := size_mismatch(low.size(), high.size(), self.scale):
                raise DataError(f"{low.name}: {problem} of {high.name}")

    def _clip(self, k: int, file: ImageFile) -> Pair:
        """A clip of the image, half as large, with its frames as channels; each by random numbers of its own."""
        photo = file.levels(1)[..., 0]
        side = min(photo.shape) // (2 * self.scale)
        frames = clip(lambda: photo, self.scale, self.frames, side, np.random.default_rng((0, k)))
        low, high = (Image.from_array(np.moveaxis(each, 0, -1), alpha=False) for each in frames)
        return Pair(str(file.place), low, high)

    def _read_pair(self, high: ImageFile, low: ImageFile) -> Pair:
        high_pixels, scale = high.levels(self.channels), self.scale
        height, width = (n // scale for n in high_pixels.shape[:2])
        pixels = low.levels(self.channels)[:height, :width], high_pixels[: height * scale, : width * scale]
        return Pair(str(high.place), *(Image.from_array(each, alpha=False) for each in pixels))
