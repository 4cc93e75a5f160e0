"""The frames of a burst: images of one size, kept as the levels that their files store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import DegradationReport, inspect_rows
from subpixel.color import FORWARD
from subpixel.errors import BadRequest
from subpixel.images import Depth, Floats, Image, ImageReader, Metadata, dequantise, open_image, quantise
from subpixel.ports import Shape

SMALLEST = 24
"""Pixels along the shorter side below which nothing can be registered."""

WHITE = 0.98
"""From where on levels are cut off: what is brighter, and another exposure, does not show."""
_BLOCK, _CUT, _FEWEST = 8, 0.1, 10
"""The side of a block, the most of it that may be clipped, and the fewest such blocks that tell the noise."""
_CALM, _CALM_OF_NOISE = 0.1, 0.63
"""The share of calm blocks, and what the last of them shows of the variance of white noise."""
_STEEP, VARIED = 0.0449, 0.0748
"""Of white noise with a variance of 1, low-passed: the mean square of its slope, and its variance."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a burst: levels (H, W, 1 or 3) of uint8 or uint16, or floats in [0, 1]."""

    name: str
    levels: NDArray[Any]
    metadata: Metadata
    opened: ImageReader | None = None
    """Its file, which says more of its compression than the pixels."""

    @property
    def shape(self) -> Shape:
        """Height, width, channels and type of its levels."""
        height, width, channels = self.levels.shape
        return Shape(height, width, channels, False, self.levels.dtype.name)  # pyright: ignore[reportArgumentType]

    def rows(self, y0: int, y1: int) -> NDArray[Any]:
        """Its rows: a Frame is a `Rows`."""
        return self.levels[y0:y1]

    def inspected(self) -> DegradationReport:
        """What is wrong with it."""
        return inspect_rows(self.opened or self)

    def luma(self) -> Floats:
        """(H, W), from 0 for black: another exposure is a factor."""
        values = dequantise(self.levels)
        return values[..., 0] if values.shape[2] == 1 else (values @ FORWARD[0]).astype(np.float32)

    @property
    def clipped(self) -> NDArray[np.bool_]:
        """(H, W): where a colour is black or white, and hides what is beyond."""
        values = dequantise(self.levels)
        return (values.min(axis=2) <= 0) | (values.max(axis=2) >= WHITE)

    def fingerprint(self, depth: Depth) -> bytes:
        """What frames share whose pixels are equal at a depth."""
        return hashlib.blake2b(quantise(dequantise(self.levels), depth).tobytes()).digest()

    @classmethod
    def of(cls, source: Image | NDArray[Any] | str | Path, number: int) -> Frame:
        """A frame from an Image, an array as `Image.from_array` takes it, or a file.

        Raises: UnreadableImage; BadRequest for one with transparency, or that is no image.
        """
        name, opened = f"frame {number}", None
        if isinstance(source, str | Path):
            opened = open_image(source)
            name = str(source)
            samples, metadata, alpha = opened.rows(0, opened.shape.height), opened.metadata, opened.shape.alpha
        else:
            image = Image.from_array(source) if isinstance(source, np.ndarray) else source
            whole = isinstance(source, np.ndarray) and source.dtype.name in ("uint8", "uint16") and source.ndim == 3
            samples = source if isinstance(source, np.ndarray) and whole else image.samples
            metadata, alpha = image.metadata, image.has_alpha
        if alpha and not (dequantise(samples[..., -1]) == 1).all():
            raise BadRequest(f"{name} has transparency; frames must be opaque: save them without alpha")
        if alpha:
            return cls(name, np.ascontiguousarray(samples[..., :-1]), metadata)
        return cls(name, samples, metadata, opened)


def check_alike(frames: Sequence[Frame]) -> None:
    """Raises: BadRequest where frames are too few or too small, or differ in size, channels or colour profile."""
    if len(frames) < 2:
        raise BadRequest(f"{len(frames)} frame; a burst needs at least 2 (for one image: subpixel upscale)")
    first = frames[0]
    if min(first.shape.height, first.shape.width) < SMALLEST:
        raise BadRequest(f"{first.name} is {_size(first)}; frames need at least {SMALLEST} pixels a side")
    for frame in frames[1:]:
        if frame.levels.shape != first.levels.shape:
            raise BadRequest(f"{frame.name} is {_size(frame)}, but {first.name} {_size(first)}; frames must be alike")
        ours, theirs = first.metadata, frame.metadata
        if (theirs.icc, theirs.colour) != (ours.icc, ours.colour):
            raise BadRequest(f"{frame.name} and {first.name} state different colours; convert them to one profile")


def find_duplicates(frames: Sequence[Frame], first: int) -> dict[Frame, Frame]:
    """Frames with the pixels of another, each with that one: the frame `first`, or else the earliest.

    They are compared at the least depth that one of them has: a copy with more bits is a duplicate too.
    """
    depth: Depth = 8 if any(frame.levels.dtype == np.uint8 for frame in frames) else 16
    known, duplicates = dict[bytes, Frame](), dict[Frame, Frame]()
    for frame in sorted(frames, key=lambda frame: frame is not frames[first]):
        original = known.setdefault(frame.fingerprint(depth), frame)
        if original is not frame:
            duplicates[frame] = original
    return duplicates


def noise_of(frame: Frame, luma: Floats) -> float:
    """The standard deviation of the white noise in the luma of a frame: in the calmest of its blocks is little else."""
    bend = luma
    for _ in (0, 1):  # second differences along both axes (Immerkaer 1996); 6: what they make of white noise of 1
        bend = (bend[:-2] - 2 * bend[1:-1] + bend[2:]).T / 6**0.5
    power = _blocks(bend**2)
    shown = power[_blocks(frame.clipped[1:-1, 1:-1]) <= _CUT]
    calm = np.quantile(shown if len(shown) >= _FEWEST else power, _CALM)
    return float(np.sqrt(calm / _CALM_OF_NOISE))


def _blocks(plane: NDArray[Any]) -> NDArray[Any]:
    """(n,): the mean of each block of H W."""
    height, width = (n // _BLOCK for n in plane.shape)
    whole = plane[: height * _BLOCK, : width * _BLOCK]
    return whole.reshape(height, _BLOCK, width, _BLOCK).mean(axis=(1, 3)).ravel()


def sharpness(soft: Floats, noise: float = 0.0) -> float:
    """How steep a low-passed plane is, for its contrast; blur lowers it, and another exposure does not.

    noise: the standard deviation of the noise that it had before, which counts not.
    """
    down, across = np.gradient(soft)
    steep = float((down**2 + across**2).mean()) - _STEEP * noise**2
    varied = float(soft.var()) - VARIED * noise**2
    return steep / varied if steep > 0 and varied > max(1e-9, VARIED * noise**2) else 0.0


def box(plane: NDArray[Any], radius: int) -> Floats:
    """The mean over (2 radius + 1)^2 pixels of H W, at the border over those that are there mirrored."""
    size = 2 * radius + 1
    for axis in (0, 1):
        padded = np.pad(plane, [(radius + 1, radius) if n == axis else (0, 0) for n in (0, 1)], mode="symmetric")
        sums = padded.cumsum(axis, dtype=np.float64)
        plane = _differences(sums, size, axis) / size
    return plane.astype(np.float32)


def _differences(sums: NDArray[Any], size: int, axis: int) -> NDArray[Any]:
    length = sums.shape[axis]
    return sums.take(range(size, length), axis) - sums.take(range(length - size), axis)


def _size(frame: Frame) -> str:
    colour = "gray" if frame.shape.channels == 1 else "RGB"
    return f"{frame.shape.width} x {frame.shape.height} {colour}"
