"""Many frames of one scene, one image: registration, fusion tile by tile, and what it was worth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import Blur, DegradationReport, inspect_rows
from subpixel.analysis.edges import read_edges
from subpixel.analysis.windows import windows
from subpixel.burst import evidence
from subpixel.burst.evidence import Report
from subpixel.burst.frames import Frame, check_alike, find_duplicates
from subpixel.burst.sampling import REACH
from subpixel.burst.stack import stack_frames
from subpixel.burst.tiles import Scene
from subpixel.errors import BadRequest
from subpixel.images import Floats, Image, Metadata
from subpixel.inference.rows import Rows, as_floats
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape

Psf = float | Literal["auto"]

_CLEAN, _UNKNOWN = 0.38, 0.55
"""The PSF in pixels where no blur is found in a photo, and where it cannot be told."""
_PIXEL = 1 / 12
"""Px^2 of the extent of a pixel, which edges do not show: what they show comes on top."""
_HIDES = 1 / 255, 2 / 255
"""Noise up to which edges are believed, and from which on they are not: what is left of it passes for sharpness."""
_COARSE = 88
"""Qualities of JPEG below it take more than many frames give back: 1 dB at 85, 1.4 at 60."""
_PSF = (0.2, 5.0)
_SCALES = (1.0, 8.0)
_FINER = 2
"""How many times as large aliasing frames are fused whose own size is asked for: their pixels cannot hold the scene."""


@dataclass(frozen=True, eq=False)
class Fusion:
    """The image, the standard deviation (H, W) in [0, 1] that its error is believed to have, and how it was made."""

    image: Image
    uncertainty: Floats
    report: Report


class Burst:
    """Frames that are laid on each other: the result is computed band by band, when `bands` is asked for.

    Memory: the frames' levels, a byte for each of their pixels, and a band of the result.
    """

    def __init__(self, scene: Scene, report: Report, metadata: Metadata, shape: Shape) -> None:
        self.report, self.metadata, self.shape, self._scene = report, metadata, shape, scene

    def bands(self) -> Iterator[tuple[Floats, Floats]]:
        """The result from top to bottom: rows (n, W, C) in [0, 1], and their uncertainty (n, W)."""
        if self.report.kind == "cleaned":
            return self._scene.cleaned_bands()
        return self._scene.bands(fused=self.report.kind != "single")


def fuse(
    frames: Sequence[Image | NDArray[Any] | str | Path],
    scale: float = 2,
    *,
    psf: Psf = "auto",
    model: str | Path = "auto",
    reference: int | None = None,
) -> Fusion:
    """One image out of many frames of a scene, `scale` times as large.

    frames: Images, arrays as `Image.from_array` takes them, or files, of one size. psf: standard deviation of the blur
    that the frames have, in their pixels, the pixels' own extent included; "auto" looks. model: what enlarges the
    reference, from which the fusion starts and which is the result where nothing is gained. reference: the frame that
    the others are laid on; None: the sharpest of the largest number that show one scene.
    Raises: BadRequest, UnknownName, UnreadableImage, and what `Upscaler` raises.
    """
    upscaler = Upscaler(model, scale=scale)
    burst = prepare([Frame.of(frame, k) for k, frame in enumerate(frames, 1)], upscaler, psf, reference)
    bands = list(burst.bands())
    image = Image(np.concatenate([rows for rows, _ in bands]), None, burst.metadata)
    return Fusion(image, np.concatenate([deviation for _, deviation in bands]), burst.report)


def prepare(
    frames: Sequence[Frame],
    upscaler: Upscaler,
    psf: Psf = "auto",
    reference: int | None = None,
    on_progress: Callable[[str], object] | None = None,
) -> Burst:
    """Registers the frames and finds out what they are worth, as `fuse` does; on_progress is told of each.

    upscaler: enlarges the reference, and says by what factor.
    """
    scale = upscaler.factor
    check_alike(frames)
    _check(scale, psf, reference, len(frames))
    duplicates = find_duplicates(frames, reference or 0)
    distinct = [frame for frame in frames if frame not in duplicates]
    stack = stack_frames(distinct, None if reference is None else distinct.index(frames[reference]), on_progress)
    base = stack.frames[0].frame
    seen = base.inspected()
    width = psf if psf != "auto" else max(_narrowest(scale), _psf(seen.blur and (seen.blur.xx + seen.blur.yy) / 2))
    noise = float(np.median([each.noise for each in stack.frames[1:] or stack.frames]))
    plan = upscaler.prepare(base.shape, seen)
    scene = alone = Scene(stack.frames, scale, width, noise, as_floats(plan.rows(base)))
    if same_size := scale == 1 and width < evidence.ALIASES:
        plan = upscaler.prepare(base.shape, seen, sides=(_FINER * base.shape.height, _FINER * base.shape.width))
        scene = replace(alone, scale=_FINER, prior=as_floats(plan.rows(base)))
    left_out = [(frame.name, f"it is the same as {original.name}") for frame, original in duplicates.items()]
    left_out += [(distinct[k].name, why) for k, why in stack.left_out.items()]
    compressed = not DegradationReport(jpeg=seen.jpeg).clean
    cleaned = cache(partial(scene.cleaned, on_progress))
    if psf == "auto" and not compressed and noise < _HIDES[1] and len(stack.frames) > 1:
        told = np.interp(noise, _HIDES, (_psf_of_edges(cleaned()) or width, width))
        scene = replace(scene, psf=max(_narrowest(scale), float(told)))
    report = evidence.assess(scene, base.name, tuple(left_out))
    if psf == "auto" and seen.jpeg is not None and seen.jpeg.quality < _COARSE and len(stack.frames) > 1:
        report = replace(report, kind="single", coarse=seen.jpeg.quality)
    if report.kind == "single":
        return Burst(alone, report, base.metadata, alone.prior.shape)
    suits = upscaler.inspects or scene.psf < evidence.ALIASES  # the network to the blur
    if plan.steps and suits:
        found, sides = _seen_in(cleaned(), seen, compressed), (scene.prior.shape.height, scene.prior.shape.width)
        scene = replace(scene, prior=as_floats(upscaler.prepare(base.shape, found, sides=sides).rows(cleaned())))
    if same_size:
        report = replace(report, kind="cleaned")
    return Burst(scene, report, base.metadata, alone.prior.shape)


def _seen_in(cleaned: Rows, seen: DegradationReport, compressed: bool) -> DegradationReport:
    """What a network is told of the first frame without the noise that the fusion took off it: it errs less then.

    Of what inspection finds in such a frame a blur alone is believed, where it is not what JPEG took away.
    """
    blur = None if compressed else inspect_rows(cleaned).blur
    return DegradationReport(kind=seen.kind, blur=blur or Blur(), halftone=seen.halftone)


def _psf_of_edges(cleaned: Rows) -> float | None:
    """What the edges of the first frame tell of the PSF; None where they tell nothing.

    A sharper scene and a wider PSF explain frames as well: how sharp scenes are, no burst tells.
    """
    edges = read_edges(windows(cleaned))
    if edges is None or edges.blur is None:
        return None
    variance = (edges.blur["blur_xx"].value + edges.blur["blur_yy"].value) / 2
    return math.sqrt(_PIXEL + max(variance, 0.0))


def _psf(variance: float | None) -> float:
    """The PSF where `analysis` found a blur of this variance in px^2; None: it does not know."""
    if variance is None:
        return _UNKNOWN
    return max(_CLEAN, math.sqrt(variance))


def _check(scale: float, psf: Psf, reference: int | None, count: int) -> None:
    if not _SCALES[0] <= scale <= _SCALES[1]:
        raise BadRequest(f"scale {scale:g}; expected {_SCALES[0]:g} to {_SCALES[1]:g}")
    if psf != "auto" and not _PSF[0] <= psf <= _PSF[1]:
        raise BadRequest(f"psf {psf}; expected auto, or a standard deviation of {_PSF[0]:g} to {_PSF[1]:g} pixels")
    if psf != "auto" and psf < (least := _narrowest(scale)):
        raise BadRequest(f"psf {psf:g} is too narrow for scale {scale:g}; expected auto, {least:.3f} or more")
    if reference is not None and not 0 <= reference < count:
        raise BadRequest(f"reference {reference}; expected 0 to {count - 1}")


def _narrowest(scale: float) -> float:
    """The PSF in pixels of a frame below which the pixels of the result are too coarse to tell it."""
    return REACH / (_FINER if scale == 1 else scale)
