"""SRResNet (Ledig et al., CVPR 2017, arXiv:1609.04802): batch-normalised residual blocks, pixel loss."""

from __future__ import annotations

from subpixel.nn.arch import Paper
from subpixel.nn.generator import Config, Generator


class SRResNet(Generator):
    """The residual network of the SRGAN paper, for a pixel or a content loss."""

    paper = Paper(
        "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial Network", 2017, "1609.04802"
    )
    EXAMPLE = Config(blocks=2, features=8)
