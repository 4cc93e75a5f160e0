"""The wire format of protocol buffers: fields with a number and one of four types, nothing more.

Source: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

from collections.abc import Iterator

Value = int | bytes
"""A varint as an unsigned number; anything else as its bytes."""

_FIXED = {1: 8, 5: 4}  # wire type -> bytes


def fields(message: bytes) -> Iterator[tuple[int, Value]]:
    """The fields of a message, in their order.

    Raises: ValueError where the message ends within a field or has a type that no current writer uses.
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(message, at)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"byte {at} has the unknown wire type {kind}")
        if size > len(message) - at:
            raise ValueError(f"a field of {size} bytes goes beyond the end")
        yield number, message[at : at + size]
        at += size


def varints(packed: bytes) -> Iterator[int]:
    """The numbers of a packed list."""
    at = 0
    while at < len(packed):
        value, at = _varint(packed, at)
        yield value


def signed(value: int) -> int:
    """A varint as int64: negative numbers are stored as their two's complement."""
    return value - (1 << 64) if value >> 63 else value


def field(number: int, value: Value) -> bytes:
    """One field: numbers as varints, bytes with their length."""
    if isinstance(value, int):
        return _encoded(number << 3) + _encoded(value)
    return _encoded(number << 3 | 2) + _encoded(len(value)) + value


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << (7 * place)
        if byte < 128:
            return value & (1 << 64) - 1, at + place + 1
    raise ValueError(f"the number at byte {at} does not end")


def _encoded(value: int) -> bytes:
    groups = [value >> shift & 127 for shift in range(0, max(1, value.bit_length()), 7)]
    return bytes([group | 128 for group in groups[:-1]] + groups[-1:])
