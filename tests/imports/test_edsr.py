"""EDSR-PyTorch's checkpoints compute here what they compute there, and can be trained further."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from subpixel import models
from subpixel.errors import BadWeights
from subpixel.imports.import_model import import_model
from subpixel.models import weights
from subpixel.training import recipe
from subpixel.training.initialization import InitialWeights, build_network, loaded_summary

MEAN = (0.4488, 0.4371, 0.4040)


class Shift(nn.Conv2d):
    """MeanShift of EDSR-PyTorch: a 1x1 convolution in 0..255."""

    def __init__(self, sign: int) -> None:
        super().__init__(3, 3, 1)
        self.weight.data = torch.eye(3).view(3, 3, 1, 1)
        self.bias.data = sign * 255 * torch.tensor(MEAN)  # pyright: ignore


class Block(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.ReLU(), nn.Conv2d(c, c, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.body(x)


class Theirs(nn.Module):
    """Written after the paper and the names of the authors' files."""

    def __init__(self, scale: int, blocks: int = 2, c: int = 8) -> None:
        super().__init__()
        self.sub_mean, self.add_mean = Shift(-1), Shift(1)
        self.head = nn.Sequential(nn.Conv2d(3, c, 3, padding=1))
        self.body = nn.Sequential(*(Block(c) for _ in range(blocks)), nn.Conv2d(c, c, 3, padding=1))
        up: list[nn.Module] = []
        for factor in [3] if scale == 3 else [2] * (scale.bit_length() - 1):
            up += [nn.Conv2d(c, c * factor**2, 3, padding=1), nn.PixelShuffle(factor)]
        self.tail = nn.Sequential(nn.Sequential(*up), nn.Conv2d(c, 3, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.head(self.sub_mean(255 * x))
        return self.add_mean(self.tail(features + self.body(features))) / 255


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_their_network_is_ours(scale: int, tmp_path: Path) -> None:
    torch.manual_seed(scale)
    theirs, path = Theirs(scale).eval(), tmp_path / f"edsr_baseline_x{scale}.pt"
    torch.save(theirs.state_dict(), path)
    model = import_model(path, tmp_path / f"mine-x{scale}.onnx")
    assert (model.card.arch, model.card.scale, model.card.licence) == ("edsr", scale, "unknown, imported")
    x = torch.rand(1, 3, 9, 11)
    with torch.no_grad():
        torch.testing.assert_close(weights.network(model)(x), theirs(x), rtol=0, atol=2e-5)
    page = {"config.blocks": 2, "config.features": 8, "config.scale": scale, "init": str(model.path), "steps": 1}
    init = InitialWeights.from_models([models.load(model.path)])
    network = build_network(recipe.load("edsr-base-x2", page), init, "cpu")
    assert loaded_summary(network, init) == f"{len(network.state_dict())} of {len(network.state_dict())}"


def test_weights_that_only_look_like_it(tmp_path: Path) -> None:
    state = Theirs(2).state_dict()
    state.pop("body.0.body.2.bias")
    torch.save(state, tmp_path / "broken.pt")
    with pytest.raises(BadWeights, match=r"its weights do not fit EDSR: .*Missing key"):
        import_model(tmp_path / "broken.pt", tmp_path / "broken.onnx")
    assert not (tmp_path / "broken.onnx").exists()
