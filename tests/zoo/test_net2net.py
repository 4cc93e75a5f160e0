"""A network that was made larger gives the images of the smaller one, and every weight of it can learn."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from subpixel.archs.swift import Config, Swift
from zoo.net2net import net2net

SMALL = Config(scale=2, channels=4, layers=5, expansion=8)


def trained(config: Config) -> Swift:
    """A deployed network whose weights, biases and slopes are all random."""
    torch.manual_seed(0)
    network = Swift(config)
    with torch.no_grad():
        for layer in network.body:
            if isinstance(layer, nn.PReLU):
                layer.weight.uniform_(-0.5, 0.5)
    return network.deploy()


@pytest.mark.parametrize(("channels", "layers"), [(8, 8), (4, 7), (6, 5), (4, 5), (16, 12)])
def test_the_larger_network_gives_the_same_images(channels: int, layers: int) -> None:
    small, x = trained(SMALL), torch.rand(2, 3, 12, 9)
    torch.manual_seed(1)
    large = Swift(Config(scale=2, channels=channels, layers=layers, expansion=16))
    net2net(small, large)
    expected = small(x)
    torch.testing.assert_close(large(x), expected, atol=2e-5, rtol=0)
    torch.testing.assert_close(large.deploy()(x), expected, atol=2e-5, rtol=0)
    assert (expected - x.repeat_interleave(2, 2).repeat_interleave(2, 3)).abs().max() > 0.01


def test_the_new_channels_can_learn() -> None:
    large = Swift(Config(scale=2, channels=8, layers=8, expansion=16))
    net2net(trained(SMALL), large)
    large(torch.rand(2, 3, 12, 9)).square().mean().backward()
    for layer in (large.body[2], large.body[-1]):
        gradient = layer.get_submodule("expand").get_parameter("weight").grad
        assert gradient is not None
        assert gradient[:, 4:].abs().amax((0, 2, 3)).min() > 0  # from each of the new channels
    plain = large.deploy()
    assert plain.body[2].get_parameter("weight")[:4, 4:].abs().max() < 1e-5  # nothing into the old ones yet
    assert plain.body[2].get_parameter("weight")[4:].abs().min() > 0


@pytest.mark.parametrize("change", [{"channels": 3}, {"layers": 4}, {"scale": 3}])
def test_a_network_that_cannot_hold_the_small_one_is_refused(change: dict[str, int]) -> None:
    config = {"scale": 2, "channels": 8, "layers": 8} | change
    with pytest.raises(ValueError, match="cannot hold"):
        net2net(trained(SMALL), Swift(Config(**config)))
