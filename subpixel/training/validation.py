"""What a network scores on images that it never trains on, and how its images look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from subpixel.analysis import inspect
from subpixel.evaluation.evaluate import DEFAULT_METRICS, METRICS, Metric, Pair, evaluate
from subpixel.evaluation.report import Report
from subpixel.images import Floats, Image, from_batch, to_batch, write
from subpixel.metrics.lpips import load as load_lpips
from subpixel.metrics.protocol import STANDARD, Protocol
from subpixel.metrics.ssim import WINDOW
from subpixel.models import Score
from subpixel.nn.arch import Arch
from subpixel.resample import resize
from subpixel.training.outputs import outputs
from subpixel.training.validation_set import ValidationSet

DETAIL = 192
"""Side of a sample image's panels, in pixels."""
TILE = 256
"""Side of the tiles that a network sees, in low-resolution pixels, without the halo."""
EVERY_CHANNEL = Protocol(luma=False, round8="none")
"""How images are measured that are neither gray nor RGB: clips with their frames as channels, too."""
LPIPS_SIDE = 32
"""Pixels of a side that the perceptual distance needs."""


class Validation:
    """Measures a network under the field's protocol.

    sets: the images by scale. scales: those that a validation measures. samples: where images of a detail go (bicubic,
    the network, the original); None: nowhere. lpips: weights of the perceptual distance; None: not measured.
    """

    def __init__(
        self, sets: Mapping[int, ValidationSet], scales: Sequence[int], samples: Path | None, lpips: Path | None
    ) -> None:
        self._sets, self._scales, self._samples = sets, scales, samples
        self._perceptual = {"lpips": load_lpips(lpips).distance} if lpips else {}

    def __call__(self, network: Arch, step: int) -> Mapping[str, float]:
        """The scores of a step: `psnr` (dB) and `lpips`, means over the scales, and where several psnr_x2 ..."""
        values = [self._means(network, self._sets[scale]) for scale in self._scales]
        if self._samples:
            self._write_sample(network, self._sets[self._scales[-1]], self._samples / f"step-{step:07d}.png")
        scores = {name: float(np.mean([value[name] for value in values])) for name in values[0]}
        if len(self._scales) > 1:
            scores |= {f"psnr_x{scale}": value["psnr"] for scale, value in zip(self._scales, values, strict=True)}
        return scores

    def check(self, network: Arch) -> None:
        """Looks at all headers and measures the first image of each scale, so that a run does not fail hours later.

        Raises: DataError naming an image that cannot be used; UnreadableImage; RecipeError for another size.
        """
        for images in self._sets.values():
            images.check(LPIPS_SIDE if self._perceptual else WINDOW)
            _measure(network, images, DEFAULT_METRICS, self._perceptual, [next(images.pairs())])

    def scores(self, network: Arch) -> tuple[Score, ...]:
        """PSNR and SSIM at the network's scale for a model's card; empty if there are no images of that scale."""
        images = self._sets.get(network.config.scale)
        if images is None:
            return ()
        report = _measure(network, images, DEFAULT_METRICS)
        protocol = report.protocol if images.is_standard else f"degradation: {report.degradation}; {report.protocol}"
        return tuple(
            Score(dataset=images.name, metric=mean.metric, value=round(mean.value, 4), protocol=protocol)
            for mean in report.means()
        )

    def _means(self, network: Arch, images: ValidationSet) -> dict[str, float]:
        report = _measure(network, images, {"psnr": METRICS["psnr"]}, self._perceptual)
        return {mean.metric: mean.value for mean in report.means()}

    def _write_sample(self, network: Arch, images: ValidationSet, path: Path) -> None:
        """The middle of the first image: bicubic, the network and the original, side by side."""
        path.parent.mkdir(parents=True, exist_ok=True)
        pair, scale = next(images.pairs()), images.scale
        low, high = pair.low.pixels, pair.high.pixels
        side = min(DETAIL // scale, *low.shape[:2])
        y, x = ((n - side) // 2 for n in low.shape[:2])
        low = np.ascontiguousarray(low[y : y + side, x : x + side])
        bicubic = np.clip(resize(low, side * scale, side * scale), 0, 1)
        upscaled = _upscale(network.at_scale(scale), Image(low)).pixels
        original = high[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        shown = 3 if low.shape[2] >= 3 else 1
        write(path, Image(np.concatenate([bicubic, upscaled, original], axis=1)[..., :shown]))


def _measure(
    network: Arch,
    images: ValidationSet,
    metrics: Mapping[str, Metric],
    colour: Mapping[str, Metric] | None = None,
    pairs: Iterable[Pair] | None = None,
) -> Report:
    """The report on a set; pairs: on these instead of all."""
    view = network.at_scale(images.scale)
    return evaluate(
        lambda low: _upscale(view, low),
        images.pairs() if pairs is None else pairs,
        images.scale,
        model="network",
        dataset=images.name,
        degradation=images.degradation,
        protocol=STANDARD if images.channels in (1, 3) and images.frames == 1 else EVERY_CHANNEL,
        metrics=metrics,
        colour=colour or {},
    )


@torch.inference_mode()
def _upscale(network: Arch, low: Image) -> Image:
    """In evaluation mode, on the network's device; tile by tile with the exact halo, so that memory is bounded.

    A conditioned network is told what is found in the image.
    """
    training, scale = network.training, network.config.scale
    conditions = dict[str, Tensor]()
    if network.condition is not None:
        conditions = {"condition": torch.tensor([list(inspect(low).condition().values())])}
    network.eval()
    high = np.empty((low.height * scale, low.width * scale, low.channels), np.float32)
    for y in range(0, low.height, TILE):
        for x in range(0, low.width, TILE):
            target = high[y * scale : (y + TILE) * scale, x * scale : (x + TILE) * scale]
            target[:] = _tile(network, low.pixels, y, x, conditions)
    network.train(training)
    return Image(high)


def _tile(network: Arch, pixels: Floats, y: int, x: int, conditions: Mapping[str, Tensor]) -> Floats:
    """The result of the tile that begins at y, x, clipped. Raises: RecipeError where it is none."""
    halo, scale = network.halo, network.config.scale
    top, left = max(0, y - halo), max(0, x - halo)
    window = np.ascontiguousarray(pixels[top : y + TILE + halo, left : x + TILE + halo])
    device = next(network.parameters()).device
    condition = {name: numbers.to(device) for name, numbers in conditions.items()}
    output, _ = outputs(network, torch.from_numpy(to_batch(window)).to(device), "", **condition)[-1]
    high = from_batch(output.float().cpu().numpy())
    inside = high[(y - top) * scale : (y - top + TILE) * scale, (x - left) * scale : (x - left + TILE) * scale]
    return np.clip(inside, 0, 1)
