"""SRGAN (Ledig et al., CVPR 2017, arXiv:1609.04802): SRResNet's network against a discriminator."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor, nn

from subpixel.nn.arch import Paper
from subpixel.nn.generator import Config as GeneratorConfig
from subpixel.nn.generator import Generator


class SRGAN(Generator):
    """The generator: SRResNet's structure and weight names, so that it starts from a trained SRResNet."""

    paper = Paper(
        "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", 2017, "1609.04802"
    )
    EXAMPLE = GeneratorConfig(blocks=2, features=8)


class Discriminator(nn.Module):
    """Is a patch a photo? RGB in [0, 1], N 3 P P -> N 1 logits (figure 4; the loss has the sigmoid)."""

    @dataclass(frozen=True)
    class Config:
        """The sizes of a discriminator; the defaults are the paper's."""

        patch: int = 96
        """Side of the high-resolution patches, in pixels; a multiple of 16."""
        features: int = 64
        """Channels of the first convolution; the last has eight times as many."""
        dense: int = 1024
        """Units of the first dense layer."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        c, side = config.features, config.patch // 16
        widths = [c, c, 2 * c, 2 * c, 4 * c, 4 * c, 8 * c, 8 * c]
        layers: list[nn.Module] = [nn.Conv2d(3, c, 3, padding=1), nn.LeakyReLU(0.2)]
        for n, (inputs, outputs) in enumerate(pairwise(widths)):
            conv = nn.Conv2d(inputs, outputs, 3, stride=1 if n % 2 else 2, padding=1, bias=False)
            layers += [conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(8 * c * side**2, config.dense), nn.LeakyReLU(0.2), nn.Linear(config.dense, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """N 3 P P in [0, 1] -> N 1, logits that a patch is a photo."""
        return self.classifier(self.features(x * 2 - 1))
