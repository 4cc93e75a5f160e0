"""Residual blocks of two convolutions, without and with batch normalisation."""

from __future__ import annotations

from torch import Tensor, nn

from subpixel.nn.affine import fold_batchnorm, scaled


class ResidualBlock(nn.Module):
    """x + scale conv(relu(conv(x))): a block without normalisation (Lim et al. 2017, figure 2c), N C H W."""

    def __init__(self, features: int, kernel: int = 3, scale: float = 1.0) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(features, features, kernel, padding=kernel // 2),
            nn.ReLU(),
            nn.Conv2d(features, features, kernel, padding=kernel // 2),
        )
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        residual = self.body(x)
        return x + (residual if self.scale == 1 else residual * self.scale)

    def fold(self) -> None:
        """Moves the residual scale into the second convolution."""
        last = self.body[2]
        assert isinstance(last, nn.Conv2d)
        self.body[2] = scaled(last, self.scale)
        self.scale = 1.0


class NormalisedBlock(nn.Module):
    """x + norm(conv(prelu(norm(conv(x))))): a block of SRResNet (Ledig et al. 2017, figure 4), N C H W."""

    def __init__(self, features: int, norm: bool = True) -> None:
        super().__init__()
        self.body = nn.Sequential(*conv_norm(features, norm), nn.PReLU(), *conv_norm(features, norm))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)

    def fold(self) -> None:
        """Moves the batch normalisations into the convolutions."""
        self.body = fold_batchnorm(self.body)


def conv_norm(features: int, norm: bool) -> list[nn.Module]:
    """A 3x3 convolution with batch normalisation, or with a bias in its place."""
    conv = nn.Conv2d(features, features, 3, padding=1, bias=not norm)
    return [conv, nn.BatchNorm2d(features)] if norm else [conv]
