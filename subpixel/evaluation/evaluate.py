"""Any function from image to image, measured against references."""

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
from subpixel.datasets.layouts import find_layout
from subpixel.degradations import PRESETS, Degradation, Downsample, classical
from subpixel.errors import BadRequest, DataError, printable
from subpixel.evaluation.report import Report, Row
from subpixel.images import Floats, Image, dequantise, quantise
from subpixel.metrics.protocol import STANDARD, Protocol, modcrop
from subpixel.metrics.psnr import psnr
from subpixel.metrics.ssim import ms_ssim, ssim

Metric = Callable[[NDArray[Any], NDArray[Any]], float]

METRICS: Mapping[str, Metric] = MappingProxyType({"psnr": psnr, "ssim": ssim, "ms_ssim": ms_ssim})
"""The metrics that need nothing but two images, by name."""

DEFAULT_METRICS: Mapping[str, Metric] = MappingProxyType({"psnr": psnr, "ssim": ssim})
"""What the field's tables show."""

_NO_METRICS: Mapping[str, Metric] = MappingProxyType({})


@dataclass(frozen=True)
class Pair:
    """An image at low resolution and what it was made of, `scale` times as large."""

    name: str
    low: Image
    high: Image


def degraded(
    images: Iterable[tuple[str, Image]], scale: int, degradation: Degradation | None = None, seed: int = 0
) -> Iterator[Pair]:
    """Pairs out of references: cut to a multiple of the scale and degraded, by default as the benchmarks are.

    Image k draws its random numbers from (seed, k), so that every image can be made again alone.
    Raises: BadRequest for an image smaller than the scale, DataError if the degradation makes another size.
    """
    degradation = degradation or classical(scale)
    for k, (name, image) in enumerate(images):
        high = modcrop(image.pixels, scale)
        low = _for_depth(degradation, image.metadata.depth).apply(high, np.random.default_rng((seed, k)))
        if (low.shape[0] * scale, low.shape[1] * scale) != high.shape[:2]:
            got = f"{low.shape[1]}x{low.shape[0]}"
            raise DataError(f"{name}: {degradation} gives {got} pixels; expected 1/{scale} of the sides")
        yield Pair(name, Image(np.ascontiguousarray(low)), Image(np.ascontiguousarray(high)))


def _for_depth(degradation: Degradation, depth: int) -> Degradation:
    """The benchmarks' reduction works on 8-bit levels; that of deeper images on numbers, as in training."""
    if depth == 8 or not isinstance(degradation, Downsample) or degradation != classical(degradation.scale):
        return degradation
    return replace(degradation, round8=False)


def luma_of(image: Image) -> Image:
    """The Y of an image as a gray image, rounded to 8 bit: what networks for luma were published on."""
    if image.channels == 1:
        return image
    return Image(dequantise(quantise(color.luma(image.pixels), 8))[..., None])


def evaluate(
    upscale: Callable[[Image], Image],
    pairs: Iterable[Pair],
    scale: int,
    *,
    model: str = "model",
    dataset: str = "images",
    degradation: str = "as given",
    protocol: Protocol = STANDARD,
    metrics: Mapping[str, Metric] = DEFAULT_METRICS,
    colour: Mapping[str, Metric] = _NO_METRICS,
) -> Report:
    """Enlarges every image and compares it with its reference.

    metrics: name -> function of two images as `protocol.prepare` makes them. colour: the same for metrics that
    need H W 3, such as LPIPS: the protocol's luma is not taken for them, and gray images get three equal channels.
    Raises: DataError for no pairs, BadRequest naming the image whose result has another size.
    """
    in_rgb = replace(protocol, luma=False)
    rows: list[Row] = []
    for pair in pairs:
        try:
            upscaled = upscale(pair.low)
            compared = protocol.prepare(upscaled.pixels, pair.high.pixels, scale)
            values = {name: metric(*compared) for name, metric in metrics.items()}
            if colour:
                compared = in_rgb.prepare(_as_rgb(upscaled.pixels), _as_rgb(pair.high.pixels), scale)
                values |= {name: metric(*compared) for name, metric in colour.items()}
        except BadRequest as error:
            raise BadRequest(f"{dataset}/{pair.name}: {error}") from None
        if any(math.isnan(value) for value in values.values()):
            raise BadRequest(f"{dataset}/{pair.name}: the result of {model} holds values that are not numbers")
        names = printable(model), printable(dataset), scale, printable(pair.name)
        rows += [Row(*names, name, value) for name, value in values.items()]
    if not rows:
        raise DataError(f"{dataset}: no images to measure")
    measured = f"{protocol}; {', '.join(colour)}: RGB" if colour and protocol.luma else str(protocol)
    return Report(measured, degradation, tuple(rows))


def evaluate_folder(
    upscale: Callable[[Image], Image],
    folder: Path,
    scale: int,
    *,
    model: str = "model",
    degradation: Degradation | None = None,
    protocol: Protocol = STANDARD,
    metrics: Mapping[str, Metric] = DEFAULT_METRICS,
    colour: Mapping[str, Metric] = _NO_METRICS,
) -> Report:
    """`evaluate` on the HR images below a folder, each degraded (by default as the benchmarks are) and enlarged again.

    Raises: DataError for a folder without images, or a degradation that makes another size; UnreadableImage.
    """
    images = ((str(file.place), file.read()) for file in find_layout(folder, "valid").high)
    return evaluate(
        upscale,
        degraded(images, scale, degradation),
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
        return "bicubic (MATLAB's imresize of 8-bit images)"
    name = next((name for name, preset in PRESETS.items() if degradation == preset(scale)), None)
    return f"{name} (each image from its own seed)" if name else repr(degradation)


def _as_rgb(pixels: Floats) -> Floats:
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
