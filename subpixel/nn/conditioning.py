"""Networks that are told a few numbers of an image: each convolution is scaled and shifted by what they say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn


class Modulation(nn.Module):
    """A few numbers -> a gain and a shift for each channel of the named layers (FiLM, Perez et al. 2018).

    y = (1 + gain) conv(x) + shift. For one image the numbers are fixed, so both can be folded into the convolution,
    W' = (1 + gain) W and b' = (1 + gain) b + shift, and cost nothing when it runs: see `Model.conditioned`.
    It begins as no change at all.
    """

    def __init__(self, values: Sequence[str], layers: Mapping[str, int], hidden: int = 64) -> None:
        """values: the names of the numbers. layers: name of a convolution in the deploy form -> its channels."""
        super().__init__()
        self.values, self.layers = tuple(values), dict(layers)
        last = nn.Linear(hidden, 2 * sum(self.layers.values()))
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.net = nn.Sequential(
            nn.Linear(len(self.values), hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU(), last
        )

    def forward(self, values: Tensor) -> dict[str, tuple[Tensor, Tensor]]:
        """N numbers in the order of `values` -> for each layer its gain and shift, N C 1 1."""
        widths = [width for channels in self.layers.values() for width in (channels, channels)]
        parts = self.net(values)[..., None, None].split(widths, dim=1)
        return {name: (parts[2 * k], parts[2 * k + 1]) for k, name in enumerate(self.layers)}


def modulated(x: Tensor, by: tuple[Tensor, Tensor] | None) -> Tensor:
    """What a convolution gave, N C H W, scaled and shifted by `by`, each N C 1 1; as it is where that is None."""
    return x if by is None else x * (1 + by[0]) + by[1]
