"""Trains the estimator of noise and blur in `subpixel.analysis`: degraded crops, their statistics, a perceptron.

python -m zoo.estimator --photos FOLDER --art FOLDER --samples 24000 -o subpixel/analysis/estimator.npz
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from subpixel.analysis.estimator import HEADS, LIMIT, ODDS, TARGETS, initial_deviations, inputs, learned
from subpixel.analysis.statistics import GROUPS, statistics
from subpixel.images import Floats
from subpixel.resample import resize

Rng = np.random.Generator
VARIANTS = 8
_MARGIN = 8  # pixels of the low resolution that the circular blur spoils
_LETTERS = list("abcdefghijklmnopqrstuvwxyz" * 3 + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:!?()&%-")


@dataclass(frozen=True)
class _Low:
    """A crop at low resolution, and what was done to it so far."""

    pixels: Floats
    noise: NDArray[np.float64]
    covariance: NDArray[np.float64]
    native: float
    clean: bool


def reduced(high: NDArray[np.uint8], rng: Rng) -> _Low:
    """Perhaps a second-order chain at high resolution, then blur and reduction, as `restore` is trained with."""
    scale = int(rng.choice([1, 2, 3, 4], p=[0.3, 0.35, 0.1, 0.25]))
    side = min(len(high) // scale, 16 * int(rng.integers(7, 24))) * scale
    top, left = rng.integers(0, len(high) - side + 1, 2)
    pixels = np.rot90(high[top : top + side, left : left + side], int(rng.integers(4)))
    pixels = (pixels[:, ::-1] if rng.random() < 0.5 else pixels).astype(np.float32) / 255
    clean = bool(rng.random() < 0.15)
    covariance, noise, native = np.zeros(3), np.zeros(2), 1.0
    if not clean and rng.random() < 0.12:
        pixels, covariance, noise, native = first_order(pixels, scale, rng)
    if not clean and rng.random() < 0.5:
        more, motion = covariance_of(rng, 1.4), rng.random() < 0.1
        pixels = smoothed(pixels, more * scale**2, motion)
        covariance = covariance + _line(more, motion)
    if scale > 1:
        kernel = ("bicubic", "bicubic", "bicubic", "bilinear", "lanczos")[rng.integers(5)]
        pixels = _rounded(resize(pixels, side // scale, side // scale, kernel))
    return _Low(pixels, noise, covariance, native, clean)


def finished(low: _Low, rng: Rng) -> tuple[Floats, NDArray[np.float32]]:
    """Noise, JPEG and a crop: the statistics, and the numbers of TARGETS but the last."""
    pixels, noise, shot = low.pixels, low.noise.copy(), 0.0
    if not low.clean and rng.random() < 0.55:
        sigma, gray = 25 * rng.random() ** 1.5, rng.random() < 0.35
        shot = float(rng.random()) if rng.random() < 0.4 else 0.0
        pixels = _noisy(pixels, sigma, gray, shot, rng)
        noise = np.hypot(noise, [sigma, 0 if gray else sigma])
    levels = to_levels(pixels)[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN]
    quality = int(rng.integers(20, 96)) if not low.clean and rng.random() < 0.6 else 100
    levels = compressed(levels, quality, rng)
    y, x = rng.integers(0, 9, 2)
    bottom, right = (int(rng.integers(max(48, 2 * n // 3), n + 1)) for n in levels.shape[:2])
    levels = levels[y:bottom, x:right]
    if rng.random() < 0.06:  # a gray file
        levels, noise[1] = levels[..., 1:2], 0
    noisy, blurred = noise[0] > 1, low.covariance[:2].mean() > 0.15
    labels = [*noise, shot, noisy, *low.covariance, max(0.0, 1 - low.native), blurred]
    known = quality if rng.random() > 0.03 else 100
    phase = (-int(y) % 8, -int(x) % 8) if known < 100 else (0, 0)
    return statistics(levels[None].astype(np.float32), known, phase), np.array(labels, np.float32)


def first_order(pixels: Floats, scale: int, rng: Rng) -> tuple[Floats, Any, Any, float]:
    """Blur, a smaller size, noise, JPEG, and the size that was: what came out, and what is left of each."""
    side, covariance, noise = len(pixels), np.zeros(3), np.zeros(2)
    if rng.random() < 0.6:
        covariance = covariance_of(rng, 0.6 * scale + 0.4)
        pixels = smoothed(pixels, covariance, False)
    factor = rng.uniform(max(0.3, 0.8 / scale if scale > 1 else 0.4), 1)
    small = round(side * factor) if factor < 0.97 else side
    if small != side:
        pixels = resize(pixels, small, small, ("bicubic", "bilinear", "lanczos")[rng.integers(3)])
    if rng.random() < 0.5:
        sigma, gray = rng.uniform(1, 15), rng.random() < 0.4
        pixels = _noisy(pixels, sigma, gray, 0.0, rng)
        left = sigma * min(1.0, 1 / scale) * 0.7
        noise = np.array([left, 0 if gray else left])
    if rng.random() < 0.6:
        pixels = compressed(to_levels(pixels), int(rng.integers(40, 96)), rng).astype(np.float32) / 255
    if small != side:
        pixels = resize(pixels, side, side, ("bicubic", "bilinear")[rng.integers(2)])
    if rng.random() < 0.25:
        pixels = pixels + np.float32(rng.uniform(0.2, 1)) * (pixels - smoothed(pixels, np.array([1.0, 1.0, 0]), False))
    return pixels, covariance / scale**2, noise, min(1.0, small / side * scale)


def covariance_of(rng: Rng, most: float) -> NDArray[np.float64]:
    """xx, yy, xy of a random Gaussian with standard deviations up to `most`."""
    a, turn = rng.uniform(0.1, most), rng.uniform(0, np.pi)
    b = a if rng.random() < 0.5 else rng.uniform(0.1, most)
    c, s = np.cos(turn), np.sin(turn)
    return np.array([a * a * c * c + b * b * s * s, a * a * s * s + b * b * c * c, (a * a - b * b) * c * s])


def _line(covariance: NDArray[np.float64], motion: bool) -> NDArray[np.float64]:
    """What a movement along (dx, dy) = 3 (sqrt xx, +-sqrt yy) spreads: d d^T / 12."""
    if not motion:
        return covariance
    d = 3 * np.array([np.sqrt(covariance[0]), np.copysign(np.sqrt(covariance[1]), covariance[2])])
    return np.array([d[0] ** 2, d[1] ** 2, d[0] * d[1]]) / 12


def smoothed(pixels: Floats, covariance: NDArray[np.float64], motion: bool) -> Floats:
    """H W C through the transfer function of a Gaussian, or of a straight movement; circular."""
    fy, fx = np.fft.fftfreq(len(pixels))[:, None], np.fft.rfftfreq(pixels.shape[1])
    xx, yy, xy = covariance
    if motion:
        transfer = np.sinc(3 * (fx * np.sqrt(xx) - fy * np.copysign(np.sqrt(yy), xy)))
    else:  # y runs down in an image, up in the covariance
        transfer = np.exp(-2 * np.pi**2 * (xx * fx * fx + yy * fy * fy - 2 * xy * fx * fy))
    planes = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    spectrum = np.fft.rfft2(planes) * transfer.astype(np.float32)
    return np.ascontiguousarray(np.moveaxis(np.fft.irfft2(spectrum, s=pixels.shape[:2]), 0, -1))


def _noisy(pixels: Floats, sigma: float, gray: bool, shot: float, rng: Rng) -> Floats:
    """Noise of `sigma` levels at mid-gray, of whose variance the share `shot` follows the brightness."""
    grain = rng.standard_normal(pixels.shape, np.float32)
    grain = grain[..., :1] if gray else grain
    return pixels + grain * np.float32(sigma / 255) * np.sqrt(1 - shot + shot * 2 * np.clip(pixels, 0, 1))


def compressed(levels: NDArray[np.uint8], quality: int, rng: Rng) -> NDArray[np.uint8]:
    if quality >= 100:
        return levels
    file = io.BytesIO()
    Pillow.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=int(rng.choice([0, 2, 2])))
    return np.asarray(Pillow.open(file))


def to_levels(pixels: Floats) -> NDArray[np.uint8]:
    return (np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)


def _rounded(pixels: Floats) -> Floats:
    return to_levels(pixels).astype(np.float32) / 255


def text_page(rng: Rng) -> NDArray[np.uint8]:
    """512 x 512 of random words in one size a line."""
    dark, light = rng.integers(0, 90, 3), rng.integers(200, 256, 3)
    if rng.random() < 0.5:
        dark, light = np.zeros(3, int), np.full(3, 255)
    ink, paper = (light, dark) if rng.random() < 0.25 else (dark, light)
    sheet = Pillow.new("RGB", (512, 512), tuple(map(int, paper)))
    draw, y = ImageDraw.Draw(sheet), int(rng.integers(0, 20))
    while y < 512:
        size = int(rng.choice([10, 12, 14, 16, 20, 24, 32, 48, 64]))
        words = " ".join("".join(rng.choice(_LETTERS, int(rng.integers(1, 11)))) for _ in range(30))
        draw.text((int(rng.integers(-5, 12)), y), words, fill=tuple(map(int, ink)), font=ImageFont.load_default(size))
        y += int(size * rng.uniform(1.1, 1.5))
    return np.asarray(sheet)


def examples(
    photos: Sequence[NDArray[np.uint8]], art: Sequence[NDArray[np.uint8]], count: int, seed: int
) -> tuple[Floats, Floats]:
    """The statistics and the labels of `count` degraded crops, VARIANTS of each scene; one scene in eight is drawn."""
    samples: list[tuple[Floats, Floats]] = []
    for k in range(count // VARIANTS):
        rng = np.random.default_rng([seed, k])
        drawn = rng.random() >= 0.875
        if not drawn:
            high = photos[rng.integers(len(photos))]
        else:
            high = text_page(rng) if rng.random() < 0.5 else art[rng.integers(len(art))]
        low = reduced(high, rng)
        for _ in range(VARIANTS):
            vector, labels = finished(low, rng)
            samples.append((vector, np.append(labels, np.float32(drawn))))
    return np.stack([x for x, _ in samples]), np.stack([y for _, y in samples])


def flipped(x: Floats, y: Floats, mirrored: bool, transposed: bool) -> tuple[Floats, Floats]:
    """The statistics and labels of the same images, mirrored or transposed: a permutation of the bands."""
    x, y = x.copy(), y.copy()
    bands = x[:, : GROUPS * 17 * 9].reshape(-1, GROUPS, 17, 9)
    if mirrored:
        bands = bands[:, :, ::-1]
        y[:, TARGETS.index("blur_xy")] *= -1
    if transposed:
        down, across = np.meshgrid(np.arange(-8, 9), np.arange(9), indexing="ij")
        sign = np.where(down < 0, -1, 1)
        bands = bands[:, :, across * sign + 8, np.abs(down)]
        axes = [TARGETS.index("blur_xx"), TARGETS.index("blur_yy")]
        y[:, axes] = y[:, axes[::-1]]
    x[:, : GROUPS * 17 * 9] = bands.reshape(len(x), -1)
    return x, y


def _told(names: Sequence[str], labels: dict[str, Floats]) -> Floats:
    """Where a number means something: noise where there is noise, its colour and kind where it is plain to see."""
    noisy, sure, blurred = labels["sigma"] > 0.7, labels["sigma"] > 2, labels["blurred"] > 0
    masks = {"sigma": noisy, "chroma": noisy, "shot": sure} | dict.fromkeys(("blur_xx", "blur_yy", "blur_xy"), blurred)
    return np.stack([masks.get(name, np.ones(len(noisy))) for name in names], axis=1).astype(np.float32)


def train(head: str, x: Floats, y: Floats, steps: int = 6000, batch: int = 256) -> dict[str, NDArray[np.float16]]:
    """The weights of one head: a ridge regression, and a perceptron for what it leaves and for the errors' scale.

    What is 0 or 1 in `y` (ODDS) becomes log odds.
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    torch.manual_seed(0)
    names = HEADS[head]
    columns = [TARGETS.index(name) for name in names]
    labels = dict(zip(TARGETS, y.T, strict=True))
    x, y = inputs(head, x), learned(y)[:, columns]
    first = initial_deviations(x) if head == "noise" else None
    is_odds = np.array([name in ODDS for name in names])
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 0.05
    x = np.clip((x - mean) / deviation, -LIMIT, LIMIT)
    linear = np.zeros((x.shape[1], len(names)))
    if first is None:
        linear = np.linalg.solve(x.T @ x + 0.01 * len(x) * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
        linear[:, is_odds] = 0
        first = x @ linear
    given, goals, base = (torch.from_numpy(values.astype(np.float32)) for values in (x, y, first))
    told = torch.from_numpy(_told(names, labels))
    odds = torch.from_numpy(is_odds)
    wide, jitter = (128, 0.1) if head == "blur" else (64, 0.02)
    net = nn.Sequential(
        nn.Linear(x.shape[1], wide), nn.ReLU(), nn.Linear(wide, 48), nn.ReLU(), nn.Linear(48, 2 * len(names))
    )
    nn.init.zeros_(net[-1].weight)
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, steps)
    for _ in range(steps):
        some = torch.randint(len(given), (batch,))
        out, goal = net(given[some] + jitter * torch.randn(batch, x.shape[1])), goals[some]
        values, scales = out[:, : len(names)] + base[some], out[:, len(names) :]
        error = (values - goal).abs()
        loss = error + error.detach() * torch.exp(-scales) + scales  # the scale does not excuse the error
        loss = torch.where(odds, F.binary_cross_entropy_with_logits(values, goal, reduction="none"), loss * told[some])
        optimizer.zero_grad()
        loss.sum(dim=1).mean().backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(net)
    layers = [layer for layer in averaged.module if isinstance(layer, nn.Linear)]
    kept = {f"weight{k}": layer.weight.detach().numpy().T for k, layer in enumerate(layers)}
    kept |= {f"bias{k}": layer.bias.detach().numpy() for k, layer in enumerate(layers)}
    kept |= {"mean": mean, "deviation": deviation, "linear": linear}
    return {f"{head}.{name}": value.astype(np.float16) for name, value in kept.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--art", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=16000)
    parser.add_argument("-o", "--output", type=Path, default=Path("subpixel/analysis/estimator.npz"))
    given = parser.parse_args()
    folders = (
        sorted(path for path in folder.iterdir() if path.suffix != ".csv") for folder in (given.photos, given.art)
    )
    photos, art = ([np.asarray(Pillow.open(path).convert("RGB")) for path in paths] for paths in folders)
    x, y = examples(photos, art, given.samples, seed=1)
    turns = (np.concatenate(parts) for parts in zip(*(flipped(x, y, *turn) for turn in np.ndindex(2, 2)), strict=True))
    weights: dict[str, Any] = train("noise", x, y) | train("blur", *turns)
    np.savez_compressed(given.output, **weights)


if __name__ == "__main__":
    main()
