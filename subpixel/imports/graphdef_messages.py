"""The few messages of TensorFlow's GraphDef that a frozen network is made of, for google.protobuf.

No package that we depend on brings them compiled, so they are described here and built when first used. Unknown fields
are skipped. Source: tensorflow/core/framework/{graph,node_def,attr_value,tensor,tensor_shape}.proto.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_PACKAGE = "subpixel.graphdef"
_MESSAGES = {
    "GraphDef": {"node": (1, "repeated NodeDef")},
    "NodeDef": {
        "name": (1, "string"),
        "op": (2, "string"),
        "input": (3, "repeated string"),
        "attr": (5, "repeated Attribute"),
    },
    "Attribute": {"key": (1, "string"), "value": (2, "AttrValue")},  # an entry of the map
    "AttrValue": {
        "list": (1, "ListValue"),
        "s": (2, "bytes"),
        "i": (3, "int64"),
        "f": (4, "float"),
        "b": (5, "bool"),
        "type": (6, "int32"),
        "tensor": (8, "TensorProto"),
    },
    "ListValue": {"i": (3, "repeated int64")},
    "TensorProto": {
        "dtype": (1, "int32"),
        "tensor_shape": (2, "TensorShapeProto"),
        "tensor_content": (4, "bytes"),
        "float_val": (5, "repeated float"),
        "int_val": (7, "repeated int32"),
    },
    "TensorShapeProto": {"dim": (2, "repeated Dim")},
    "Dim": {"size": (1, "int64")},
}
"""Message -> field -> number and type, as protoc would read them."""
ONE_OF = "value"
"""What the fields of an AttrValue share: one of them is set."""


@cache
def message_classes() -> dict[str, type[Any]]:
    """The classes of the messages, by name."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="subpixel/graphdef.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        message.field.extend(_field(*field) for field in fields.items())
    one_of = file.message_type[list(_MESSAGES).index("AttrValue")]
    one_of.oneof_decl.add(name=ONE_OF)
    for field in one_of.field:
        field.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{n}")) for n in _MESSAGES}


def _field(name: str, numbered: tuple[int, str]) -> Any:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field

    number, kind = numbered
    bare = kind.removeprefix("repeated ")
    label = Field.LABEL_OPTIONAL if bare == kind else Field.LABEL_REPEATED
    if bare in _MESSAGES:
        return Field(name=name, number=number, label=label, type_name=f".{_PACKAGE}.{bare}")
    return Field(name=name, number=number, label=label, type=Field.Type.Value(f"TYPE_{bare.upper()}"))
