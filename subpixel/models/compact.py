"""Model files kept small: weights in half precision, and one file of weights for the scales of one network.

Both are plain ONNX: a half-precision tensor goes through a Cast, a shared one is external data. What is loaded is the
same graph with every weight inside it, in single precision.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from subpixel.errors import BadWeights, unread
from subpixel.models.graph import is_outside

if TYPE_CHECKING:
    from onnx import ModelProto, TensorProto

SUFFIX = ".weights"
HALF = ".half"
SMALLEST = 4096
"""Elements below which a tensor stays as it is: biases, slopes, and the chroma of luma networks, which must cancel."""


def to_half(proto: ModelProto) -> None:
    """Puts the large weights of a graph into half precision, each followed by a Cast."""
    from onnx import TensorProto, helper, numpy_helper

    large = [t for t in proto.graph.initializer if t.data_type == TensorProto.FLOAT and np.prod(t.dims) >= SMALLEST]
    for place, tensor in enumerate(large):
        name, half = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(half, name + HALF))
        proto.graph.node.insert(place, helper.make_node("Cast", [name + HALF], [name], to=TensorProto.FLOAT))


def share_weights(protos: list[ModelProto], name: str) -> bytes:
    """Moves the half-precision weights of several graphs into a file, once where they are equal; returns its bytes."""
    from onnx import external_data_helper

    content, places = bytearray(), dict[bytes, int]()
    for proto in protos:
        for tensor in (t for t in proto.graph.initializer if t.name.endswith(HALF)):
            data = tensor.raw_data
            if data not in places:
                places[data] = len(content)
                content += data
            external_data_helper.set_external_data(tensor, name, offset=places[data], length=len(data))
            tensor.ClearField("raw_data")
    return bytes(content)


def load_full(path: Path, proto: ModelProto) -> None:
    """Puts every weight into the graph in single precision.

    path: the model file, beside which a shared file lies.
    Raises: BadWeights if that file is not there, or has not what the tensors need.
    """
    for tensor in (t for t in proto.graph.initializer if is_outside(t)):
        tensor.raw_data = _outside(path, tensor)
        del tensor.external_data[:]
        tensor.ClearField("data_location")
    _widen(path, proto)


def _widen(path: Path, proto: ModelProto) -> None:
    """Takes out the Casts behind half-precision weights."""
    from onnx import TensorProto, numpy_helper

    halves = {t.name: t for t in proto.graph.initializer if t.data_type == TensorProto.FLOAT16}
    casts = [n for n in proto.graph.node if n.op_type == "Cast" and [*n.input] and n.input[0] in halves and n.output]
    for cast in casts:
        tensor = halves[cast.input[0]]
        try:
            wide = numpy_helper.to_array(tensor).astype(np.float32)
        except ValueError:
            raise BadWeights(path, f"its tensor {tensor.name!r} has not the numbers its shape needs") from None
        tensor.CopyFrom(numpy_helper.from_array(wide, cast.output[0]))
        proto.graph.node.remove(cast)


def _outside(path: Path, tensor: TensorProto) -> bytes:
    """The bytes of a tensor that lies in a file of weights beside its model file, and nowhere else."""
    entry = {e.key: e.value for e in tensor.external_data}
    try:
        name, start, length = entry["location"], int(entry.get("offset", 0)), int(entry["length"])
    except (KeyError, ValueError):
        raise BadWeights(path, f"it does not say where its tensor {tensor.name!r} lies") from None
    if Path(name).name != name or not name.endswith(SUFFIX):
        raise BadWeights(path, f"its tensors lie in {name!r}; expected a {SUFFIX} file beside it")
    file = path.with_name(name)
    try:
        if not file.is_file():
            raise BadWeights(path, f"its weights lie beside it, in {name!r}, and there is no such file")
        if min(start, length) < 0 or start + length > file.stat().st_size or length > 8 * math.prod(tensor.dims):
            raise BadWeights(path, f"its weights in {name!r} end too early; fetch both files anew")
        with file.open("rb") as stream:
            stream.seek(start)
            return stream.read(length)
    except OSError as error:
        raise BadWeights(path, f"its weights lie beside it, in {name!r}: {unread(error)}") from None
