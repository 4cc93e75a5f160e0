"""Bursts made of photos, whose truth is known: what fusion makes of them, beside one frame, their mean and drizzle."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from subpixel.burst import Fusion, Motion, fuse
from subpixel.burst.registration import register
from subpixel.color import luma
from subpixel.degradations import GaussianBlur, Jpeg
from subpixel.images import Floats, Image, dequantise, quantise
from subpixel.inference.upscaler import Upscaler
from subpixel.metrics.protocol import STANDARD
from subpixel.metrics.psnr import psnr

Levels = NDArray[np.uint8]
_BORDER = 12  # pixels of the truth that are not measured, a multiple of each scale: not every frame shows them
_OBJECT = 0.12
"""The radius of the object that moves, as a share of the shorter side."""


@dataclass(frozen=True)
class Setting:
    """How a burst is taken: lengths in pixels of a frame, noise in levels.

    psf: standard deviation of the blur, the pixel's extent included. degrees: the largest turn. wobble: amplitude of
    what a rolling shutter adds. quality: of JPEG; 0: none. moving: whether an object crosses the scene.
    """

    name: str
    count: int = 8
    psf: float = 0.4
    noise: float = 4.0
    degrees: float = 0.0
    wobble: float = 0.0
    quality: int = 0
    moving: bool = False


SETTINGS = (
    Setting("4 frames, noise 2", 4, noise=2),
    Setting("8 frames, noise 2", 8, noise=2),
    Setting("16 frames, noise 2", 16, noise=2),
    Setting("8 frames, noise 5", 8, noise=5),
    Setting("8 frames, noise 10", 8, noise=10),
    Setting("8 frames, turned up to 1 degree", degrees=1.0),
    Setting("8 frames, rolling shutter of 0.5 px", wobble=0.5),
    Setting("8 frames, JPEG 90", noise=2, quality=90),
    Setting("8 frames, an object moves", moving=True),
    Setting("8 frames, blur 0.6 px", psf=0.6),
    Setting("8 frames, blur 1.2 px", psf=1.2),
)
"""What the table has."""


@dataclass(frozen=True)
class Line:
    """One setting: Y-PSNR by method, registration error in pixels, and whether the uncertainty tells errors.

    calibration: root mean square error over the believed one, in the least uncertain and the most uncertain quarter;
    ratio: the error in the latter over that in the former.
    """

    setting: str
    values: Mapping[str, float]
    registration: float
    calibration: tuple[float, float]
    ratio: float
    seconds: float


def make_burst(
    truth: Floats, setting: Setting, scale: int, rng: np.random.Generator
) -> tuple[list[Levels], list[Motion]]:
    """Frames of a photo (H, W, C) that is `scale` times as fine, with their motions; the first is at rest."""
    height, width = (n // scale for n in truth.shape[:2])
    motions = [Motion()]
    for _ in range(setting.count - 1):
        turn, (x, y) = rng.uniform(-setting.degrees, setting.degrees), rng.uniform(-3, 3, 2)
        motions.append(_wobbling(Motion.euclidean(turn, x, y, height, width), setting.wobble, height, rng))
    if not setting.moving:
        still = _blurred(truth, setting, scale)
        return [_frame(still, motion, setting, scale, rng) for motion in motions], motions
    scenes = (_blurred(_with_object(truth, k / (setting.count - 1)), setting, scale) for k in range(setting.count))
    return [_frame(scene, motion, setting, scale, rng) for scene, motion in zip(scenes, motions, strict=True)], motions


def bench_burst(
    photos: Iterable[tuple[str, Image]], settings: Sequence[Setting] = SETTINGS, scale: int = 2, side: int = 256
) -> list[Line]:
    """Every setting: the means over the middles (side x side) of photos in colour.

    Drizzle is measured where the package of that name is installed.
    """
    truths = [_middle(image.pixels, side, scale) for _, image in photos if image.channels == 3]
    return [
        _mean([_measured(truth, setting, scale, seed) for seed, truth in enumerate(truths)]) for setting in settings
    ]


def table(lines: Sequence[Line]) -> str:
    """A row for each setting."""
    names = list(lines[0].values)
    head = f"| | {' | '.join(names)} | registration, px | error/believed, sure and unsure | unsure/sure | s |"
    rows = [head, "|---" * (len(names) + 5) + "|"]
    for line in lines:
        low, high = line.calibration
        cells = [line.setting, *(f"{value:.2f}" for value in line.values.values()), f"{line.registration:.3f}"]
        rows.append(f"| {' | '.join(cells)} | {low:.1f}, {high:.1f} | {line.ratio:.1f} | {line.seconds:.1f} |")
    return "\n".join(rows) + "\n"


def _measured(truth: Floats, setting: Setting, scale: int, seed: int) -> Line:
    frames, motions = make_burst(truth, setting, scale, np.random.default_rng(seed))
    shown = _with_object(truth, 0.0) if setting.moving else truth
    lumas = [luma(dequantise(frame)) for frame in frames]
    registered = [Motion(), *(register(each, lumas[0]).motion for each in lumas[1:])]
    started = time.perf_counter()
    asked = fuse(frames, scale, psf=setting.psf, reference=0)
    seconds = time.perf_counter() - started
    results: dict[str, NDArray[Any]] = {
        **{name: _enlarged(frames[0], name, scale) for name in ("bicubic", "swift", "auto")},
        "mean": _mean_of_registered(frames, registered, scale),
        **_drizzled(frames, registered, scale),
        "burst": fuse(frames, scale, reference=0).image.pixels,
        "burst, PSF known": asked.image.pixels,
        "PSF x 1.25": fuse(frames, scale, psf=1.25 * setting.psf, reference=0).image.pixels,
    }
    values = {name: _psnr(result, shown, scale) for name, result in results.items()}
    errors = [_distance(a, b, lumas[0].shape) for a, b in zip(registered[1:], motions[1:], strict=True)]
    return Line(setting.name, values, float(np.mean(errors)), *_calibration(asked, shown), seconds)


def _mean(lines: Sequence[Line]) -> Line:
    first = lines[0]
    calibration = np.mean([line.calibration for line in lines], axis=0)
    return replace(
        first,
        values={name: float(np.mean([line.values[name] for line in lines])) for name in first.values},
        registration=float(np.mean([line.registration for line in lines])),
        calibration=(float(calibration[0]), float(calibration[1])),
        ratio=float(np.mean([line.ratio for line in lines])),
        seconds=float(np.mean([line.seconds for line in lines])),
    )


def _calibration(fusion: Fusion, truth: Floats) -> tuple[tuple[float, float], float]:
    inner = slice(_BORDER, -_BORDER)
    squares = ((fusion.image.pixels - truth) ** 2).mean(axis=2)[inner, inner]
    believed = fusion.uncertainty[inner, inner]
    low, high = np.quantile(believed, (0.25, 0.75))
    sure, unsure = believed <= low, believed >= high
    errors = [float(np.sqrt(squares[some].mean())) for some in (sure, unsure)]
    beliefs = [float(np.sqrt((believed[some] ** 2).mean())) for some in (sure, unsure)]
    return (errors[0] / beliefs[0], errors[1] / beliefs[1]), errors[1] / errors[0]


def _psnr(result: NDArray[Any], truth: Floats, scale: int) -> float:
    inner = slice(_BORDER, -_BORDER)
    limited = np.clip(result, 0, 1).astype(np.float32)
    return psnr(*STANDARD.prepare(limited[inner, inner], truth[inner, inner], scale))


def _distance(estimated: Motion, true: Motion, shape: tuple[int, ...]) -> float:
    """Root mean square distance of where two motions lead, in pixels."""
    y, x = np.mgrid[8 : shape[0] - 8 : 5, 8 : shape[1] - 8 : 5].astype(np.float64)
    (u, v), (p, q) = estimated(x, y), true(x, y)
    return float(np.sqrt(((u - p) ** 2 + (v - q) ** 2).mean()))


def _enlarged(frame: Levels, model: str, scale: int) -> NDArray[Any]:
    return dequantise(Upscaler(model, scale=scale)(frame))


def _mean_of_registered(frames: Sequence[Levels], motions: Sequence[Motion], scale: int) -> NDArray[Any]:
    """Each frame enlarged by bicubic, laid on the first, and the mean of them."""
    height, width = (n * scale for n in frames[0].shape[:2])
    y, x = ((axis + 0.5) / scale - 0.5 for axis in np.mgrid[:height, :width].astype(np.float64))
    return np.mean([keys(dequantise(f), *m.back(x, y)) for f, m in zip(frames, motions, strict=True)], axis=0)


def _drizzled(frames: Sequence[Levels], motions: Sequence[Motion], scale: int) -> dict[str, NDArray[Any]]:
    """Fruchter and Hook 2002, by the package of astropy's family, with drops of 0.7 pixels; nothing if it is absent."""
    try:
        from drizzle.resample import Drizzle  # pyright: ignore[reportMissingImports]
    except ImportError:
        return {}
    height, width = frames[0].shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float64)
    planes: list[NDArray[Any]] = []
    for channel in range(3):
        drizzle: Any = Drizzle(kernel="square", fillval="0", out_shape=(height * scale, width * scale))
        for frame, motion in zip(frames, motions, strict=True):
            places = np.stack([(at + 0.5) * scale - 0.5 for at in motion(x, y)], axis=-1)
            drizzle.add_image(dequantise(frame[..., channel]), exptime=1.0, pixmap=places, pixfrac=0.7)
        planes.append(
            np.where(drizzle.out_wht > 0, drizzle.out_img, _enlarged(frames[0], "bicubic", scale)[..., channel])
        )
    return {"drizzle": np.stack(planes, axis=-1)}


def keys(pixels: NDArray[Any], x: NDArray[Any], y: NDArray[Any]) -> NDArray[np.float64]:
    """H W C at any places, by Keys' cubic kernel (1981); the border goes on."""
    height, width = pixels.shape[:2]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    out = np.zeros((*x.shape, pixels.shape[2]))
    for row in range(-1, 3):
        for column in range(-1, 3):
            weight = _cubic(x - left - column) * _cubic(y - top - row)
            at = np.clip(top + row, 0, height - 1), np.clip(left + column, 0, width - 1)
            out += weight[..., None] * pixels[at]
    return out


def _cubic(distance: NDArray[Any]) -> NDArray[Any]:
    d = np.abs(distance)
    return np.where(d <= 1, (1.5 * d - 2.5) * d * d + 1, np.where(d < 2, ((-0.5 * d + 2.5) * d - 4) * d + 2, 0))


def _wobbling(motion: Motion, amplitude: float, height: int, rng: np.random.Generator) -> Motion:
    if not amplitude:
        return motion
    phases, turns = rng.uniform(0, 2 * np.pi, 2), 2 * np.pi * 1.3 * np.linspace(0, 1, 17)
    waves = [amplitude * np.sin(turns + phase) for phase in phases]
    return replace(motion, wobble=np.stack(waves, axis=1)[:, None], height=height)


def _blurred(truth: Floats, setting: Setting, scale: int) -> Floats:
    return GaussianBlur(setting.psf * scale).apply(truth, np.random.default_rng(0))


def _frame(scene: Floats, motion: Motion, setting: Setting, scale: int, rng: np.random.Generator) -> Levels:
    height, width = (n // scale for n in scene.shape[:2])
    y, x = np.mgrid[:height, :width].astype(np.float64)
    values = keys(scene, *((at + 0.5) * scale - 0.5 for at in motion(x, y)))
    values += setting.noise / 255 * rng.standard_normal(values.shape)
    pixels = np.clip(values, 0, 1).astype(np.float32)
    return quantise(Jpeg(setting.quality).apply(pixels, rng) if setting.quality else pixels, 8)


def _with_object(truth: Floats, progress: float) -> Floats:
    """A striped disc somewhere on its way from left to right."""
    height, width = truth.shape[:2]
    radius = _OBJECT * min(height, width)
    y, x = np.mgrid[:height, :width]
    right = x - (0.25 + 0.5 * progress) * width
    disc = (np.hypot(right, y - height / 2) < radius)[..., None]
    stripes = 0.5 + 0.4 * np.sin(right / 2.5)[..., None]
    return np.where(disc, stripes * np.array([1.0, 0.8, 0.3]), truth).astype(np.float32)


def _middle(pixels: Floats, side: int, scale: int) -> Floats:
    """At most side x side pixels, in multiples of the scale."""
    height, width = (min(length, side) // scale * scale for length in pixels.shape[:2])
    top, left = (pixels.shape[0] - height) // 2, (pixels.shape[1] - width) // 2
    return np.ascontiguousarray(pixels[top : top + height, left : left + width])
