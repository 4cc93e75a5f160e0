"""Makes a swift compute in eight bits between its first and its last convolution.

    python -m zoo.eight_bits swift-x2 TILES FILE.onnx [STEPS]

Three things, in this order. The channels of each layer are scaled so that all reach equally far, which changes nothing
(PReLU is homogeneous; "cross-layer equalisation", Nagel et al. 2019, arXiv:1906.04721), and the step of each layer's
levels is chosen with the least mean square error. Then the network is trained on with its rounding, which passes
gradients on as if it were not there, to give what it gave in single precision; steps learn, too (LSQ, Esser et al.
2020, arXiv:1902.08153). What is written are pairs of QuantizeLinear and DequantizeLinear, which OpenVINO and ONNX
Runtime turn into convolutions of integers. Zero is level 0: with another zero OpenVINO converts each layer twice.
"""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from subpixel import atomic, models
from subpixel.archs.swift import Swift
from subpixel.color import FORWARD
from subpixel.datasets.sources import pairs
from subpixel.models import weights
from subpixel.models.store import parse, with_card
from subpixel.nn.upsampling import nearest_phases
from subpixel.resample import resize

if TYPE_CHECKING:
    from onnx import ModelProto

MOST = 127
"""The largest level; the smallest is -127 for weights, -128 for what goes through the network."""
_BATCH, _WHOLE, _SIDE, _FLAT = 12, 4, 48, 16
"""Crops of a step, how many of them are not reduced, their side, and that of images of one colour beside them."""
_TOLERATED = 0.3 / 255
"""By how much an image of one colour may change."""
_FLATNESS = 51.0
"""What a change beyond that costs: 0.2 dB a level."""


def rounded(x: Tensor, step: Tensor, least: int = -MOST - 1) -> Tensor:
    """To whole numbers of steps, as many as eight bits hold; gradients pass as if it were to none."""
    levels = torch.clamp(x / step, least, MOST)
    return (levels + (levels.round() - levels).detach()) * step


class EightBits(nn.Module):
    """A deployed swift whose inner convolutions see, and weigh with, eight bits."""

    def __init__(self, swift: Swift) -> None:
        super().__init__()
        layers = list(copy.deepcopy(swift.body))
        self.convs = nn.ModuleList(layers[::2])
        self.slopes = nn.ModuleList(layers[1::2])
        self.steps = nn.ParameterList(torch.ones(()) for _ in self.inner)
        self.scale = swift.config.scale

    @property
    def inner(self) -> range:
        """The convolutions of eight bits: all but the first and the last."""
        return range(1, len(self.convs) - 1)

    def forward(self, x: Tensor) -> Tensor:
        """N C H W in [0, 1] -> N C sH sW, not clipped."""
        y = x - 0.5
        for k, conv in enumerate(self.convs):
            y = self._convolved(k, y)
            y = self.slopes[k](y) if conv is not self.convs[-1] else y
        return F.pixel_shuffle(y + nearest_phases(x, self.scale), self.scale)

    def _convolved(self, k: int, y: Tensor) -> Tensor:
        weight, bias = self.convs[k].get_parameter("weight"), self.convs[k].get_parameter("bias")
        if k in self.inner:
            step = self.steps[k - 1]
            gentle = step * (share := 1 / math.sqrt(y.numel() * MOST)) + step.detach() * (1 - share)
            y, weight = rounded(y, gentle), rounded(weight, weight_steps(weight.detach()), -MOST)
        return F.conv2d(y, weight, bias, padding=1)

    @torch.no_grad()
    def fit(self, images: Sequence[Tensor]) -> None:
        """Scales channels and chooses steps by what images 1 C H W in [0, 1] become in single precision."""
        reach = [torch.cat([y.abs().amax((0, 2, 3))[None] for y in some]).amax(0) for some in self._inside(images)]
        for k, most in enumerate(reach):
            share = most.clamp(min=1e-6)
            for name in ("weight", "bias"):
                own = self.convs[k].get_parameter(name)
                own /= share.view(-1, *[1] * (own.ndim - 1))
            self.convs[k + 1].get_parameter("weight").mul_(share.view(1, -1, 1, 1))
        for step, some in zip(self.steps, self._inside(images), strict=False):
            step.copy_(best_step(torch.cat([y.flatten()[::13] for y in some])))

    def _inside(self, images: Sequence[Tensor]) -> list[list[Tensor]]:
        """What each convolution but the first is given, without rounding, for each image."""
        inside: list[list[Tensor]] = [[] for _ in self.slopes]
        for image in images:
            y = image - 0.5
            for k, slope in enumerate(self.slopes):
                y = slope(self.convs[k](y))
                inside[k].append(y)
        return inside


def weight_steps(weight: Tensor) -> Tensor:
    """One for each output channel of O I 3 3, by which the largest weight is the largest level."""
    return weight.abs().amax((1, 2, 3), keepdim=True) / MOST


def best_step(values: Tensor) -> Tensor:
    """By which numbers lose least, in the mean of squares; those that are far out are cut off."""
    steps = values.abs().max() / MOST * torch.linspace(0.15, 1, 40)
    errors = torch.stack([((rounded(values, step) - values) ** 2).mean() for step in steps])
    return steps[errors.argmin()]


def crops(folder: Path, scale: int, cache: Path) -> Iterator[Tensor]:
    """Batches N 3 H W of reduced images, as trainings draw them, and of some that were not reduced, without end."""
    source, rng = pairs(folder, scale, resize, cache, patch=_SIDE), np.random.default_rng(0)
    while True:
        sample = source.batch(rng, _BATCH, _SIDE)
        reduced, whole = sample.low[_WHOLE:], sample.high[:_WHOLE, :, :_SIDE, :_SIDE]
        yield torch.from_numpy(np.concatenate([reduced, whole])) / 255


def train(network: EightBits, batches: Iterator[Tensor], teacher: Swift, steps: int, rate: float = 2e-4) -> EightBits:
    """The mean of the network's last states, trained to give what the teacher gives, and to leave flat images flat."""
    torch.manual_seed(0)
    luma = torch.tensor(FORWARD[0], dtype=torch.float32).view(1, 3, 1, 1)
    trained = [*network.convs.parameters(), *network.slopes.parameters()]
    optimizer = torch.optim.Adam([{"params": trained}, {"params": [*network.steps], "lr": 3 * rate}], rate, (0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda t: min(1, (t + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * t / steps))
    )
    mean = copy.deepcopy(network)
    for k in range(steps):
        low = next(batches)
        with torch.no_grad():
            goal = teacher(low)
        error = network(low) - goal
        square = (error * luma).sum(1).square().mean() + 0.1 * error.square().mean()
        loss = 10 * torch.log10(square + 1e-9) + _FLATNESS * _unevenness(network)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        with torch.no_grad():
            for own, new in zip(mean.parameters(), network.parameters(), strict=True):
                own.lerp_(new, 1 - min(0.998, k / (k + 10)))
    return mean


def _unevenness(network: EightBits) -> Tensor:
    """By how much more than is tolerated images of one colour change, away from their border."""
    colours = torch.rand(4, 3, 1, 1)
    colours = torch.where(torch.rand(4, 1, 1, 1) < 0.4, colours[:, :1], colours)
    flat = torch.where(torch.rand(4, 3, 1, 1) < 0.15, colours.round(), colours).expand(-1, -1, _FLAT, _FLAT)
    inner = slice(network.scale * _FLAT // 4, -network.scale * _FLAT // 4)
    return F.relu((network(flat)[..., inner, inner] - flat[..., :1, :1]).abs() - _TOLERATED).mean()


def to_graph(network: EightBits, proto: ModelProto) -> ModelProto:
    """The graph of the swift that it was made of, with its weights, in eight bits where it is."""
    from onnx import helper, numpy_helper

    tensors = {tensor.name: tensor for tensor in proto.graph.initializer}

    def put(name: str, values: Any) -> None:
        tensor = tensors.get(name) or proto.graph.initializer.add()
        tensor.CopyFrom(numpy_helper.from_array(np.asarray(values), name))

    for k, slope in enumerate(network.slopes):
        name = f"body.{2 * k + 1}.weight"
        put(name, slope.get_parameter("weight").detach().numpy().reshape(tuple(tensors[name].dims)))
    put("zero", np.int8(0))
    for k, node in enumerate([node for node in proto.graph.node if node.op_type == "Conv"]):
        weight, name = network.convs[k].get_parameter("weight").detach(), f"body.{2 * k}.weight"
        put(f"body.{2 * k}.bias", network.convs[k].get_parameter("bias").detach().numpy())
        if k not in network.inner:
            put(name, weight.numpy())
            continue
        steps = weight_steps(weight)
        proto.graph.initializer.remove(tensors.pop(name))
        put(f"{name}.levels", (weight / steps).round().numpy().astype(np.int8))
        put(f"{name}.steps", steps.flatten().numpy())
        put(f"{name}.zeros", np.zeros(len(weight), np.int8))
        put(f"steps.{k}", network.steps[k - 1].detach().numpy())
        place = list(proto.graph.node).index(node)
        for made in (
            helper.make_node("QuantizeLinear", [node.input[0], f"steps.{k}", "zero"], [f"levels.{k}"]),
            helper.make_node("DequantizeLinear", [f"levels.{k}", f"steps.{k}", "zero"], [f"rounded.{k}"]),
            helper.make_node(
                "DequantizeLinear", [f"{name}.{of}" for of in ("levels", "steps", "zeros")], [name], axis=0
            ),
        ):
            proto.graph.node.insert(place, made)
            place += 1
        node.input[0] = f"rounded.{k}"
    return proto


def main() -> None:
    if len(sys.argv) not in (4, 5):
        sys.exit("usage: python -m zoo.eight_bits MODEL TILES FILE.onnx [STEPS]")
    model, target, steps = models.load(sys.argv[1]), Path(sys.argv[3]), int([*sys.argv, "3000"][4])
    teacher = weights.network(model)
    assert isinstance(teacher, Swift)
    batches = crops(Path(sys.argv[2]), teacher.config.scale, target.parent / "cache")
    network = EightBits(teacher)
    network.fit([next(batches) for _ in range(8)])
    network = train(network, batches, teacher, steps)
    changes = {"name": target.stem, "scores": (), "recipe": "", "steps": model.card.steps + steps}
    content = with_card(to_graph(network, parse(model.path, model.graph)), model.card.model_copy(update=changes))
    atomic.write_bytes(target, content)


if __name__ == "__main__":
    main()
