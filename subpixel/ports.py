"""Pure values that all layers share: the shape of an image, the tensors of a network, its geometry, a model's name."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, Self

from subpixel.errors import BadRequest

Kind = Literal["image", "map", "vector"]


@dataclass(frozen=True)
class Shape:
    """What every image states once, wherever its rows come from or go to."""

    height: int
    width: int
    channels: int
    """Channels of colour; alpha is not counted."""
    alpha: bool = False
    dtype: Literal["uint8", "uint16", "float32"] = "float32"
    """Of the samples as they are stored or computed."""

    @property
    def samples(self) -> int:
        """Numbers of a pixel, alpha included: the last axis of its rows."""
        return self.channels + self.alpha

    @property
    def pixels(self) -> int:
        """Height times width."""
        return self.height * self.width


@dataclass(frozen=True)
class Port:
    """A named tensor of a network.

    Raises: BadRequest for numbers that no network has.
    """

    name: str
    kind: Kind = "image"
    """`image` and `map` are N C H W and are cut into tiles with the halo; `vector` is N C, for the whole image."""
    channels: int = 3
    frames: int = 1
    """Images behind each other in time; they lie one behind the other in the channels: N frames*channels H W."""
    scale: int = 1
    """Its height and width, as a multiple of the first input's."""

    def __post_init__(self) -> None:
        if not self.name.isprintable() or not 0 < len(self.name) <= 128:
            raise BadRequest(f"a port is called {self.name[:40]!r}; expected a short line of text")
        if not (0 < self.channels <= 4096 and 0 < self.frames <= 256 and 0 < self.scale <= 32):
            sizes = f"{self.channels} channels, {self.frames} frames, scale {self.scale}"
            raise BadRequest(f"the port {self.name!r} has {sizes}; expected 1 to 4096, 1 to 256, 1 to 32")

    @property
    def depth(self) -> int:
        """The length of the tensor's second axis."""
        return self.channels * self.frames


@dataclass(frozen=True)
class Ports:
    """The tensors that a network takes and gives, in the order of its arguments and results.

    The first input and the first output are images, unless a network only estimates: then it has no image output.
    Raises: BadRequest for a vector among the inputs: what a network is told of an image is folded into its weights.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

    def __post_init__(self) -> None:
        if not self.inputs or not self.outputs:
            raise BadRequest("a network needs at least one input and one output")
        if self.inputs[0].kind != "image" or self.inputs[0].scale != 1:
            raise BadRequest(f"the first input {self.inputs[0].name} must be an image at scale 1")
        names = [port.name for port in (*self.inputs, *self.outputs)]
        if len(set(names)) < len(names):
            raise BadRequest(f"two ports have one name: {', '.join(sorted(names))}")
        if any(port.kind == "vector" for port in self.inputs):
            raise BadRequest("a vector is no input; numbers are folded into the weights: see Model.conditioned")

    @classmethod
    def enlarging(cls, scale: int, channels: int = 3) -> Self:
        """What most networks have: an image `low` in, and one of as many channels, `high`, out."""
        return cls((Port("low", channels=channels),), (Port("high", channels=channels, scale=scale),))

    @property
    def channels(self) -> int:
        """Of the image that goes in, those of all its frames."""
        return self.inputs[0].depth

    @property
    def enlarges(self) -> bool:
        """Whether one image goes in, and an image of as many channels comes out first: what an upscaler runs."""
        first = self.outputs[0]
        return len(self.inputs) == 1 and first.kind == "image" and first.depth == self.inputs[0].depth

    @property
    def carries(self) -> bool:
        """Whether there is a map in and out beside the image: what is kept of a frame goes on to the next."""
        return all([port.kind for port in ports] == ["image", "map"] for ports in (self.inputs, self.outputs))

    @property
    def is_plain(self) -> bool:
        """Whether there is one RGB or gray image in and one out, and nothing else."""
        ends = [[(port.kind, port.depth) for port in ports] for ports in (self.inputs, self.outputs)]
        return ends[0] == ends[1] and ends[0] in ([("image", 1)], [("image", 3)])


@dataclass(frozen=True)
class Geometry:
    """How a network sees space, in pixels of its first input."""

    scale: int
    halo: int
    """Pixels around an output pixel that can change it, exact."""
    stride: int = 1
    """Tiles begin at multiples of this; so does the halo."""
    fixed_size: int = 0
    """The one height and width that the graph takes; 0 where it takes any."""


@dataclass(frozen=True)
class ModelName:
    """The name of a model, such as swift-x2: its family and its factor."""

    family: str
    scale: int

    def __str__(self) -> str:
        return f"{self.family}-x{self.scale}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The parts of a name; None where it does not end in a factor."""
        match = re.fullmatch(r"(.+)-x([1-9]\d*)", text)
        return cls(match[1], int(match[2])) if match else None

    @classmethod
    def of_file(cls, stem: str, scale: int) -> Self:
        """What a network from elsewhere is called after its file: 4x_Nice_Photo -> nice-photo-x4."""
        words = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", stem.lower())).strip("-")[:64]
        bare = words.removeprefix(f"{scale}x-").removesuffix(f"-{scale}x").removesuffix(f"-x{scale}")
        return cls(bare or "model", scale)
