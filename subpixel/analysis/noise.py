"""Deviations of the DCT coefficients of the flattest 8x8 blocks, also where JPEG has quantised them.

White noise has one variance at all frequencies, while an image has little at high ones (Ponomarenko et al. 2007, "An
automatic approach to lossy compression of AVIRIS images", estimate it there). Where the steps q of a table are known,
each coefficient is the multiple q * round(c / q), and the deviation is the one under which the multiples that are seen
are most likely.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from subpixel.analysis import jpeg
from subpixel.analysis.windows import clipped
from subpixel.images import Floats

_RANGES = ((3, 4), (5, 6), (7, 8), (9, 14))
"""Sums of the two frequencies of a coefficient; 1 and 2 tell how flat a block is."""
_SHARES = (0.03, 0.1, 0.3)
_SHADES = (0, 64, 128, 192, 256)
_FEWEST = 12  # blocks
_ROUNDING = 1 / 12  # the variance of rounding
_SIGMAS = np.geomspace(0.2, 60, 100)
_FINE = ((5, 6), (9, 14))
"""Sums at which texture is told from noise."""
_TEXTURE = 3 * len(_FINE)  # numbers of a plane
COUNT = len(_RANGES) * (len(_SHARES) + 2) + 2 * (len(_SHADES) - 1) + 4 * _TEXTURE + 6
"""The length of the vector."""


def noise_statistics(levels: Floats, luma: Floats, chroma: Floats | None, quality: int) -> Floats:
    """COUNT numbers of N H W C in levels 0..255, whose JPEG grid, if any, begins at its corner.

    luma: the coefficients of its blocks, (blocks, 64). chroma: N H W 2, None where it is gray.

    Deviations in levels as asinh(2 x): of the luma in four ranges of frequency and the flattest 3, 10 and 30 % of the
    blocks, of Cb and Cr in the flattest 10 %, and of the flattest 10 % of each of four shades, with how many there are;
    what tells texture from noise, 0 where JPEG quantised it; and what the image is: clipped, large, compressed, in
    colour.
    """
    steps = jpeg.table(quality) if quality < 100 else None
    ends = jpeg.blocks(clipped(levels, 0.5, 254.5), (0, 0)).mean(axis=1)
    order = _flattest(luma, ends)
    deviations = [
        _deviation(luma[_first(order, share)], low, high, steps) for share in _SHARES for low, high in _RANGES
    ]
    flat = _first(order, 0.1)
    deviations += _of_chroma(chroma, flat)
    deviations += _of_shades(luma, order, steps)
    texture = _textures(luma, chroma, order) if steps is None else np.zeros(4 * _TEXTURE)
    about = [
        ends.mean(),
        np.log(len(luma)) / 4,
        (100 - quality) / 25,
        quality < 100,
        levels.shape[-1] / 3,
        _step(steps),
    ]
    return np.concatenate([np.arcsinh(2 * np.array(deviations)), texture, about]).astype(np.float32)


def expected(vector: Floats) -> Floats:
    """The deviations (..., 2) that COUNT numbers stand for in white noise: of a channel, of what channels do not share.

    The luma counts at the highest frequencies that a table left anything of. Y shows 0.447 of the variance of
    independent channels, Cb 0.388 and Cr 0.432: the sums of squares of the weights.
    """
    deviations = np.sinh(vector[..., : len(_RANGES) * (len(_SHARES) + 2)]) / 2
    ranges = deviations[..., 4:8]
    luma = ranges[..., 1]
    for k in (2, 3):
        luma = np.where(ranges[..., k] > 0.3 * ranges[..., 1], ranges[..., k], luma)
    compressed = vector[..., -3, None] > 0
    chroma = deviations[..., len(_SHARES) * len(_RANGES) :].reshape(*vector.shape[:-1], 2, -1)
    own = np.where(compressed, chroma[..., 0], chroma[..., -1]) ** 2 / (0.388, 0.432)
    unshared = np.maximum(own.mean(axis=-1) - _ROUNDING, 0)
    return np.sqrt(np.stack([luma**2 + 0.553 * unshared, unshared], axis=-1)).astype(np.float32)


def _flattest(luma: Floats, ends: NDArray[np.float64]) -> NDArray[np.int64]:
    """The blocks by their power at the lowest frequencies; those that are clipped only where few others are left."""
    kept = np.flatnonzero(ends < 0.1)
    kept = kept if len(kept) >= max(_FEWEST, len(ends) // 50) else np.arange(len(ends))
    low = (luma[kept][:, _between(1, 2)] ** 2).sum(axis=1)
    return kept[np.argsort(low, kind="stable")]


def _first(order: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    return order[: max(_FEWEST, int(share * len(order)))]


def _deviation(coefficients: Floats, low: int, high: int, steps: NDArray[np.int64] | None) -> float:
    """The deviation of the coefficients (blocks, 64) in a range of frequencies, in levels."""
    some = _between(low, high)
    if steps is None:
        return float(np.sqrt(np.median((coefficients[:, some] ** 2).mean(axis=1))))
    multiples = np.abs(coefficients[:, some] / steps[some]).round()
    counts = np.stack([(multiples == 0).sum(axis=0), (multiples == 1).sum(axis=0), (multiples > 1).sum(axis=0)])
    half = steps[some] / _SIGMAS[:, None] / 2
    zero, one = _inside(half), _inside(3 * half)
    probabilities = np.stack([zero, one - zero, 1 - one], axis=1)
    likelihood = (np.log(np.maximum(probabilities, 1e-9)) * counts).sum(axis=(1, 2))
    return float(_SIGMAS[likelihood.argmax()])


def _of_chroma(chroma: Floats | None, flat: NDArray[np.int64]) -> list[float]:
    if chroma is None:
        return [0.0] * (2 * len(_RANGES))
    return [_deviation(plane, low, high, None) for plane in _planes(chroma, flat) for low, high in _RANGES]


def _planes(chroma: Floats, some: NDArray[np.int64]) -> list[Floats]:
    """The coefficients (blocks, 64) of Cb and of Cr."""
    return [jpeg.blocks(chroma[..., n], (0, 0))[some] @ jpeg.dct() for n in (0, 1)]


def _textures(luma: Floats, chroma: Floats | None, order: NDArray[np.int64]) -> NDArray[np.float64]:
    """`_texture` of the luma in the flattest 10 and 30 % of the blocks, and of Cb and Cr in the latter, 0 without."""
    flat, some = _first(order, 0.1), _first(order, 0.3)
    planes = [luma[flat], luma[some], *([] if chroma is None else _planes(chroma, some))]
    told = np.concatenate([_texture(plane, *fine) for plane in planes for fine in _FINE])
    return np.pad(told, (0, 4 * _TEXTURE - len(told)))


def _texture(coefficients: Floats, low: int, high: int) -> NDArray[np.float64]:
    """Three numbers of blocks (n, 64) that are small for white noise, whose blocks are alike, and so are both axes.

    Of the power in a range of frequencies: logarithms of the 84th over the 16th percentile, of the median over the 3rd,
    and by how much more of it lies along one axis than along the other.
    """
    power, some = coefficients**2 + _ROUNDING, _between(low, high)
    least, few, half, many = np.quantile(power[:, some].mean(axis=1), (0.03, 0.16, 0.5, 0.84))
    down, across = np.divmod(np.arange(64), 8)
    leaning = np.log(power[:, some & (down > across)].mean(axis=1) / power[:, some & (down < across)].mean(axis=1))
    return np.array([np.log(many / few), np.log(half / least), np.median(np.abs(leaning))])


def _of_shades(luma: Floats, order: NDArray[np.int64], steps: NDArray[np.int64] | None) -> list[float]:
    """For each shade: the deviation at high frequencies, that of all where there are too few blocks, and the share."""
    brightness, deviations = luma[order, 0] / 8, list[float]()
    for low, high in pairwise(_SHADES):
        inside = order[(brightness >= low) & (brightness < high)]
        some = _first(inside if len(inside) >= _FEWEST else order, 0.1)
        deviations += [_deviation(luma[some], *_RANGES[-1 if steps is None else 0], steps), len(inside) / len(order)]
    return deviations


def _step(steps: NDArray[np.int64] | None) -> float:
    return 0.0 if steps is None else float(np.log(steps[_between(3, 4)].mean()))


def _between(low: int, high: int) -> NDArray[np.bool_]:
    total = np.add.outer(np.arange(8), np.arange(8)).ravel()
    return (total >= low) & (total <= high)


def _inside(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of a normal distribution within z deviations (Abramowitz and Stegun 7.1.26: erf to 1.5e-7)."""
    x = z / np.sqrt(2)
    t = 1 / (1 + 0.3275911 * x)
    powers = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 1 - powers * np.exp(-x * x)
