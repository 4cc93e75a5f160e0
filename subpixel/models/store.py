"""The models in the package and on disk: list, load, verify."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from subpixel import atomic
from subpixel.errors import BadRequest, BadWeights, UnknownName, unread
from subpixel.models.blending import add_difference
from subpixel.models.card import Card
from subpixel.models.compact import load_full
from subpixel.models.conditioning import fold
from subpixel.models.graph import LARGEST, check, check_fit, one_line
from subpixel.models.gray import fold_gray
from subpixel.models.naming import matching_models
from subpixel.ports import Port, Ports

if TYPE_CHECKING:
    from onnx import ModelProto

FOLDER = Path(__file__).parent
KEY = "subpixel.card"


@dataclass(frozen=True)
class Model:
    """A model file that was verified: its graph, as bytes for a runtime, and its card."""

    path: Path
    card: Card
    graph: bytes

    @property
    def of_package(self) -> bool:
        """Whether it came with the package: known to compute finite numbers, which files of others have to show."""
        return self.path.parent == FOLDER

    def conditioned(self, values: Mapping[str, float]) -> Model:
        """The plain model for images of which this is true: the condition is folded into the weights.

        values: a number for each name in `card.condition.values`.
        Raises: BadRequest for a model that is told nothing, or a value that is missing, unknown or not finite;
        BadWeights for a condition that does not fit the weights.
        """
        if self.card.condition is None:
            raise BadRequest(f"{self.card.name} is not conditioned; it takes no values")
        proto = parse(self.path, self.graph)
        try:
            fold(proto, self.card.condition, values)
        except BadRequest:
            raise
        except (KeyError, ValueError, IndexError):
            raise BadWeights(self.path, "its condition does not fit its weights") from None
        card = self.card.model_copy(update={"condition": None, "sha256": digest(proto)})
        return Model(self.path, card, with_metadata(proto, card))

    @cached_property
    def on_gray(self) -> Model:
        """The same for gray images, faster, where its shape allows it: see `gray`; else this model."""
        if not self.card.ports.is_plain or self.card.ports.inputs[0].depth == 1:
            return self
        proto = parse(self.path, self.graph)
        if not fold_gray(proto):
            return self
        ports = Ports((Port("low", channels=1),), (Port("high", channels=1, scale=self.card.scale),))
        card = self.card.model_copy(update={"ports": ports, "sha256": digest(proto)})
        return Model(self.path, card, with_metadata(proto, card))

    def with_difference(self, start: Model, end: Model, share: float) -> Model:
        """Its weights, and a share of what those of `end` have beyond those of `start`, which may be this model.

        share: 0 this model; from itself, 1 is `end`. Sources: ESRGAN (Wang et al. 2018, arXiv:1809.00219, section 3.4)
        between two; "Editing models with task arithmetic" (Ilharco et al. 2023, arXiv:2212.04089) for a third.
        Raises: BadRequest for models of another structure.
        """
        proto = parse(self.path, self.graph)
        try:
            add_difference(proto, parse(start.path, start.graph), parse(end.path, end.graph), share)
        except ValueError:
            names = f"{self.card.name}, {start.card.name} and {end.card.name}"
            raise BadRequest(f"{names} are not of one structure; none lies between") from None
        card = self.card.model_copy(update={"sha256": digest(proto)})
        return Model(self.path, card, with_metadata(proto, card))


def names() -> list[str]:
    """The models in the package, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.onnx"))


def of_photos() -> list[str]:
    """Those that enlarge one image; the others carry what they see from frame to frame."""
    return [name for name in names() if load(name).card.ports.enlarges]


def enlarging() -> list[str]:
    """Those for photos of any kind that do nothing else, and so are measured by the field's benchmarks."""
    cards = (load(name).card for name in of_photos())
    return [card.name for card in cards if card.condition is None and not card.subject]


def load(name_or_path: str | Path) -> Model:
    """Opens and verifies a model of the package, or a file of the user's own.

    Raises: UnknownName with the closest name; BadRequest for a family of several; BadWeights for a file that is
    damaged or not ours.
    """
    path = _locate(name_or_path)
    return read(path, _bytes(path))


def read(path: Path, content: bytes) -> Model:
    """The model in a file's bytes, verified. Raises: BadWeights."""
    proto = parse(path, content)
    card = card_of(path, proto)
    load_full(path, proto)
    check_fit(path, proto, card)
    actual = digest(proto)
    if actual != card.sha256:
        raise BadWeights(path, f"its sha256 is {actual[:16]}..., its card says {card.sha256[:16]}...; fetch it anew")
    return Model(path, card, with_metadata(proto, card))


def _locate(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if path.suffix == ".onnx":
        return path
    if len(path.parts) > 1 and not path.exists():
        raise BadWeights(path, "no such file")
    matching = matching_models(str(name_or_path), names())
    if not matching and path.exists():
        raise BadWeights(path, "expected a file that ends in .onnx; subpixel import makes one of other weights")
    if not matching:
        raise UnknownName("model", str(name_or_path), names())
    if len(matching) > 1:
        raise BadRequest(f"{name_or_path} is a family of several models; name one of {', '.join(matching)}")
    return FOLDER / f"{matching[0]}.onnx"


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise BadWeights(path, "it is no file" if path.exists() else "no such file")
        if path.stat().st_size > LARGEST:
            raise BadWeights(path, "it is larger than 1 GiB")
        return path.read_bytes()
    except OSError as error:
        raise BadWeights(path, unread(error)) from None


def parse(path: Path, content: bytes) -> ModelProto:
    """The ONNX message in a file's bytes; see `graph.check` for what it may hold.

    Raises: BadWeights if there is none, or one that holds more.
    """
    from google.protobuf.message import DecodeError
    from onnx import ModelProto

    try:
        proto = ModelProto.FromString(content)
    except DecodeError:
        raise BadWeights(path, "it is not an ONNX file") from None
    if not proto.graph.node:
        raise BadWeights(path, "it is not an ONNX file, or it is empty")
    check(path, proto)
    return proto


def card_of(path: Path, proto: ModelProto) -> Card:
    """The card in a model.

    Raises: BadWeights if there is none, or one that this version cannot read.
    """
    text = next((entry.value for entry in proto.metadata_props if entry.key == KEY), None)
    if text is None:
        raise BadWeights(
            path,
            "it is an ONNX file without a subpixel card, for other programs; import the weights that it was made of "
            "(.pb, .pth, .safetensors), or export it without --size, --half and --opset",
        )
    return read_card(path, text)


def read_card(path: Path, text: str) -> Card:
    """A card from its JSON. Raises: BadWeights for one that this version cannot read."""
    try:
        return Card.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its ports"
        raise BadWeights(path, f"its card is wrong at {where}: {one_line(first['msg'])}") from None


def digest(proto: ModelProto) -> str:
    """The sha256 of a graph with its weights, without its card."""
    from onnx import ModelProto

    bare = ModelProto()
    bare.CopyFrom(proto)
    del bare.metadata_props[:]
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()


def with_card(proto: ModelProto, card: Card) -> bytes:
    """The bytes of a model file: the graph with its card, sealed by its sha256."""
    return with_metadata(proto, card.model_copy(update={"sha256": digest(proto)}))


def with_metadata(proto: ModelProto, card: Card) -> bytes:
    """The bytes of a model file: the graph with its card as it is."""
    del proto.metadata_props[:]
    proto.metadata_props.add(key=KEY, value=card.model_dump_json())
    return proto.SerializeToString(deterministic=True)


def rewrite_card(path: Path, **changes: object) -> Card:
    """Replaces fields of a model file's card (new scores, for instance) and returns the new card."""
    model = load(path)
    card = Card.model_validate(model.card.model_dump() | changes)
    atomic.write_bytes(path, with_metadata(parse(path, _bytes(path)), card))
    return card
