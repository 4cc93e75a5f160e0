"""Any function from picture to picture, measured against references."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel import color
from subpixel.datasets.pictures import found
from subpixel.degradations import Degradation, classical, real_world
from subpixel.errors import BadRequest, DataError
from subpixel.evaluation.report import Report, Row
from subpixel.image import Floats, Image, dequantise, quantise
from subpixel.metrics.protocol import FIELD, Protocol, modcrop
from subpixel.metrics.psnr import psnr
from subpixel.metrics.ssim import ms_ssim, ssim

Metric = Callable[[NDArray[Any], NDArray[Any]], float]

METRICS: Mapping[str, Metric] = MappingProxyType({"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim})
"""The metrics that need nothing but two pictures, by name."""

USUAL: Mapping[str, Metric] = MappingProxyType({"psnr": psnr, "ssim": ssim})
"""What the field's tables show."""

_NONE: Mapping[str, Metric] = MappingProxyType({})


@dataclass(frozen=True)
class Pair:
    """A picture at low resolution and what it was made of, `scale` times as large."""

    name: str
    low: Image
    high: Image


def degraded(
    pictures: Iterable[tuple[str, Image]], scale: int, degradation: Degradation | None = None, seed: int = 0
) -> Iterator[Pair]:
    """Pairs out of references: cut to a multiple of the scale and degraded, by default as the benchmarks are.

    Picture k draws its random numbers from (seed, k), so that every picture can be made again alone.
    Raises: BadRequest for a picture smaller than the scale, DataError if the degradation makes another size.
    """
    degradation = degradation or classical(scale)
    for k, (name, picture) in enumerate(pictures):
        high = modcrop(picture.pixels, scale)
        low = degradation.apply(high, np.random.default_rng((seed, k)))
        if (low.shape[0] * scale, low.shape[1] * scale) != high.shape[:2]:
            got = f"{low.shape[1]}x{low.shape[0]}"
            raise DataError(f"{name}: {degradation} gives {got} pixels; expected 1/{scale} of the sides")
        yield Pair(name, Image(np.ascontiguousarray(low)), Image(np.ascontiguousarray(high)))


def luma_of(picture: Image) -> Image:
    """The Y of a picture as a gray picture, rounded to 8 bit: what networks for luma were published on."""
    if picture.channels == 1:
        return picture
    return Image(dequantise(quantise(color.luma(picture.pixels), 8))[..., None])


def evaluate(
    upscale: Callable[[Image], Image],
    pairs: Iterable[Pair],
    scale: int,
    *,
    model: str = "model",
    dataset: str = "pictures",
    degradation: str = "as given",
    protocol: Protocol = FIELD,
    metrics: Mapping[str, Metric] = USUAL,
    colour: Mapping[str, Metric] = _NONE,
) -> Report:
    """Enlarges every picture and compares it with its reference.

    metrics: name -> function of two pictures as `protocol.prepare` makes them. colour: the same for metrics that
    need H W 3, such as LPIPS: the protocol's luma is not taken for them, and gray pictures get three equal channels.
    Raises: DataError for no pairs, BadRequest naming the picture whose result has another size.
    """
    in_rgb = replace(protocol, luma=False)
    rows: list[Row] = []
    for pair in pairs:
        try:
            upscaled = upscale(pair.low)
            both = protocol.prepare(upscaled.pixels, pair.high.pixels, scale)
            values = {name: metric(*both) for name, metric in metrics.items()}
            if colour:
                both = in_rgb.prepare(_three(upscaled.pixels), _three(pair.high.pixels), scale)
                values |= {name: metric(*both) for name, metric in colour.items()}
        except BadRequest as error:
            raise BadRequest(f"{dataset}/{pair.name}: {error}") from None
        if any(math.isnan(value) for value in values.values()):
            raise BadRequest(f"{dataset}/{pair.name}: the result of {model} holds values that are not numbers")
        rows += [Row(model, dataset, scale, pair.name, name, value) for name, value in values.items()]
    if not rows:
        raise DataError(f"{dataset}: no pictures to measure")
    how = f"{protocol}; {', '.join(colour)}: RGB" if colour and protocol.luma else str(protocol)
    return Report(how, degradation, tuple(rows))


def evaluate_folder(
    upscale: Callable[[Image], Image],
    folder: Path,
    scale: int,
    *,
    model: str = "model",
    degradation: Degradation | None = None,
    protocol: Protocol = FIELD,
    metrics: Mapping[str, Metric] = USUAL,
    colour: Mapping[str, Metric] = _NONE,
) -> Report:
    """`evaluate` on the photos below a folder, each degraded (by default as the benchmarks are) and enlarged again.

    Raises: DataError for a folder without pictures, or a degradation that makes another size; UnreadableImage.
    """
    pictures = ((str(file.place), file.read()) for file in found(folder))
    return evaluate(
        upscale,
        degraded(pictures, scale, degradation),
        scale,
        model=model,
        dataset=folder.resolve().name,
        degradation=described(degradation or classical(scale), scale),
        protocol=protocol,
        metrics=metrics,
        colour=colour,
    )


def described(degradation: Degradation, scale: int) -> str:
    """A degradation for a report: a preset in words, another one as the code that makes it."""
    if degradation == classical(scale):
        return "bicubic (MATLAB's imresize of 8-bit pictures)"
    if degradation == real_world(scale):
        return "real-world (Real-ESRGAN's second order; each picture from its own seed)"
    return repr(degradation)


def _three(pixels: Floats) -> Floats:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
