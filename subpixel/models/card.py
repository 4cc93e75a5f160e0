"""The card of a model: what it is, where it comes from, how good it was measured to be."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from subpixel.errors import BadRequest, printable
from subpixel.ports import Geometry, ModelName, Port, Ports


def _file_name(name: str) -> str:
    if not name.isprintable() or name.startswith(".") or not 0 < len(name) <= 128 or set(name) & set("/\\:"):
        raise ValueError(f"{name!r} is no name; expected one such as swift-x2: without / \\ and :, no dot first")
    return name


def _printable(text: str) -> str:
    if text != printable(text) or len(text) > 1024:
        raise ValueError(f"{text[:40]!r} is no line of text")
    return text


def _settings(value: Any) -> Any:
    """Numbers of a network that could exist, flags, lines of text, and lists of them."""
    match value:
        case str():
            return _printable(value)
        case bool() | None:
            return value
        case int() | float() if abs(value) <= 1024:
            return value
        case list() | tuple() if len(value) <= 256:  # pyright: ignore[reportUnknownArgumentType]
            return [_settings(each) for each in value]
        case _:
            raise ValueError(f"{str(value)[:40]!r} is no setting of a network")


FileName = Annotated[str, AfterValidator(_file_name)]
"""What a file may be called after: it never leaves a folder."""
Line = Annotated[str, AfterValidator(_printable)]
Setting = Annotated[Any, AfterValidator(_settings)]
Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Score(BaseModel):
    """One measured number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: Line
    metric: Line
    value: float
    protocol: Line
    """How the images were prepared: channel, shave, rounding, degradation."""


class Condition(BaseModel):
    """What a conditioned network is told, and which of its layers listen: see `Model.conditioned`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: tuple[Line, ...]
    """Names of the numbers, in the order of the condition's first layer."""
    layers: tuple[Line, ...]
    """The convolutions that are scaled and shifted, by their names in the graph."""


class Card(BaseModel):
    """Everything a model file says about itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: FileName
    """For instance swift-x2."""
    arch: Line
    config: dict[Line, Setting]
    scale: int = Field(ge=1, le=32)
    ports: Ports = Field(default_factory=lambda known: Ports.enlarging(known["scale"]))
    """What the graph takes and gives; cards that do not say it mean `low` and `high`."""
    condition: Condition | None = None
    """None for a network that is told nothing, or whose condition is folded into its weights."""
    halo: int = Field(ge=0, le=1024)
    """Low-resolution pixels around an output pixel that can change it, exact."""
    tile_stride: int = Field(default=1, ge=1, le=256)
    """Tiles begin at multiples of this, for the network counts windows or phases from the corner; so does the halo."""
    fixed_size: int = Field(default=0, ge=0, le=4096)
    """The one height and width that the graph takes; 0 where it takes any."""
    parameters: int = Field(ge=0)
    """Trainable numbers, of the training or the deploy form, whichever has fewer."""
    macs: Number
    """Multiply-adds per output pixel."""
    widest: int = Field(ge=1, le=1 << 20)
    """Channels of its widest layer, counted at low resolution: what a tile costs in memory."""
    licence: Line
    paper: Line
    recipe: Line = ""
    """Digest of the training recipe."""
    steps: int = Field(default=0, ge=0)
    """Of training, with those of the network it went on from; not those of another scale's."""
    hours: Number = 0.0
    """Of the same, validation included, on whatever machine it was."""
    data: Line = ""
    """Digest of the manifest of the training images."""
    subject: Line = ""
    """What most of them show, where it is of one kind, such as text; empty for photos."""
    scores: tuple[Score, ...] = ()
    sha256: Line = ""
    """Of the graph with all its weights in single precision, without this card."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        first: Port = self.ports.outputs[0]
        if first.kind == "image" and first.scale != self.scale:
            raise ValueError(f"{first.name!r} is enlarged {first.scale} times; expected its scale, {self.scale}")
        if self.halo % self.tile_stride:
            raise ValueError(f"a halo of {self.halo} is no multiple of the stride {self.tile_stride}")
        if self.fixed_size and self.fixed_size <= 2 * self.halo:
            raise ValueError(f"a halo of {self.halo} leaves nothing of a graph for {self.fixed_size} pixels")
        return self

    @property
    def family(self) -> str:
        """The name without its scale."""
        name = ModelName.parse(self.name)
        return name.family if name and name.scale == self.scale else self.name

    @property
    def geometry(self) -> Geometry:
        """What tiles must know of the network."""
        return Geometry(self.scale, self.halo, self.tile_stride, self.fixed_size)

    def check_enlarges(self, video: bool = False) -> None:
        """Asked wherever a model is given for images. video: they are the frames of one, and what is seen is kept.

        Raises: BadRequest for a network with a memory, which is for videos alone, or one that enlarges nothing.
        """
        if self.ports.carries and not video:
            raise BadRequest(f"{self.name} carries what it sees from frame to frame; it is for videos: subpixel video")
        if not (self.ports.enlarges or self.ports.carries):
            raise BadRequest(f"{self.name} is no network from one image to a larger one of as many channels")

    def score(self, dataset: str, metric: str = "psnr") -> float | None:
        """A measured number, or None where none was taken."""
        return next((s.value for s in self.scores if (s.dataset, s.metric) == (dataset, metric)), None)
