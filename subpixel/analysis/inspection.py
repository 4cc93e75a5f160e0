"""Looking at an image: what was done to it, from its pixels and, of a JPEG file, from its tables."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, cast

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import jpeg, pixel_art, screens
from subpixel.analysis.edges import Edges, read_edges
from subpixel.analysis.estimator import Estimate, estimate
from subpixel.analysis.report import UNKNOWN, Blur, DegradationReport, Jpeg, Noise
from subpixel.analysis.statistics import statistics
from subpixel.analysis.windows import Rows, Samples, is_toned, luma, windows
from subpixel.errors import BadRequest
from subpixel.images import AnimationReader, Floats, Image, ImageReader, open_any

if TYPE_CHECKING:
    import PIL.Image

SMALLEST = 40
"""Pixels along the shorter side below which nothing is said."""
SURE = 0.5
"""The confidence below which a part of the report is unknown."""
LIKELY, ABSENT = 0.8, 0.3
"""How likely noise and blur must be to be told, and how unlikely not to be there: in between they are unknown."""
CERTAIN = 0.96
"""How likely noise must be in an image that was never JPEG: to call a clean one noisy is the worst mistake."""
MOST_OF_ALL = 1.25
"""Times the deviation of the whole image: what noise may be, for an image may be nothing else."""
SHARP = 0.11
"""Px^2 of blur below which edges are as sharp as those of photos are."""
CAUTION = 0.25
"""Of its spread that a blur is told smaller: to undo a tenth of a pixel too much costs twice what too little costs."""
RESAMPLED_FLOOR = 0.1
OTHERS = -2.5
"""Log odds that a blur is all, below which what the spectra call a blur came with more; Gaussians of 2 px have -2.4."""


def inspect(image: Image | NDArray[Any] | PIL.Image.Image | str | Path | bytes | BinaryIO) -> DegradationReport:
    """What is wrong with an image: an Image, an array, a Pillow image, a file or its bytes.

    An array is H W or H W 1 to 4: uint8, uint16, or float in [0, 1]. Of an animation the first frame is looked at.

    Raises: UnreadableImage; BadRequest for what is no image.
    """
    if isinstance(image, np.ndarray):
        return inspect_rows(Samples.of(image))
    if isinstance(image, Image):
        return inspect_rows(Samples(image.samples, image.shape))
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(image, pillow.Image):
        return inspect(Image.from_pil(cast("PIL.Image.Image", image)))
    if not isinstance(image, str | Path | bytes) and not hasattr(image, "read"):
        given = f"an image of type {type(image).__name__}"
        raise BadRequest(f"{given}; expected an Image, an array, a Pillow image, a path, bytes or an open file")
    return inspect_rows(_first(open_any(cast("str | Path | bytes | BinaryIO", image))))


def _first(opened: ImageReader | AnimationReader) -> Rows:
    return opened if isinstance(opened, ImageReader) else Samples(next(opened.frames()), opened.shape)


def inspect_rows(source: Rows) -> DegradationReport:
    """What is wrong with an image whose rows can be asked for; of an opened JPEG file its tables are believed.

    Raises: BadRequest for channels that are neither gray nor RGB.
    """
    if source.shape.channels not in (1, 3):
        raise BadRequest(f"the image has {source.shape.channels} channels of colour; only gray and RGB are inspected")
    table = source.quantisation if isinstance(source, ImageReader) else None
    quality = None if table is None else jpeg.quality_of(np.array(table))
    levels = windows(source)
    if pixel_art.is_pixel_art(levels):  # hard edges on a lattice: neither noise nor blur, and no decoder's output
        return DegradationReport(kind="pixel-art")
    if min(levels.shape[1:3]) < SMALLEST or screens.repeats(levels) or screens.is_slope(levels):
        return UNKNOWN
    compressed = _jpeg(levels, quality)
    last = compressed or Jpeg()
    if last.quality == 100 and is_toned(levels):  # grain that a tone has coloured passes for texture
        levels = np.repeat(luma(levels)[..., None], 3, axis=-1)
    estimates = estimate(statistics(levels, last.quality, last.phase or (0, 0)))
    needed = LIKELY if last.quality < 100 else CERTAIN
    noise = _noise(estimates, needed, float(levels.std()), coloured=levels.shape[-1] == 3)
    untouched = compressed is not None and compressed.quality == 100 and noise is not None and not noise.sigma
    edges = read_edges(levels) if untouched else None
    halftone = screens.is_halftone(levels)
    return DegradationReport(
        kind="drawing" if estimates["drawn"].probability > 0.5 else "photo",
        jpeg=compressed,
        noise=noise,
        blur=None if halftone else _blur(estimates, edges),  # the dots have edges of their own
        native_scale=_native_scale(estimates["resampled"]),
        interlaced=screens.is_interlaced(levels),
        halftone=halftone,
        specks=screens.has_specks(levels),
    )


def _jpeg(levels: Floats, quality: int | None) -> Jpeg | None:
    """The last compression, which a file states itself, and one before it on another grid."""
    traces = jpeg.Traces(levels)
    grid = jpeg.find_grid(traces)
    if grid is None and quality is not None:
        return Jpeg(quality=quality, source="file")
    if grid is None:
        return Jpeg() if jpeg.can_tell(traces) else None
    earlier = jpeg.find_earlier(traces, grid)
    return Jpeg(
        quality=grid.quality if quality is None else quality,
        phase=grid.phase,
        source="pixels" if quality is None else "file",
        earlier=earlier.quality if earlier else None,
        confidence=grid.confidence if quality is None else 1.0,
    )


def _noise(estimates: dict[str, Estimate], needed: float, contrast: float, coloured: bool) -> Noise | None:
    """It may not vary more than the whole image does, as what test charts are taken for would."""
    sigma, chroma, noisy = estimates["sigma"], estimates["chroma"].value, estimates["noisy"].probability
    if noisy < needed or sigma.value <= 0:
        return Noise(confidence=1 - noisy) if noisy < ABSENT else None
    confidence = noisy * sigma.probability_within(max(2.0, sigma.value / 5))
    if confidence < SURE or sigma.value > MOST_OF_ALL * contrast:
        return None
    chroma = min(max(chroma, 0.0), sigma.value) if coloured else 0.0
    shot = min(max(estimates["shot"].value, 0.0), 1.0)
    return Noise(sigma=sigma.value, chroma=chroma, shot=shot, confidence=confidence)


def _blur(estimates: dict[str, Estimate], edges: Edges | None) -> Blur | None:
    """What the edges say of it, and else the spectra; unknown where more was done to the image than to blur it."""
    if edges and edges.blur:
        return _edge_blur(edges.blur)
    blur = _spectral_blur(estimates)
    several = edges is not None and edges.alone < OTHERS
    return None if several and blur and blur.xx + blur.yy else blur


def _spectral_blur(estimates: dict[str, Estimate]) -> Blur | None:
    blurred = estimates["blurred"].probability
    if blurred < LIKELY or _mean(estimates).value <= 0:
        return Blur(confidence=1 - blurred) if blurred < ABSENT else None
    return _covariance(estimates, "spectra", blurred)


def _edge_blur(estimates: dict[str, Estimate]) -> Blur | None:
    """What the edges say of it."""
    mean = _mean(estimates)
    if mean.value < SHARP:
        return Blur(source="edges", confidence=mean.probability_within(SHARP))
    return _covariance(estimates, "edges", 1.0, CAUTION)


def _mean(estimates: dict[str, Estimate]) -> Estimate:
    """Of its variances along the two axes."""
    xx, yy = estimates["blur_xx"], estimates["blur_yy"]
    return Estimate((xx.value + yy.value) / 2, (xx.spread + yy.spread) / 2)


def _covariance(
    estimates: dict[str, Estimate], source: Literal["spectra", "edges"], likely: float, caution: float = 0.0
) -> Blur | None:
    """The blur, less so much of its spread, where it is likely and sure to a quarter of a pixel."""
    mean = _mean(estimates)
    confidence = likely * mean.probability_within(0.5 * np.sqrt(mean.value))
    if confidence < SURE:
        return None
    across, down = (
        max(estimates[axis].value - caution * estimates[axis].spread, 0.0) for axis in ("blur_xx", "blur_yy")
    )
    limit = float(np.sqrt(across * down))
    xy = float(np.clip(estimates["blur_xy"].value, -limit, limit))
    return Blur(xx=across, yy=down, xy=xy, source=source, confidence=confidence)


def _native_scale(resampled: Estimate) -> float | None:
    if resampled.probability_within(0.1) < SURE:
        return None
    return 1 - min(resampled.value, 0.9) if resampled.value > max(RESAMPLED_FLOOR, 2 * resampled.spread) else 1.0
