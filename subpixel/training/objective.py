"""The weighted sum of losses that a recipe minimises."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel.datasets.sample import Sample
from subpixel.errors import RecipeError
from subpixel.losses import custom, pixel
from subpixel.nn.arch import Arch
from subpixel.ports import Port
from subpixel.training.outputs import outputs
from subpixel.training.recipe import Loss

FeatureLosses = Mapping[str, nn.Module]
"""Losses of a trained classifier's features, `content` and `perceptual`: N 3 H W in [0, 1], twice -> numbers."""


class Objective(nn.Module):
    """A network with its loss: one module, so that several processes can share its gradients.

    The losses of features stay out of the parameters and of the checkpoints.
    """

    def __init__(self, network: Arch, loss: Loss, features: FeatureLosses | None = None) -> None:
        super().__init__()
        self.network, self.loss = network, loss
        self._kind = compared(network, loss).kind
        self._features = features or {}  # in a mapping: not a part of this module

    def forward(self, sample: Sample[Tensor], scale: int) -> Tensor:
        """Images in [0, 1], N C H W and N C sH sW -> the loss; a pyramid's levels are summed (LapSRN, equation 1)."""
        results = self.outputs(sample, scale)
        if self._kind == "vector":
            pairs = [(results[0][0], _labels(sample))]
        else:
            pairs = [(output, reduced(sample.high, scale, at)) for output, at in results]
        loss = torch.stack([self.terms(output, target) for output, target in pairs]).sum()
        if not loss.requires_grad:
            raise RecipeError(
                f"loss: no gradient comes out of {', '.join(self.loss.custom)}; expected a term to learn by"
            )
        return loss

    def outputs(self, sample: Sample[Tensor], scale: int) -> list[tuple[Tensor, int]]:
        """What the network makes of the low resolution; see `outputs.outputs`."""
        condition = {} if self.network.condition is None else {"condition": _labels(sample)}
        return outputs(self.network.at_scale(scale), sample.low, self.loss.output, **condition)

    def terms(self, output: Tensor, target: Tensor) -> Tensor:
        """The weighted sum for one output, without the adversarial term."""
        weights, total = self.loss, output.new_zeros(())
        for name in ("l1", "l2", "charbonnier", "psnr", "luma_psnr", "low_pass", "lattice"):
            if weight := getattr(weights, name):
                total = total + weight * getattr(pixel, name)(output, target)
        if weights.total_variation:
            total = total + weights.total_variation * pixel.total_variation(output)
        for name, weight in weights.custom.items():
            total = total + weight * custom.measure(name, output, target)
        for name, compare in self._features.items():
            total = total + getattr(weights, name) * compare(output, target).mean()
        return total


def _labels(sample: Sample[Tensor]) -> Tensor:
    assert sample.labels is not None  # a degradation that has none is refused when the run begins
    return sample.labels


def compared(network: Arch, loss: Loss) -> Port:
    """The output that the loss compares. Raises: RecipeError where there is none, or it cannot be compared so."""
    ports = {port.name: port for port in network.ports.outputs}
    if loss.output and loss.output not in ports:
        raise RecipeError(f"loss.output: {loss.output!r}; the network has {', '.join(ports)}")
    port = ports[loss.output] if loss.output else next(iter(ports.values()))
    of_images = ("psnr", "luma_psnr", "low_pass", "lattice", "total_variation", "content", "perceptual", "adversarial")
    if (port.kind != "image" and any(getattr(loss, name) for name in of_images)) or port.kind == "map":
        raise RecipeError(f"loss.output: {port.name} is a {port.kind}; only l1, l2, charbonnier take a vector")
    in_colour = [name for name in ("luma_psnr", "content", "perceptual", "adversarial") if getattr(loss, name)]
    if in_colour and network.ports.channels != 3:
        raise RecipeError(f"loss.{in_colour[0]}: sees RGB; the network's images have {network.ports.channels} channels")
    return port


def reduced(high: Tensor, scale: int, to: int) -> Tensor:
    """The target of a pyramid's level: the image at `to`/`scale` of its size, by antialiased bicubic."""
    if to == scale:
        return high
    size = [side * to // scale for side in high.shape[2:]]
    return F.interpolate(high, size, mode="bicubic", antialias=True, align_corners=False).clamp(0, 1)
