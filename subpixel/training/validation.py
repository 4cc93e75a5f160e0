"""What a network scores on photos that it never trains on, and how its images look."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from subpixel.datasets import sources
from subpixel.evaluation.evaluate import METRICS, Metric, Pair, degraded, evaluate
from subpixel.evaluation.report import Report
from subpixel.images import Image, from_batch, to_batch, write
from subpixel.metrics.protocol import STANDARD, Protocol
from subpixel.models import Score
from subpixel.nn.arch import Arch
from subpixel.resample import resize
from subpixel.training.recipe import Recipe

RGB = Protocol(luma=False)
"""What the perceptual distance sees."""
DETAIL = 192
"""Side of a sample image's panels, in pixels."""


class Validation:
    """Measures a network on a folder of photos under the field's protocol, at every scale that is trained.

    samples: where images of a detail go (bicubic, the network, the photo); None: nowhere.
    lpips: weights of the perceptual distance; None: not measured.
    """

    def __init__(self, folder: Path, recipe: Recipe, samples: Path | None, device: str, lpips: Path | None) -> None:
        self._files, self._name = sources.images(folder), folder.stem
        self._scales, self._samples, self._device = recipe.scales, samples, device
        self._lpips = self._distance(lpips) if lpips else None

    def __call__(self, network: Arch, step: int) -> Mapping[str, float]:
        """The scores of a step: `psnr` (dB), the mean over the scales, and where several psnr_x2 ..."""
        scores: dict[str, float] = {}
        training = network.training
        network.eval()
        for scale in self._scales:
            view = network.at_scale(scale)
            scores[f"psnr_x{scale}"] = self._report(view, scale).mean("network", self._name, scale, "psnr")
            if self._lpips:
                report = self._report(view, scale, RGB, {"lpips": self._lpips})
                scores["lpips"] = report.mean("network", self._name, scale, "lpips")
        if self._samples:
            self._sample(network.at_scale(self._scales[-1]), self._scales[-1], step)
        network.train(training)
        mean = float(np.mean([scores[f"psnr_x{scale}"] for scale in self._scales]))
        return {"psnr": mean} | (scores if len(self._scales) > 1 else {k: v for k, v in scores.items() if k == "lpips"})

    def scores(self, network: Arch, scale: int) -> tuple[Score, ...]:
        """PSNR and SSIM for a model's card."""
        report = self._report(network, scale, metrics={name: METRICS[name] for name in ("psnr", "ssim")})
        return tuple(
            Score(dataset=self._name, metric=m.metric, value=round(m.value, 4), protocol=report.protocol)
            for m in report.means()
        )

    def _report(
        self, network: Arch, scale: int, protocol: Protocol = STANDARD, metrics: Mapping[str, Metric] | None = None
    ) -> Report:
        return evaluate(
            lambda low: self._upscaled(network, low),
            self._pairs(scale),
            scale,
            model="network",
            dataset=self._name,
            protocol=protocol,
            metrics=metrics or {"psnr": METRICS["psnr"]},
        )

    def _pairs(self, scale: int) -> list[Pair]:
        if scale not in self._kept:
            self._kept[scale] = list(degraded(((f.name, Image.from_array(f.rgb())) for f in self._files), scale))
        return self._kept[scale]

    @cached_property
    def _kept(self) -> dict[int, list[Pair]]:
        return {}

    def _upscaled(self, network: Arch, low: Image) -> Image:
        with torch.inference_mode():
            high = network(torch.from_numpy(to_batch(low.pixels)).to(self._device)).cpu().numpy()
        return Image(np.clip(from_batch(high), 0, 1))

    def _sample(self, network: Arch, scale: int, step: int) -> None:
        """Writes step-N.png: bicubic, the network and the photo, the middle of the first validation photo."""
        assert self._samples is not None
        self._samples.mkdir(parents=True, exist_ok=True)
        low, high = (p.pixels for p in (self._pairs(scale)[0].low, self._pairs(scale)[0].high))
        side = min(DETAIL // scale, *(n // scale for n in high.shape[:2]))
        y, x = ((n // scale - side) // 2 for n in high.shape[:2])
        low = low[y : y + side, x : x + side]
        bicubic = np.clip(resize(low, side * scale, side * scale), 0, 1)
        upscaled = self._upscaled(network, Image(np.ascontiguousarray(low))).pixels
        truth = high[y * scale : (y + side) * scale, x * scale : (x + side) * scale]
        write(self._samples / f"step-{step:07d}.png", Image(np.concatenate([bicubic, upscaled, truth], axis=1)))

    @staticmethod
    def _distance(path: Path) -> Metric:
        from subpixel.metrics import lpips

        return lpips.load(path).distance
