"""What every architecture is: a torch module with a frozen configuration, a paper and a halo."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Generic, Protocol, Self

from torch import Tensor, nn
from typing_extensions import TypeVar  # with defaults: in typing from Python 3.13 on

from subpixel.errors import BadRequest
from subpixel.nn.conditioning import Modulation
from subpixel.nn.scales import ByScale
from subpixel.ports import Ports


@dataclass(frozen=True)
class Paper:
    """Where a network was published."""

    title: str
    year: int
    arxiv: str = ""


class ScaleConfig(Protocol):
    """What every configuration is: a frozen dataclass with the upscaling factor."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def scale(self) -> int:
        """The upscaling factor that the network computes."""
        ...


ConfigT = TypeVar("ConfigT", bound=ScaleConfig, covariant=True, default=ScaleConfig)


class Arch(nn.Module, ABC, Generic[ConfigT]):
    """A super-resolution network: RGB in [0, 1], N 3 H W -> N 3 sH sW, for any H, W >= 1, not clipped.

    Where its configuration has `colours`, an image has so many channels: 1 for gray, 4 for red, green, blue, infrared.
    Luma-only processing, normalisation and the first enlargement of pre-upsampling networks happen inside, so
    that every runtime computes the same.
    """

    paper: ClassVar[Paper]
    EXAMPLE: ClassVar[ScaleConfig]
    """A configuration small enough for fast tests; its type is that of the network's configurations."""
    SCALES: ClassVar[tuple[int, ...]] = (2, 3, 4)
    """The factors that a configuration may have."""

    config: ConfigT
    condition: Modulation | None
    """What it is told of an image, where it is told anything; forward then takes `condition`, N numbers, as well."""

    def __init__(self, config: ConfigT) -> None:
        super().__init__()
        self.config = config
        self.condition = None
        branches: tuple[int, ...] = getattr(config, "scales", (config.scale,))
        for scale in (config.scale, *branches):
            if scale not in self.SCALES:
                raise BadRequest(f"{type(self).__name__} enlarges by {_listed(self.SCALES)}, not by {scale}")
        if config.scale not in branches:
            raise BadRequest(f"scale {config.scale} is not one of the network's scales {_listed(branches)}")

    @property
    @abstractmethod
    def halo(self) -> int:
        """Low-resolution pixels around an output pixel that can change it: exact, tiles have no seams."""

    @property
    def ports(self) -> Ports:
        """The tensors that forward takes and returns, in their order."""
        return Ports.enlarging(self.config.scale, getattr(self.config, "colours", 3))

    @property
    def supported_scales(self) -> tuple[int, ...]:
        """The scales that this one network computes; see `at_scale`."""
        return (self.config.scale,)

    def at_scale(self, scale: int) -> Self:
        """The network at another of its scales: a view with the same parameters, to train or to export.

        Raises: BadRequest for a scale that is not in `supported_scales`.
        """
        if scale not in self.supported_scales:
            raise BadRequest(f"this {type(self).__name__} computes x{_listed(self.supported_scales)}, not x{scale}")
        view = copy.copy(self)
        view.config = replace(self.config, scale=scale)
        return view

    def deploy(self) -> Self:
        """The same function as plain, fast layers: training-time branches folded, exact rewrites applied.

        Of a network with several scales only its own is kept.
        """
        deployed = copy.deepcopy(self).eval()
        for module in deployed.modules():
            if isinstance(module, ByScale):
                module.keep(self.config.scale)
        if hasattr(self.config, "scales"):
            deployed.config = replace(self.config, scales=(self.config.scale,))
        return deployed

    def outputs(self, x: Tensor, port: str = "", **condition: Tensor) -> list[tuple[Tensor, int]]:
        """Every output that a loss may see, with its scale; a pyramid has several, forward's is last.

        port: of a network that gives several tensors, the one that is meant; the first by default.
        """
        result, ports = self(x, **condition), self.ports.outputs
        k = next((k for k, output in enumerate(ports) if output.name == port), 0)
        return [(result[k] if len(ports) > 1 else result, ports[k].scale)]

    def __call__(self, *inputs: Tensor, **condition: Tensor) -> Any:
        return super().__call__(*inputs, **condition)


def _listed(scales: tuple[int, ...]) -> str:
    return ", ".join(map(str, scales))
