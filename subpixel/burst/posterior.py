"""The maximum a posteriori (MAP) image, given what many frames show and what one of them looks like enlarged.

The fine image x is the enlargement x0 of one frame plus an error e. Each frame is y = S B x + noise, S B as in
`sampling`; e is normal with a standard deviation p that follows the detail of x0, for that is where enlargements err.
The most likely e minimises sum w (y - S B (x0 + e))^2 / noise^2 + sum (e / p)^2, by conjugate gradients in u = e / p;
the trust w is Huber's, so that few wild pixels count little (Huber 1964; Farsiu et al. 2004 on why they must).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from subpixel.burst.frames import box
from subpixel.burst.sampling import REACH, Samples, blurred, multiplied
from subpixel.images import Floats

_STEPS = 12
"""Of conjugate gradients: few, for the last ones fit the noise."""
_FLOOR = 0.005
_PER_DETAIL = 1.0
"""p = hypot(_FLOOR, _PER_DETAIL x root mean square of the slope around a pixel)."""
_HUBER = 2.0
"""Standard deviations from which on a pixel counts less."""
_FREQUENCIES = (np.arange(8) + 0.5) / 16


@dataclass(frozen=True)
class Optics:
    """The PSF and the noise of the frames.

    sigma: standard deviation of the PSF in fine pixels. noise: of a pixel of a frame, in [0, 1].
    """

    sigma: float
    noise: float

    @property
    def blur(self) -> float:
        """What the interpolation leaves of the PSF."""
        return float(np.sqrt(max(0.0, self.sigma**2 - REACH**2)))


def map_estimate(prior: Floats, samples: Samples, optics: Optics, seen: bool = False) -> tuple[Floats, Floats]:
    """The most likely fine tile (C, H, W) and the standard deviation (H, W) of its error. prior: its enlargement.

    seen: of the error that the tile has as frames see it, through the PSF.
    """
    expected = _expected(prior).ravel()
    left = samples.values - samples.predicted(_seen(prior, optics))
    equations = _Equations.of(samples, left, np.ones(left.shape[1], np.float32))
    error = _error(expected, equations, optics, prior.shape)
    trust = _trust(left - samples.predicted(_seen(error, optics)))
    wild = trust < 1
    equations += _Equations.of(samples.of(wild), left[:, wild], trust[wild] - 1)
    error = _error(expected, equations, optics, prior.shape)
    rest = left - samples.predicted(_seen(error, optics))
    return prior + error, _deviation(expected.reshape(prior.shape[1:]), samples, trust, rest, optics, seen)


def prior_deviation(prior: Floats) -> Floats:
    """(H, W): what the error of an enlargement (C, H, W) is believed to be."""
    return _expected(prior)


def _expected(prior: Floats) -> Floats:
    down, across = np.gradient(prior.mean(axis=0))
    return np.sqrt(_FLOOR**2 + _PER_DETAIL**2 * box(down**2 + across**2, 3)).astype(np.float32)


def _seen(fine: Floats, optics: Optics) -> Floats:
    return blurred(fine, optics.blur).reshape(len(fine), -1)


@dataclass(frozen=True)
class _Equations:
    """The sum over samples of S' w S, as diagonals of a band matrix, and of S' w times what x0 leaves of the frames."""

    bands: dict[int, Floats]
    right: Floats

    @classmethod
    def of(cls, samples: Samples, left: Floats, trust: Floats) -> _Equations:
        return cls(samples.normal(trust), samples.spread(left * trust))

    def __add__(self, other: _Equations) -> _Equations:
        bands = {diagonal: band + other.bands[diagonal] for diagonal, band in self.bands.items()}
        return _Equations(bands, self.right + other.right)


def _error(expected: Floats, equations: _Equations, optics: Optics, shape: tuple[int, ...]) -> Floats:
    """The most likely e (C, H, W)."""
    precise = (expected / optics.noise**2).astype(np.float32)

    def adjoint(fine: Floats) -> Floats:
        return precise * _seen(fine.reshape(shape), optics)

    def system(u: Floats) -> Floats:
        return u + adjoint(multiplied(equations.bands, _seen((expected * u).reshape(shape), optics)))

    u = _conjugate_gradients(system, adjoint(equations.right))
    return (expected * u).reshape(shape)


def _conjugate_gradients(system: Callable[[Floats], Floats], right: Floats) -> Floats:
    solution, rest = np.zeros_like(right), right.copy()
    direction, power = rest.copy(), float((rest**2).sum())
    start = power
    for _ in range(_STEPS):
        if power <= 1e-7 * start:
            break
        image = system(direction)
        step = power / float((direction * image).sum())
        solution += step * direction
        rest -= step * image
        before, power = power, float((rest**2).sum())
        direction = np.add(rest, np.float32(power / before) * direction, dtype=np.float32)
    return solution


def _trust(rest: Floats) -> Floats:
    """Huber's weights of what is left (C, n)."""
    size = np.abs(rest).mean(axis=0)
    limit = _HUBER * 1.4826 * np.median(size)
    return np.minimum(1, limit / np.maximum(size, 1e-6)).astype(np.float32)


def _deviation(expected: Floats, samples: Samples, trust: Floats, rest: Floats, optics: Optics, seen: bool) -> Floats:
    """The standard deviation of what remains, frequency by frequency, as if all around were like here."""
    shape = expected.shape
    squares = (rest**2).mean(axis=0)
    counts = trust * samples.weights.sum(axis=0)
    weight = samples.spread(np.stack([counts, counts * squares]).astype(np.float32)).reshape(2, *shape)
    cover, unexplained = box(weight[0], 3), box(weight[1], 3)
    noise2 = np.maximum(optics.noise**2, unexplained / np.maximum(cover, 1e-3))
    information, prior = cover / noise2, 1 / expected**2
    transfer = np.exp(-((2 * np.pi * optics.sigma * _FREQUENCIES) ** 2) / 2) ** 2
    variance = sum((a * b if seen else 1) / (information * a * b + prior) for a in transfer for b in transfer)
    return np.sqrt(variance / len(transfer) ** 2).astype(np.float32)
