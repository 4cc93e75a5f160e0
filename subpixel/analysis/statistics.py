"""What noise and blur leave in the spectra of small blocks, as one vector of numbers for the estimator."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import jpeg
from subpixel.analysis.noise import COUNT, noise_statistics
from subpixel.analysis.windows import luma
from subpixel.images import Floats

SIDE = 32
"""Pixels along a block."""
_DENSE = 2**18  # pixels up to which blocks overlap by half
_BANDS = (0, 1, 2, 3, 4, 6, 8, 11, 14, 17)  # first frequency of each band, in cycles a block
_SHARES = ((0.0, 0.1), (0.1, 0.4), (0.75, 1.0))  # of the blocks, from the flattest to the busiest
GROUPS = len(_SHARES)
_SHADES = (0, 64, 128, 192, 256)
_ROUNDING = 1 / 12  # the variance that rounding to levels adds, below which nothing is said
_CHROMA = np.array([[-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32).T
"""RGB to Cb and Cr (JFIF)."""


def statistics(levels: Floats, quality: int = 100, phase: tuple[int, int] = (0, 0)) -> Floats:
    """A vector of N H W C in levels 0..255, at least SIDE + 8 pixels a side; quality and phase: of its JPEG grid.

    Mean log power of the luma in bands of the two frequencies, for the flattest, flat and busy blocks; of the chroma
    in rings; of the flat blocks of each shade; of the DCT that JPEG quantised; and how much is clipped, how large the
    image is and how compressed.
    """
    levels = levels[:, phase[0] :, phase[1] :]
    plane = luma(levels)
    chroma = levels @ _CHROMA if levels.shape[-1] == 3 else None
    coefficients = jpeg.blocks(plane, (0, 0)) @ jpeg.dct()
    blocks = _blocks(plane)
    clipped = ((blocks <= 0.5) | (blocks >= 254.5)).mean(axis=(1, 2))
    spectra = _log_power(blocks)
    order = _by_detail(spectra, clipped)
    parts = [_mean(spectra[some]).ravel() for some in _groups(order)]
    parts += [_chroma(chroma, order), _shades(spectra, blocks.mean(axis=(1, 2)), order), _quantised(coefficients)]
    about = [clipped.mean(), np.log(len(blocks)), (100 - quality) / 25, float(quality < 100), levels.shape[-1] / 3]
    noise = noise_statistics(levels, coefficients, chroma, quality)
    return np.concatenate([*parts, np.array(about, np.float32), noise]).astype(np.float32)


def derived(vector: Floats) -> Floats:
    """The numbers (..., n) of `statistics` without those of noise, but with what noise leaves of the busy blocks.

    Appended is the log power of busy blocks from which that of the flattest was taken.
    """
    spectra = vector[..., :-COUNT]
    power = np.exp(spectra[..., : GROUPS * 17 * 9].reshape(*vector.shape[:-1], GROUPS, -1))
    left = np.maximum(power[..., 2, :] - power[..., 0, :], 0.03 * power[..., 2, :])
    return np.concatenate([spectra, np.log(left)], axis=-1).astype(np.float32)


def _blocks(plane: Floats) -> Floats:
    """N H W -> blocks of SIDE x SIDE that cover it."""
    step = SIDE // 2 if plane.size <= _DENSE else SIDE
    views = np.lib.stride_tricks.sliding_window_view(plane, (SIDE, SIDE), axis=(1, 2))[:, ::step, ::step]
    return views.reshape(-1, SIDE, SIDE)


def _log_power(blocks: Floats) -> Floats:
    """(blocks, 17 bands down, 9 across): log of the mean power, 1 for white noise of one level; Hann windows."""
    centred = (blocks - blocks.mean(axis=(1, 2), keepdims=True)) * hann(SIDE)
    spectrum = np.fft.rfft2(centred)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    down, across = _pooling()
    return np.log(down @ power @ across + np.float32(_ROUNDING))


def _by_detail(spectra: Floats, clipped: NDArray[np.float64]) -> NDArray[np.int64]:
    """The blocks from the flattest to the busiest; those that are clipped are left out where others are left."""
    kept = np.flatnonzero(clipped < 0.05)
    kept = kept if len(kept) >= max(8, len(clipped) // 20) else np.arange(len(clipped))
    return kept[np.argsort(spectra[kept].mean(axis=(1, 2)), kind="stable")]


def _groups(order: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    count = len(order)
    return [order[int(low * count) : max(int(low * count) + 1, int(high * count))] for low, high in _SHARES]


def _mean(spectra: Floats) -> Floats:
    return spectra.mean(axis=0)


def _chroma(chroma: Floats | None, order: NDArray[np.int64]) -> Floats:
    """Log power of Cb and Cr in rings, of the flattest fifth of the blocks; that of no noise in a gray image."""
    flat = order[: max(1, len(order) // 5)]
    if chroma is None:
        return np.full(2 * len(_rings()), np.log(_ROUNDING), np.float32)
    planes = np.moveaxis(chroma, -1, 0)
    return np.concatenate([_rings() @ _mean(_log_power(_blocks(plane)[flat])).ravel() for plane in planes])


def _shades(spectra: Floats, brightness: Floats, order: NDArray[np.int64]) -> Floats:
    """For each of four shades: log power at high frequencies of its flattest quarter, and the share of the blocks."""
    high = spectra[:, :, 6:].mean(axis=(1, 2))
    energies: list[float] = []
    for low, top in pairwise(_SHADES):
        inside = order[(brightness[order] >= low) & (brightness[order] < top)]
        flat = inside[: max(1, len(inside) // 4)]
        overall = order[: max(1, len(order) // 4)]
        energies += [float(high[flat if len(flat) else overall].mean()), len(inside) / len(order)]
    return np.array(energies, np.float32)


def _quantised(coefficients: Floats) -> Floats:
    """Log power of the DCT of 8x8 blocks along its diagonals, for the flattest quarter of the blocks and the next."""
    power = coefficients**2
    detail = power[:, 1:].sum(axis=1)
    diagonal = np.add.outer(np.arange(8), np.arange(8)).ravel()
    sums = power[np.argsort(detail, kind="stable")] @ (diagonal[:, None] == np.arange(1, 15)).astype(np.float32)
    means = sums / np.bincount(diagonal)[1:]
    quarter = max(1, len(means) // 4)
    parts = [means[:quarter].mean(axis=0), means[quarter : 2 * quarter + 1].mean(axis=0)]
    return np.log(np.concatenate(parts) + _ROUNDING).astype(np.float32)


@cache
def hann(side: int) -> Floats:
    """Hann's window of `side` x `side`, without the zeros at its rim; its squares sum to 1."""
    one = np.hanning(side + 2)[1:-1]
    window = np.outer(one, one)
    return (window / np.sqrt((window**2).sum())).astype(np.float32)


@cache
def _pooling() -> tuple[Floats, Floats]:
    """Means over bands: (17, 32) down, from the most negative frequencies up, and (17, 9) across."""
    size = np.minimum(np.searchsorted(_BANDS, np.arange(17), side="right") - 1, 8)
    across = (size[:, None] == np.arange(9)).astype(np.float32)
    frequency = np.fft.fftfreq(SIDE, 1 / SIDE).astype(int)
    signed = np.sign(frequency) * size[np.abs(frequency)]
    down = (np.arange(-8, 9)[:, None] == signed).astype(np.float32)
    return down / down.sum(axis=1, keepdims=True), across / across.sum(axis=0)


@cache
def _rings() -> Floats:
    """(6, 17 * 9): means over rings of the bands."""
    radius = np.hypot(*np.meshgrid(np.arange(-8, 9), np.arange(9), indexing="ij")).ravel()
    ring = np.clip((radius / 1.6).astype(int), 0, 5)
    rings = (ring == np.arange(6)[:, None]).astype(np.float32)
    return rings / rings.sum(axis=1, keepdims=True)
