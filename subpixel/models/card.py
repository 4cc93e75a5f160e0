"""The card of a model: what it is, where it comes from, how good it was measured to be."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict


class Score(BaseModel):
    """One measured number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    metric: str
    value: float
    protocol: str
    """How the images were prepared: channel, shave, rounding, degradation."""


class Card(BaseModel):
    """Everything a model file says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    """For instance swift-x2."""
    arch: str
    config: dict[str, Any]
    scale: int
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
        return self.name.removesuffix(f"-x{self.scale}")

    def score(self, dataset: str, metric: str = "psnr") -> float | None:
        """A measured number, or None where none was taken."""
        return next((s.value for s in self.scores if (s.dataset, s.metric) == (dataset, metric)), None)
