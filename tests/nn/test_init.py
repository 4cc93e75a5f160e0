"""What a fresh network makes of an image: an enlargement, so that training has only detail to learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from subpixel import archs
from subpixel.images import from_batch, to_batch
from subpixel.nn.init import zero_mean_init
from subpixel.resample import resize

LEVEL = 1 / 255
NAMES = ["fsrcnn", "espcn", "srresnet", "edsr", "mdsr", "carn", "srcnn", "vdsr"]


@pytest.mark.parametrize(("name", "scale"), [(n, s) for n in NAMES for s in (2, 3, 4) if (n, s) != ("srresnet", 3)])
def test_a_fresh_network_enlarges(name: str, scale: int) -> None:
    torch.manual_seed(1)
    config: dict[str, Any] = {} if name in ("mdsr", "carn", "vdsr") else {"scale": scale}
    network = archs.create(name, config).at_scale(scale).eval()
    low = np.random.default_rng(2).uniform(0.1, 0.9, (12, 14, 1)).astype(np.float32).repeat(3, axis=2)  # gray
    with torch.no_grad():
        high = from_batch(network(torch.from_numpy(to_batch(low))).numpy())
    if name in ("srcnn", "vdsr"):
        expected = resize(low, 12 * scale, 14 * scale)
    else:
        expected = low.repeat(scale, axis=0).repeat(scale, axis=1)
    inside = slice(4 * scale, -4 * scale)  # SRCNN and VDSR repeat the border where MATLAB mirrors it
    tolerance = {"espcn": 2.5, "vdsr": 2.5}.get(name, 0.01) * LEVEL  # tanh bends; VDSR's layers are near the identity
    assert np.abs(high - expected)[inside, inside].max() < tolerance


def test_zero_mean_filters_see_edges_and_not_brightness() -> None:
    torch.manual_seed(1)
    conv = torch.nn.Conv2d(1, 9, 5)
    zero_mean_init(conv, 4.0, 64.0)
    with torch.no_grad():
        assert conv(torch.full((1, 1, 5, 5), 0.7)).abs().max() < 1e-5
    norms = conv.weight.detach().flatten(1).square().sum(1).sqrt()
    torch.testing.assert_close(norms, 4.0 * 2.0 ** (torch.arange(9) / 2))  # evenly spaced in their logarithm
