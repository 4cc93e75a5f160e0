"""The card of a model: what it is, where it comes from, how good it was measured to be."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from subpixel.ports import Geometry, ModelName, Ports


class Score(BaseModel):
    """One measured number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    metric: str
    value: float
    protocol: str
    """How the images were prepared: channel, shave, rounding, degradation."""


class Condition(BaseModel):
    """What a conditioned network is told, and which of its layers listen: see `Model.conditioned`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[str, ...]
    """Names of the numbers, in the order of the condition's first layer."""
    layers: tuple[str, ...]
    """The convolutions that are scaled and shifted, by their names in the graph."""


class Card(BaseModel):
    """Everything a model file says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """For instance swift-x2."""
    arch: str
    config: dict[str, Any]
    scale: int
    ports: Ports = Field(default_factory=lambda known: Ports.enlarging(known["scale"]))
    """What the graph takes and gives; cards that do not say it mean `low` and `high`."""
    condition: Condition | None = None
    """None for a network that is told nothing, or whose condition is folded into its weights."""
    halo: int
    """Low-resolution pixels around an output pixel that can change it, exact."""
    tile_stride: int = 1
    """Tiles begin at multiples of this, for the network counts windows or phases from the corner; so does the halo."""
    fixed_size: int = 0
    """The one height and width that the graph takes; 0 where it takes any."""
    parameters: int
    """Trainable numbers, of the training or the deploy form, whichever has fewer."""
    macs: float
    """Multiply-adds per output pixel."""
    widest: int
    """Channels of its widest layer, counted at low resolution: what a tile costs in memory."""
    licence: str
    paper: str
    recipe: str = ""
    """Digest of the training recipe."""
    steps: int = 0
    """Of training, with those of the network it went on from; not those of another scale's."""
    hours: float = 0.0
    """Of the same, validation included, on whatever machine it was."""
    data: str = ""
    """Digest of the manifest of the training images."""
    scores: tuple[Score, ...] = ()
    sha256: str = ""
    """Of the graph with all its weights in single precision, without this card."""

    @property
    def family(self) -> str:
        """The name without its scale."""
        name = ModelName.parse(self.name)
        return name.family if name and name.scale == self.scale else self.name

    @property
    def geometry(self) -> Geometry:
        return Geometry(self.scale, self.halo, self.tile_stride, self.fixed_size)

    def score(self, dataset: str, metric: str = "psnr") -> float | None:
        """A measured number, or None where none was taken."""
        return next((s.value for s in self.scores if (s.dataset, s.metric) == (dataset, metric)), None)
