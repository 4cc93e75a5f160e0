"""Where swift-large begins: deeper and wider than swift, and computing what it computes (Net2Net, arXiv:1511.05641).

    python zoo/net2net.py swift-x3 swift-large-x3-first runs/swift-large-x3-grown/last.safetensors

The old channels keep their kernels and hear nothing from the new ones, whose kernels are random; a new layer is the
identity. The file is what a recipe's `init` can name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from subpixel import archs, models
from subpixel.archs.swift import Swift
from subpixel.models import weights
from subpixel.nn.arch import Arch
from subpixel.nn.collapsible import CollapsibleConv
from subpixel.training import checkpoint, recipe, resumption


@torch.no_grad()
def net2net(small: Arch, large: Arch) -> None:
    """Gives a Swift, as it is trained, weights that make the images of a deployed Swift.

    Raises: ValueError if that one is wider, deeper or of another scale.
    """
    assert isinstance(small, Swift)
    assert isinstance(large, Swift)
    old, new = small.config, large.config
    if new.channels < old.channels or new.layers < old.layers or new.scale != old.scale:
        raise ValueError(f"{new} cannot hold {old}")
    taken = -1
    for depth in range(new.layers):
        layer = depth * (old.layers - 1) // (new.layers - 1)  # evenly spread; the first and the last keep their places
        conv, slope = small.body[2 * layer], torch.ones(old.channels)
        if layer == taken:
            conv = nn.Conv2d(old.channels, old.channels, 3)
            nn.init.dirac_(conv.weight)
            nn.init.zeros_(conv.bias)
        elif depth < new.layers - 1:
            slope = small.body[2 * layer + 1].get_parameter("weight")
        taken = layer
        _fill(large.body[2 * depth], conv)
        if depth < new.layers - 1:
            large.body[2 * depth + 1].get_parameter("weight")[: old.channels] = slope


def _fill(wide: nn.Module, conv: nn.Module) -> None:
    """Makes a convolution the first channels of a wider one; nothing leads from the others into them yet."""
    assert isinstance(wide, CollapsibleConv)
    assert isinstance(conv, nn.Conv2d)
    outputs, inputs = conv.weight.shape[:2]
    collapsed = wide.collapse()
    collapsed.weight[:outputs] = 0
    collapsed.weight[:outputs, :inputs] = conv.weight
    if collapsed.bias is not None and conv.bias is not None:
        collapsed.bias[:outputs] = conv.bias
    wide.from_conv_(collapsed)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit("usage: python zoo/net2net.py MODEL RECIPE.toml CHECKPOINT")
    settings, target = recipe.load(Path(sys.argv[2])), Path(sys.argv[3])
    torch.manual_seed(settings.seed)
    network = archs.create(settings.arch, settings.config)
    net2net(weights.network(models.load(sys.argv[1])), network)
    target.parent.mkdir(parents=True, exist_ok=True)
    checkpoint.save(target, resumption.origin(settings, {}), checkpoint.TrainState(), {"ema": AveragedModel(network)})
