"""A blur read from edges, where nothing else was done to an image: a small network over local spectra, run by numpy.

It says more than `statistics`, which have to do where noise and JPEG hide the edges. It weighs the places of a crop and
believes those that tell: an edge that was sharp says how far it was blurred, a flat place nothing.
Trained by zoo/edges.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from subpixel.analysis.estimator import Estimate
from subpixel.analysis.statistics import hann
from subpixel.analysis.windows import luma
from subpixel.images import Floats

SIDE, COUNT = 64, 24
"""Pixels along a crop that the network sees, and how many of an image it sees: those with most detail."""
SMALLEST = 48
"""Pixels along the shorter side of an image below which nothing is said."""
BLOCK, STEP = 8, 4
"""Pixels along a block whose spectrum is taken, and from one to the next."""
WIDEST = 1.1
"""Px^2 along the longer axis up to which it is believed; it was trained up to 1.3."""
NAMES = ("blur_xx", "blur_yy", "blur_xy")
UNIT = 0.1
"""Px^2 whose error is learned as 1."""
_ROUNDING = 1 / 12  # the variance that rounding to levels adds


@dataclass(frozen=True)
class Edges:
    """What the edges of an image say."""

    alone: float
    """Log odds that a blur, if any, is all that was done: that the image was not enlarged, moved, out of focus,
    sharpened, or reduced after noise or JPEG."""
    blur: dict[str, Estimate] | None
    """Its covariance by the names of NAMES, in px^2; None below even odds, or where it is wider than was trained on."""


def read_edges(levels: Floats) -> Edges | None:
    """Reads windows N H W C of an image, 0..255; None where it is too small."""
    if min(levels.shape[1:3]) < SMALLEST:
        return None
    spectra = local_spectra(_crops(luma(levels)))
    alone = float(_network("odds", spectra).mean())
    return Edges(alone, _covariance(spectra) if alone >= 0 else None)


def _covariance(spectra: Floats) -> dict[str, Estimate] | None:
    """The mean of what all crops say, each as far as it is sure; None where it is too wide."""
    values, logs = np.split(_network("numbers", spectra).astype(np.float64), 2, axis=1)
    weights = np.exp(-logs) / np.exp(-logs).sum(axis=0)
    means, spreads = (values * weights).sum(axis=0), UNIT * (np.exp(logs) * weights).sum(axis=0)
    if (means[0] + means[1]) / 2 + np.hypot((means[0] - means[1]) / 2, means[2]) > WIDEST:
        return None
    return {name: Estimate(float(v), float(s)) for name, v, s in zip(NAMES, means, spreads, strict=True)}


def local_spectra(crops: Floats) -> Floats:
    """N H W in levels -> N h w 39: log power of overlapping blocks at each frequency but 0, about in -2..2."""
    blocks = sliding_window_view(crops, (BLOCK, BLOCK), axis=(1, 2))[:, ::STEP, ::STEP]
    spectrum = np.fft.rfft2((blocks - blocks.mean(axis=(3, 4), keepdims=True)) * hann(BLOCK))
    power = spectrum.real**2 + spectrum.imag**2
    logs = np.log(power.reshape(*power.shape[:3], -1)[..., 1:] + _ROUNDING)
    return ((logs - 3) / 2.5).astype(np.float32)


def _crops(plane: Floats) -> Floats:
    """N H W -> those of its crops, half over one another, that have most detail."""
    _, height, width = plane.shape
    side = min(SIDE, height), min(SIDE, width)
    tops, lefts = (range(0, n - s + 1, SIDE // 2) for n, s in zip((height, width), side, strict=True))
    crops = np.concatenate([plane[:, y : y + side[0], x : x + side[1]] for y in tops for x in lefts])
    detail = sum(np.abs(np.diff(crops, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2))
    return crops[np.argsort(-detail, kind="stable")[:COUNT]]


def _network(head: str, spectra: Floats) -> Floats:
    """N h w 39 -> N 6, the numbers and the logarithms of how far off they are in UNIT; or N 1, log odds."""
    w = {name.removeprefix(f"{head}."): value for name, value in _weights().items() if name.startswith(head)}
    hidden = np.maximum(spectra @ w["mix"] + w["mix_bias"], 0)
    near = sliding_window_view(hidden, (3, 3), axis=(1, 2)).transpose(0, 1, 2, 4, 5, 3)  # channels last: copied faster
    hidden = np.maximum(np.tensordot(near, w["see"].transpose(1, 2, 0, 3), axes=3) + w["see_bias"], 0)
    hidden = np.maximum(hidden @ w["more"] + w["more_bias"], 0)
    hidden = hidden.reshape(len(hidden), -1, hidden.shape[-1])
    believed = hidden @ w["attend"]
    believed = np.exp(believed - believed.max(axis=1, keepdims=True))
    believed /= believed.sum(axis=1, keepdims=True)
    pooled = np.maximum((believed.transpose(0, 2, 1) @ hidden).reshape(len(hidden), -1) @ w["pool"] + w["pool_bias"], 0)
    return pooled @ w["out"] + w["out_bias"]


@cache
def _weights() -> dict[str, Floats]:
    with (resources.files("subpixel.analysis") / "edges.npz").open("rb") as file, np.load(file) as stored:
        return {name: stored[name].astype(np.float32) for name in stored.files}
