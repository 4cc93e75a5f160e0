"""Where swift-video begins: with the layers of swift, folded to luma, and a memory that says nothing yet.

    python zoo/recurrent_init.py swift-x2 runs/swift-video-x2/start.onnx

Layers in the middle are left out until as many remain as the new network has. The file is what a recipe's `init` can
name.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import nn

from subpixel import models
from subpixel.archs.recurrent import Config, Recurrent
from subpixel.archs.swift import Swift
from subpixel.models import weights


@torch.no_grad()
def init_recurrent(swift: Swift, network: Recurrent) -> None:
    """Gives a network that carries what it keeps the weights of a deployed Swift of its scale and width.

    The first convolution's weights are summed over the colours, the last one's averaged, as for gray images; what is
    new begins small. Raises: ValueError for a Swift of another width or scale, or of fewer layers.
    """
    old, new = swift.config, network.config
    if (old.scale, old.channels) != (new.scale, new.channels) or old.layers < new.layers:
        raise ValueError(f"{old} does not fit {new}")
    last, dropped = new.layers - 1, old.layers - new.layers
    for layer in range(new.layers):
        taken = layer if layer <= last // 2 else layer + dropped
        conv, own = swift.body[2 * taken], network.body[2 * layer]
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(own, nn.Conv2d)
        _fill(own, conv, layer == 0, layer == last, new.scale**2)
        if layer < last:
            slope = swift.body[2 * taken + 1].get_parameter("weight")
            network.body[2 * layer + 1].get_parameter("weight").copy_(slope)


def _fill(own: nn.Conv2d, conv: nn.Conv2d, is_first: bool, is_last: bool, phases: int) -> None:
    assert own.bias is not None
    assert conv.bias is not None
    if is_first:
        own.weight.zero_()
        own.weight[:, :1], own.bias[:] = conv.weight.sum(1, keepdim=True), conv.bias
    elif is_last:
        own.weight[:phases] = conv.weight.unflatten(0, (-1, phases)).mean(0)
        own.bias[:phases] = conv.bias.unflatten(0, (-1, phases)).mean(0)
        own.weight[phases:] *= 0.1
    else:
        own.weight.copy_(conv.weight)
        own.bias.copy_(conv.bias)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python zoo/recurrent_init.py MODEL FILE.onnx")
    start, target = weights.network(models.load(sys.argv[1])), Path(sys.argv[2])
    assert isinstance(start, Swift)
    torch.manual_seed(0)
    network = Recurrent(Config(scale=start.config.scale, channels=start.config.channels))
    init_recurrent(start, network)
    target.parent.mkdir(parents=True, exist_ok=True)
    weights.save(network, target)
