"""Trains the network that reads a blur from edges in `subpixel.analysis`: degraded crops, and what was done to them.

python -m zoo.edges --photos FOLDER -o subpixel/analysis/edges.npz
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from subpixel.analysis.edges import NAMES, SIDE, UNIT, local_spectra
from subpixel.analysis.windows import luma
from subpixel.images import Floats
from subpixel.resample import resize
from zoo.estimator import Rng, compressed, covariance_of, first_order, smoothed, to_levels

Covariance = NDArray[np.float64]
ROOM = 16
"""Pixels that a crop has more than is looked at, so that it can be moved."""
_MARGIN = 8  # pixels that a circular blur spoils
_LOW = SIDE + ROOM + 2 * _MARGIN
_CROPS = 12  # of one photo, before the next is read
_WIDE = 64
_SPREAD = {"bicubic": 0.0, "lanczos": 0.0, "box": 1 / 12, "bilinear": 1 / 6}
"""The variance of each kernel of reduction, in px^2 of the result: a softer one than bicubic is a blur."""


def blurred_crop(high: Floats, scale: int, rng: Rng) -> tuple[Floats, Floats]:
    """A crop that was blurred, reduced and rounded, in levels of luma; and the covariance of its blur."""
    kernel = str(rng.choice(list(_SPREAD), p=[0.7, 0.1, 0.1, 0.1]))
    blur = covariance_of(rng, 1.15) if rng.random() < 0.75 else np.zeros(3)
    pixels = _reduced(smoothed(high, blur * scale**2, False), scale, kernel)
    if rng.random() < 0.15:  # noise below what is told
        pixels = pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(0, 0.7) / 255)
    quality = int(rng.integers(97, 101)) if rng.random() < 0.05 else 100
    levels = compressed(to_levels(pixels), quality, rng)
    return _inner(levels), (blur + _SPREAD[kernel] * np.array([1, 1, 0])).astype(np.float32)


def other_crop(high: Floats, scale: int, rng: Rng) -> Floats:
    """A crop that went through something else that looks like a blur."""
    kernel, blur = str(rng.choice(list(_SPREAD))), covariance_of(rng, 1.0)
    what = _OTHERS[int(rng.integers(len(_OTHERS)))]
    return _inner(to_levels(what(high, scale, kernel, blur, rng)))


def _enlarged(high: Floats, scale: int, kernel: str, blur: Covariance, rng: Rng) -> Floats:
    small = int(rng.uniform(0.25, 0.85) * _LOW)
    rounded = to_levels(resize(high, small, small, "bicubic")).astype(np.float32) / 255
    return resize(rounded, _LOW, _LOW, ("bicubic", "bilinear", "lanczos")[rng.integers(3)])


def _moved_or_defocused(high: Floats, scale: int, kernel: str, blur: Covariance, rng: Rng) -> Floats:
    if rng.random() < 0.5:
        return _reduced(smoothed(high, covariance_of(rng, 1.5) * scale**2, True), scale, kernel)
    side, radius = len(high), rng.uniform(0.8, 3) * scale
    y, x = np.mgrid[-(side // 2) : side - side // 2, -(side // 2) : side - side // 2]
    disc = np.fft.ifftshift(np.hypot(y, x) <= radius)
    transfer = np.fft.rfft2(disc / disc.sum())[..., None]
    through = np.fft.irfft2(np.fft.rfft2(high, axes=(0, 1)) * transfer, s=(side, side), axes=(0, 1))
    return _reduced(through.astype(np.float32), scale, kernel)


def _twice(high: Floats, scale: int, kernel: str, blur: Covariance, rng: Rng) -> Floats:
    pixels = np.asarray(first_order(high, scale, rng)[0], np.float32)
    return _reduced(smoothed(pixels, blur * scale**2, False) if rng.random() < 0.5 else pixels, scale, kernel)


def _sharpened(high: Floats, scale: int, kernel: str, blur: Covariance, rng: Rng) -> Floats:
    pixels = _reduced(smoothed(high, blur * scale**2, False), scale, kernel)
    mask = pixels - smoothed(pixels, np.array([1.0, 1.0, 0.0]) * rng.uniform(0.3, 3), False)
    return pixels + np.float32(rng.uniform(0.3, 1.5)) * mask


def _dirty(high: Floats, scale: int, kernel: str, blur: Covariance, rng: Rng) -> Floats:
    """JPEG and noise before the reduction."""
    pixels = compressed(to_levels(high), int(rng.integers(30, 93)), rng).astype(np.float32) / 255
    pixels = pixels + rng.standard_normal(pixels.shape, np.float32) * np.float32(rng.uniform(0, 12) / 255)
    return _reduced(smoothed(pixels, blur * scale**2, False) if rng.random() < 0.7 else pixels, scale, kernel)


_OTHERS: Sequence[Callable[[Floats, int, str, Covariance, Rng], Floats]] = (
    _enlarged, _moved_or_defocused, _twice, _sharpened, _dirty,
)  # fmt: skip


def _reduced(pixels: Floats, scale: int, kernel: str) -> Floats:
    if kernel != "box":
        return resize(pixels, _LOW, _LOW, kernel)
    return pixels.reshape(_LOW, scale, _LOW, scale, -1).mean(axis=(1, 3))


def _inner(levels: NDArray[np.uint8]) -> Floats:
    return luma(levels[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(np.float32)[None])[0]


def examples(photos: Sequence[Path], count: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """`count` blurred crops with their covariances, and a third as many others."""
    rng = np.random.default_rng(seed)
    crops, labels, others = list[Floats](), list[Floats](), list[Floats]()
    while len(crops) < count:
        photo = np.asarray(Pillow.open(photos[rng.integers(len(photos))]).convert("RGB"))
        for k in range(_CROPS):
            scale = int(rng.choice([2, 3, 4], p=[0.45, 0.15, 0.4]))
            side = _LOW * scale
            if min(photo.shape[:2]) < side:
                continue
            top, left = (int(rng.integers(0, n - side + 1)) for n in photo.shape[:2])
            high = photo[top : top + side, left : left + side].astype(np.float32) / 255
            if k % 4 == 3:
                others.append(other_crop(high, scale, rng))
                continue
            crop, label = blurred_crop(high, scale, rng)
            crops.append(crop)
            labels.append(label)
    return np.stack(crops), np.stack(labels), np.stack(others)


def network(outputs: int) -> Any:
    """What is trained, as a torch module: N h w 39 -> N outputs."""
    import torch
    from torch import nn
    from torch.nn import functional as F

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.see = nn.Conv2d(39, _WIDE, 1), nn.Conv2d(_WIDE, _WIDE, 3)
            self.more, self.attend = nn.Conv2d(_WIDE, _WIDE, 1), nn.Conv2d(_WIDE, 4, 1)
            self.pool, self.out = nn.Linear(4 * _WIDE, 64), nn.Linear(64, outputs)

        def forward(self, spectra: Any) -> Any:
            seen = F.relu(self.more(F.relu(self.see(F.relu(self.mix(spectra.permute(0, 3, 1, 2)))))))
            believed = self.attend(seen).flatten(2).softmax(-1)
            pooled = torch.einsum("nkl,ncl->nkc", believed, seen.flatten(2)).flatten(1)
            return self.out(F.relu(self.pool(pooled)))

    return Network()


def train(
    crops: Floats, labels: Floats, others: Floats, batch: tuple[int, int], steps: int, numbers: bool
) -> dict[str, NDArray[np.float16]]:
    """The weights of a network: for the numbers and how far off they are, or for the odds that a blur is all.

    batch: how many crops and others a step sees.
    """
    import torch
    from torch.nn import functional as F

    torch.manual_seed(0)
    rng, net = np.random.default_rng(0), network(2 * len(NAMES) if numbers else 1)
    averaged = torch.optim.swa_utils.AveragedModel(net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.995))
    optimizer = torch.optim.AdamW(net.parameters(), lr=3e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, steps, pct_start=0.1)
    for _ in range(steps):
        some = rng.integers(len(crops), size=batch[0])
        seen, goal = moved(
            np.concatenate([crops[some], others[rng.integers(len(others), size=batch[1])]]), labels[some], rng
        )
        out = net(torch.from_numpy(local_spectra(seen)))
        if numbers:
            values, logs = out.chunk(2, dim=1)
            error = (values - torch.from_numpy(goal)).abs() / UNIT
            loss = (4 * error + error.detach() * torch.exp(-logs) + logs).mean()  # the scale does not excuse the error
        else:
            known = (torch.arange(sum(batch)) < batch[0]).float()
            loss = F.binary_cross_entropy_with_logits(out[:, 0], known)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        averaged.update_parameters(net)
    return stored(averaged.module)


def moved(crops: Floats, labels: Floats, rng: Rng) -> tuple[Floats, Floats]:
    """Moved, mirrored and transposed by chance, all alike, with the covariances that they have then."""
    top, left = rng.integers(0, ROOM + 1, 2)
    crops, labels = crops[:, top : top + SIDE, left : left + SIDE], labels.copy()
    for axis in (1, 2):
        if rng.random() < 0.5:
            crops = np.flip(crops, axis)
            labels[:, 2] *= -1
    if rng.random() < 0.5:
        crops, labels = crops.swapaxes(1, 2), labels[:, [1, 0, 2]]
    return crops, labels


def stored(net: Any) -> dict[str, NDArray[np.float16]]:
    """The weights as `subpixel.analysis.edges` reads them."""
    weights = {name: value.detach().numpy() for name, value in net.named_parameters()}
    kernels = {
        "mix": weights["mix.weight"][:, :, 0, 0].T,
        "see": weights["see.weight"].transpose(1, 2, 3, 0),
        "more": weights["more.weight"][:, :, 0, 0].T,
        "attend": weights["attend.weight"][:, :, 0, 0].T,
        "pool": weights["pool.weight"].T,
        "out": weights["out.weight"].T,
    }
    biases = {f"{name}_bias": weights[f"{name}.bias"] for name in kernels if name != "attend"}
    return {name: value.astype(np.float16) for name, value in (kernels | biases).items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=24000)
    parser.add_argument("-o", "--output", type=Path, default=Path("subpixel/analysis/edges.npz"))
    given = parser.parse_args()
    photos = sorted(path for path in given.photos.iterdir() if path.suffix != ".csv")
    data = examples(photos, given.samples, seed=1)
    heads = {"numbers": train(*data, (48, 0), 10000, True), "odds": train(*data, (32, 32), 6000, False)}
    weights: dict[str, Any] = {f"{h}.{name}": value for h, kept in heads.items() for name, value in kept.items()}
    np.savez_compressed(given.output, **weights)


if __name__ == "__main__":
    main()
