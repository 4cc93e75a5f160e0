"""Registration: phase correlation for a start, then the enhanced correlation coefficient (ECC) from coarse to fine.

ECC: Evangelidis and Psarakis 2008, "Parametric image alignment using enhanced correlation coefficient maximization",
IEEE TPAMI 30(10), the forward additive form. It does not mind another exposure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from subpixel.burst.frames import box
from subpixel.burst.motion import Motion, inside, sample
from subpixel.images import Floats

Kind = Literal["translation", "euclidean", "affine"]

_POINTS = 400_000
"""Pixels that are compared at most; of larger frames every second, third ... in both directions."""
_SMALLEST = 32  # pixels along the shorter side of the coarsest level
_GLANCE = 2**12  # pixels of a copy that shows at a glance what is in a frame
_FLAT = 6  # pixels of it around one whose mean says nothing: light above and dark below is in many scenes
_ITERATIONS = 25
_WILD = 6.0  # standard deviations at which a pixel counts a quarter
_STILL = 2e-3  # pixels: a step that moves no corner farther is the last
_BETTER = 0.99  # of what a translation leaves unexplained, at most, an affine motion must leave
_BENDS = 0.2**2, 0.5**2  # px^2 by which neighbours are expected to move apart
_TORN = 0.18  # pixels for each between neighbours: water is smooth, objects are not
_ALIKE = 13  # pixels that share their noise
_ROUNDS = 3
_ROLLS = 0.08  # pixels of root mean square from which on rows or parts are believed to move by themselves


@dataclass(frozen=True, eq=False)
class Registered:
    """A frame's motion, and the correlation coefficient (-1 to 1) of what then lies on each other."""

    motion: Motion
    correlation: float

    @property
    def wobble(self) -> float:
        """What a rolling shutter adds, or what sways, as root mean square in pixels."""
        return float(np.sqrt((self.motion.wobble**2).sum(axis=2).mean()))

    @property
    def sways(self) -> bool:
        """Whether places move by themselves, and not only rows."""
        return self.motion.wobble.shape[1] > 1


@dataclass(frozen=True)
class _Parts:
    """What moves by itself: bands of rows, where a shutter rolls, or patches, in water and hot air.

    side: pixels of one at least, of which there are `most` along a side. tells: of what is strange without their
    shifts, what they must leave at most; 0.9 is chance, and 0.8 an object that moves.
    """

    side: int
    most: int
    tells: float
    rows: bool

    def grid(self, shape: tuple[int, ...]) -> tuple[int, int]:
        """How many there are from top to bottom and from left to right."""
        down, across = (min(self.most, length // self.side) for length in shape)
        return down, 1 if self.rows else max(1, across)


_ROWS, _PATCHES = _Parts(8, 24, 0.7, rows=True), _Parts(12, 16, 0.8, rows=False)


@dataclass(frozen=True, eq=False)
class _Level:
    """One size of a frame and its reference: the pixels that are compared, and the reference with its gradients."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    template: Floats
    planes: Floats

    @classmethod
    def of(cls, frame: Floats, reference: Floats) -> _Level:
        stride = max(1, round((frame.size / _POINTS) ** 0.5))
        height, width = frame.shape
        y, x = (axis.ravel() for axis in np.mgrid[0:height:stride, 0:width:stride])
        down, across = np.gradient(reference)
        return cls(x.astype(np.float64), y.astype(np.float64), frame[y, x], np.stack([reference, across, down]))


def register(frame: Floats, reference: Floats) -> Registered:
    """The motion from a frame (H W, luma) to a reference of the same size.

    A translation where that explains as much, else an affine motion; and rows that move by themselves if they do.
    """
    levels = [(low_pass(frame), low_pass(reference))]
    while min(levels[-1][0].shape) >= 2 * _SMALLEST:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    start = next((pair for pair in levels if pair[0].size <= 2**18), levels[-1])
    motion = Motion.shift(*phase_correlation(*start)).reduced(start[0].shape[0] / frame.shape[0])
    for factor in range(len(levels) - 1, 0, -1):
        kinds: tuple[Kind, ...] = ("translation", "euclidean") if factor == len(levels) - 1 else ("euclidean",)
        for kind in kinds:
            result, _ = _ecc(_Level.of(*levels[factor]), motion.reduced(2**factor), kind)
            motion = result.reduced(0.5**factor)
    finest = _Level.of(*levels[0])
    affine, reached = _ecc(finest, _ecc(finest, motion, "euclidean")[0], "affine")
    middle = np.array([[(n - 1) / 2] for n in frame.shape[::-1]])
    shift, correlation = _ecc(finest, Motion.shift(*(np.ravel(affine(*middle)) - middle.ravel())), "translation")
    if 1 - correlation <= (1 - reached) / _BETTER:
        affine, reached = shift, correlation
    registered = _wobbling(finest, Registered(affine, reached), frame.shape, _ROWS)
    return _wobbling(finest, registered, frame.shape, _PATCHES)


def phase_correlation(frame: Floats, reference: Floats) -> tuple[float, float]:
    """The shift in x and y that lays a frame (H W) on its reference (Kuglin and Hines 1975), to about 0.1 pixels."""
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in frame.shape))
    spectra = [np.fft.rfft2((plane - plane.mean()) * window) for plane in (reference, frame)]
    cross = spectra[0] * spectra[1].conj()
    peaks = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-12 * np.abs(cross).max() + 1e-30), frame.shape)
    top, left = np.unravel_index(int(peaks.argmax()), peaks.shape)
    rows, columns = peaks[:, left], peaks[top]
    return _peak(columns, int(left)), _peak(rows, int(top))


def small(frame: Floats) -> Floats:
    """A copy of a frame (H W, luma) of about 64 x 64 pixels, without what is flat in it, for `similarity`."""
    copy = low_pass(frame)
    while copy.size > _GLANCE and min(copy.shape) >= 2 * _SMALLEST:
        copy = _halved(copy)
    return copy - box(copy, _FLAT)


def similarity(frame: Floats, reference: Floats) -> float:
    """The correlation coefficient of small copies (H W), laid on each other by phase correlation; 0 for flat ones."""
    if not (frame.std() and reference.std()):
        return 0.0
    return _correlation(_Level.of(frame, reference), Motion.shift(*phase_correlation(frame, reference)))


def low_pass(plane: Floats) -> Floats:
    """H W, blurred by about one pixel: below that, aliasing frames do not look alike."""
    for axis in (0, 1):
        padded = np.pad(plane, [(2, 2) if axis == n else (0, 0) for n in (0, 1)], mode="edge")
        length = plane.shape[axis]
        parts = [padded.take(range(k, k + length), axis) * np.float32(w) for k, w in enumerate((1, 4, 6, 4, 1))]
        plane = sum(parts[1:], parts[0]) / np.float32(16)
    return plane


def _peak(line: NDArray[Any], at: int) -> float:
    """The place of a peak, by a parabola through it and its neighbours; places in the second half are negative."""
    before, here, after = line[at - 1], line[at], line[(at + 1) % len(line)]
    bend = before - 2 * here + after
    place = at + (0.5 * (before - after) / bend if bend < 0 else 0.0)
    return float(place - len(line) if place > len(line) / 2 else place)


def _halved(plane: Floats) -> Floats:
    height, width = (n // 2 for n in plane.shape)
    return plane[: 2 * height, : 2 * width].reshape(height, 2, width, 2).mean(axis=(1, 3), dtype=np.float32)


def _ecc(level: _Level, motion: Motion, kind: Kind) -> tuple[Motion, float]:
    """The motion of a kind that is best from a start, and the correlation coefficient at the last step."""
    middle = np.array([level.x.max(), level.y.max()]) / 2
    correlation, left = -1.0, np.zeros(level.x.shape)
    for _ in range(_ITERATIONS):
        x, y = motion(level.x, level.y)
        valid = inside(level.planes.shape, x, y, 1)
        if valid.sum() < 64:
            return motion, -1.0
        image, *slopes = sample(level.planes, x[valid], y[valid]).astype(np.float64)
        u, v = (place[valid] - centre for place, centre in zip((level.x, level.y), middle, strict=True))
        template = level.template[valid].astype(np.float64)
        jacobian = _jacobian(kind, slopes, u, v, motion)
        change, correlation, left[valid] = _step(template, image, jacobian, _trust(left[valid]))
        if change is None:
            return motion, correlation
        motion = _moved(motion, kind, change, middle)
        if _reach(kind, change, middle) < _STILL:
            break
    return motion, correlation


def _step(
    template: NDArray[Any], image: NDArray[Any], jacobian: NDArray[Any], trust: NDArray[Any]
) -> tuple[NDArray[np.float64] | None, float, NDArray[Any]]:
    """The change of the parameters (equations 19 to 21), the correlation now, and what is left at each point."""
    share = trust / trust.sum()
    template, image = template - template @ share, image - image @ share
    jacobian = jacobian - (jacobian @ share)[:, None]
    weighted = jacobian * trust
    norms = float(np.sqrt((template @ (trust * template)) * (image @ (trust * image))))
    correlation = float(template @ (trust * image)) / norms if norms else -1.0
    hessian = weighted @ jacobian.T
    hessian += (1e-9 * np.trace(hessian) / len(hessian) + 1e-12) * np.eye(len(hessian))
    of_image, of_template = weighted @ image, weighted @ template
    solved = np.linalg.solve(hessian, of_image)
    above, below = image @ (trust * image) - of_image @ solved, template @ (trust * image) - of_template @ solved
    if below <= 0 or above <= 0:
        return None, correlation, template
    left = above / below * template - image
    return np.linalg.solve(hessian, weighted @ left), correlation, left


def _trust(left: NDArray[Any]) -> NDArray[Any]:
    """The weights of Geman and McClure: what moves by itself pulls little."""
    limit = _WILD * 1.4826 * np.median(np.abs(left)) + 1e-9
    return 1 / (1 + (left / limit) ** 2) ** 2


def _jacobian(kind: Kind, slopes: list[NDArray[Any]], u: NDArray[Any], v: NDArray[Any], motion: Motion) -> NDArray[Any]:
    """How the image's values change with each parameter; u and v are counted from the middle."""
    gx, gy = slopes
    if kind == "translation":
        return np.stack([gx, gy])
    if kind == "euclidean":
        p, q = motion.matrix[:, :2] @ np.stack([u, v])
        return np.stack([gx, gy, gx * q - gy * p])
    return np.stack([gx, gy, gx * u, gx * v, gy * u, gy * v])


def _moved(motion: Motion, kind: Kind, change: NDArray[np.float64], middle: NDArray[np.float64]) -> Motion:
    """The motion after a change of its parameters."""
    linear, target = motion.matrix[:, :2], motion.matrix @ [*middle, 1] + change[:2]
    if kind == "euclidean":
        c, s = np.cos(change[2]), np.sin(change[2])
        linear = np.array([[c, s], [-s, c]]) @ linear
    elif kind == "affine":
        linear = linear + change[2:].reshape(2, 2)
    return replace(motion, matrix=np.column_stack([linear, target - linear @ middle]))


def _reach(kind: Kind, change: NDArray[np.float64], middle: NDArray[np.float64]) -> float:
    """How far a corner moves."""
    turned = {"translation": 0.0, "euclidean": abs(change[2:3]).sum(), "affine": np.abs(change[2:]).max(initial=0)}
    return float(np.abs(change[:2]).max() + turned[kind] * middle.max())


def _wobbling(level: _Level, registered: Registered, shape: tuple[int, ...], parts: _Parts) -> Registered:
    """With the shifts of parts, if they are more than chance: each is a step of ECC by itself."""
    (height, width), (n, m) = shape, parts.grid(shape)
    if n < 4 or registered.correlation < 0.5:
        return registered
    before = registered.motion
    start = sample(before.wobble[:, :1].transpose(2, 0, 1), np.zeros(n), np.linspace(0, len(before.wobble) - 1, n))
    motion = replace(before, wobble=np.repeat(start.T[:, None], m, axis=1), height=height, width=width)
    for _ in range(_ROUNDS):
        for _ in range(3):
            motion = replace(motion, wobble=motion.wobble + _steps_of_parts(level, motion))
        if m == 1:
            motion, _ = _ecc(level, motion, "affine")
    left, still_left = (_left(level, each) for each in (before, motion))
    limit2 = (_WILD * 1.4826 * np.median(np.abs(left))) ** 2 + 1e-9
    strange, still_strange = (float((each**2 / (limit2 + each**2)).mean()) for each in (left, still_left))
    found = Registered(motion, _correlation(level, motion))
    believed = still_strange < parts.tells * strange and found.wobble > _ROLLS and _tear(motion) < _TORN
    return found if believed else registered


def _tear(motion: Motion) -> float:
    """How far neighbours along the rows of a wobble move apart at most, for their distance: objects tear the scene."""
    apart = np.hypot(*np.diff(motion.wobble, axis=1).transpose(2, 0, 1))
    return float(apart.max(initial=0)) * apart.shape[1] / motion.width


def _left(level: _Level, motion: Motion) -> NDArray[Any]:
    """What a motion leaves of the frame."""
    x, y = motion(level.x, level.y)
    valid = inside(level.planes.shape, x, y, 1)
    return _exposed_alike(level.template[valid], sample(level.planes[0], x[valid], y[valid]))


def _steps_of_parts(level: _Level, motion: Motion) -> NDArray[np.float64]:
    """(n, m, 2): how far what is around each node of the wobble still is from its place, whatever its exposure."""
    n, m = motion.wobble.shape[:2]
    x, y = motion(level.x, level.y)
    valid = inside(level.planes.shape, x, y, 1)
    image, gx, gy = sample(level.planes, x[valid], y[valid]).astype(np.float64)
    column, row = (np.rint(at[valid]).astype(int) for at in motion.nodes(level.x, level.y))
    difference = _exposed_alike(level.template[valid], image)
    noise2 = (1.4826 * np.median(np.abs(difference))) ** 2 + 1e-9
    trust = 1 / (1 + difference**2 / (_WILD**2 * noise2 + gx * gx + gy * gy)) ** 2  # a pixel's way is not yet wild
    products = (gx * gx, gx * gy, gy * gy, gx * difference, gy * difference)
    xx, xy, yy, bx, by = (np.bincount(row * m + column, trust * product, n * m) for product in products)
    wobble, grid = motion.wobble.reshape(n * m, 2), _laplacian(n, m)
    expected = np.clip(2 * np.trace(wobble.T @ grid @ wobble) / np.trace(grid), *_BENDS)
    bends = _ALIKE * noise2 / expected * grid
    system = np.block([[bends + np.diag(xx), np.diag(xy)], [np.diag(xy), bends + np.diag(yy)]])
    system[np.diag_indices(2 * n * m)] += 1e-9 * np.trace(system) / len(system)
    pulled = np.stack([bx, by]) - (bends @ wobble).T
    return np.linalg.solve(system, pulled.ravel()).reshape(2, n, m).transpose(1, 2, 0)


def _laplacian(n: int, m: int) -> NDArray[np.float64]:
    """(n m, n m): of a grid, w' L w is the sum of the squares of the differences between its neighbours."""
    down, across = (np.diff(np.eye(length), axis=0) for length in (n, m))
    return np.kron(down.T @ down, np.eye(m)) + np.kron(np.eye(n), across.T @ across)


def _exposed_alike(template: Floats, image: NDArray[Any]) -> NDArray[Any]:
    """What an image leaves of its template, after their middles and contrasts are laid on each other."""
    template, image = (values - np.median(values) for values in (template, image))
    return template * (np.abs(image).mean() / max(float(np.abs(template).mean()), 1e-9)) - image


def _correlation(level: _Level, motion: Motion) -> float:
    x, y = motion(level.x, level.y)
    valid = inside(level.planes.shape, x, y, 1)
    return float(np.corrcoef(level.template[valid], sample(level.planes[0], x[valid], y[valid]))[0, 1])
