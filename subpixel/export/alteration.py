"""A model's graph as another program may need it: of one size, with half-precision weights, of another opset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from subpixel.errors import BadRequest
from subpixel.models import Model, store
from subpixel.models.compact import to_half

if TYPE_CHECKING:
    from onnx import ModelProto


@dataclass(frozen=True)
class Alteration:
    """What is to be other; such an .onnx carries no card, and is for other programs alone."""

    size: tuple[int, int] | None = None
    """Height and width of the only image that is taken; None: any."""
    half: bool = False
    """Weights in half precision, widened when the graph is loaded; biases and slopes stay."""
    opset: int | None = None
    """None: the model's own, 18 or later."""

    def __post_init__(self) -> None:
        if self.size and min(self.size) < 1:
            raise BadRequest(f"size is {self.size[1]}x{self.size[0]}; expected at least 1x1")

    def of(self, model: Model) -> Model:
        """The altered model. Raises: BadRequest for an opset that onnx cannot convert to."""
        if self == Alteration():
            return model
        proto = store.parse(model.path, model.graph)
        if self.opset is not None:
            proto = _converted(proto, self.opset)
        if self.half:
            to_half(proto)
        if self.size:
            _fix(proto, self.size, model)
        del proto.metadata_props[:]
        return Model(model.path, model.card, proto.SerializeToString(deterministic=True))


def _converted(proto: ModelProto, opset: int) -> ModelProto:
    from onnx import defs

    if (converted := _conversion(proto, opset)) is not None:
        return converted
    own, newest = proto.opset_import[0].version, defs.onnx_opset_version()
    oldest = next(each for each in range(own, -1, -1) if _conversion(proto, each - 1) is None)
    raise BadRequest(
        f"onnx cannot convert this graph to opset {opset}; expected {oldest} to {newest}, its own is {own}"
    )


def _conversion(proto: ModelProto, opset: int) -> ModelProto | None:
    """None where onnx has none."""
    from onnx import checker, version_converter

    try:
        converted = version_converter.convert_version(proto, opset)
        checker.check_model(converted)
    except Exception:  # of the C++ behind it, of many kinds: assertions in its own words
        return None
    return converted


def _fix(proto: ModelProto, size: tuple[int, int], model: Model) -> None:
    ports = model.card.ports
    for port, value in zip((*ports.inputs, *ports.outputs), (*proto.graph.input, *proto.graph.output), strict=True):
        sides = (1, 1) if port.kind == "vector" else (side * port.scale for side in size)
        for dim, length in zip(value.type.tensor_type.shape.dim, (1, port.depth, *sides), strict=True):
            dim.Clear()
            dim.dim_value = length
