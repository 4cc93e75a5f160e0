"""What a network keeps for each of its scales, and the stages in which a scale is reached."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from torch import nn


class ByScale(nn.ModuleDict):
    """Layers of which each scale has its own, named x2, x3 ...: no scale's weights pass for another's."""

    def __init__(self, scales: Iterable[int], make: Callable[[int], nn.Module]) -> None:
        super().__init__({f"x{scale}": make(scale) for scale in scales})

    @property
    def scales(self) -> tuple[int, ...]:
        """The scales that are here."""
        return tuple(int(name[1:]) for name in self)

    def of(self, scale: int) -> nn.Module:
        """The layers of a scale."""
        return self[f"x{scale}"]

    def keep(self, scale: int) -> None:
        """Drops every scale but one."""
        for other in self.scales:
            if other != scale:
                del self[f"x{other}"]


def stages(scale: int) -> tuple[int, ...]:
    """The factors of the sub-pixel stages that reach a scale: powers of two by twos, others in one."""
    doublings = scale.bit_length() - 1
    return (2,) * doublings if scale == 2**doublings else (scale,)
