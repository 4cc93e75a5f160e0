"""Animated PNG of 16 bits: files put together by hand, and results taken apart by hand."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from subpixel import Upscaler
from subpixel.errors import UnreadableImage
from subpixel.images import Animation, AnimationReader, Encoding, budget, open_any
from subpixel.inference.file import upscale_file

RNG = np.random.default_rng(3)
KINDS = {1: 0, 2: 4, 3: 2, 4: 6}
"""PNG's kind of colour, by the number of channels."""
Part = tuple[np.ndarray, int, int, int, int]
"""Levels, x, y, how they are disposed of, how they are blended."""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def packed(levels: np.ndarray) -> bytes:
    return zlib.compress(b"".join(b"\0" + row.astype(">u2").tobytes() for row in levels))


def file_of(
    parts: Sequence[Part], shape: tuple[int, int], more: bytes = b"", hidden: np.ndarray | None = None
) -> bytes:
    """hidden: an image for viewers that know no animations."""
    kind = KINDS[parts[0][0].shape[2]]
    made = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">2I5B", shape[1], shape[0], 16, kind, 0, 0, 0)), more]
    made.append(chunk(b"acTL", struct.pack(">2I", len(parts), 7)))
    made += [] if hidden is None else [chunk(b"IDAT", packed(hidden))]
    number = 0
    for k, (levels, x, y, dispose, blend) in enumerate(parts):
        height, width = levels.shape[:2]
        about = struct.pack(">5I2H2B", number, width, height, x, y, 3 + k, 50, dispose, blend)
        made.append(chunk(b"fcTL", about))
        number += 1
        data = packed(levels)
        for half in (data[:9], data[9:]):
            first = k == 0 and hidden is None
            made.append(chunk(b"IDAT", half) if first else chunk(b"fdAT", struct.pack(">I", number) + half))
            number += not first
    return b"".join([*made, chunk(b"IEND", b"")])


def noise(height: int, width: int, channels: int = 4) -> np.ndarray:
    return RNG.integers(0, 65536, (height, width, channels), "uint16")


def shown(data: bytes | Path) -> list[np.ndarray]:
    opened = open_any(data)
    assert isinstance(opened, AnimationReader)
    return list(opened.frames())


def taken_apart(path: Path) -> list[np.ndarray]:
    """The frames of a result, whose lines are not filtered, or from the left."""
    data, at, frames = path.read_bytes(), 8, list[bytes]()
    width, height, depth, kind = struct.unpack_from(">2I2B", data, 16)
    channels = {number: count for count, number in KINDS.items()}[kind]
    assert depth == 16
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        body, at = data[at + 8 : at + 8 + size], at + 12 + size
        if name == b"fcTL":
            frames.append(b"")
        elif name in (b"IDAT", b"fdAT"):
            frames[-1] += body[4 * (name == b"fdAT") :]
    found = list[np.ndarray]()
    for frame in frames:
        lines = np.frombuffer(zlib.decompress(frame), np.uint8).reshape(height, 1 + 2 * width * channels)
        assert set(lines[:, 0]) <= {0, 1}
        samples = lines[:, 1:].reshape(height, width, 2 * channels)
        plain = np.where((lines[:, 0] == 1)[:, None, None], np.cumsum(samples, 1, np.uint8), samples)
        found.append(np.ascontiguousarray(plain).view(">u2").astype(np.uint16))
    return found


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_all_bits_come_through_and_go_out(tmp_path: Path, channels: int) -> None:
    images = [noise(9, 7, channels) for _ in range(3)]
    data = file_of([(image, 0, 0, 0, 0) for image in images], (9, 7))
    opened = open_any(data)
    assert opened.metadata.animation == Animation((60, 80, 100), 7)
    assert (opened.metadata.depth, opened.metadata.notes, opened.shape.dtype) == (16, (), "uint16")
    for got, expected in zip(shown(data), images, strict=True):
        np.testing.assert_array_equal(got, expected)
    assert upscale_file(data, tmp_path / "a.png", Upscaler("nearest", scale=2)) is None
    for got, expected in zip(taken_apart(tmp_path / "a.png"), images, strict=True):
        np.testing.assert_array_equal(got, expected.repeat(2, 0).repeat(2, 1))
    np.testing.assert_array_equal(shown(tmp_path / "a.png"), [image.repeat(2, 0).repeat(2, 1) for image in images])


def over(below: np.ndarray, above: np.ndarray) -> list[int]:
    """One pixel, in fractions."""
    a, b = Fraction(int(above[3]), 65535), Fraction(int(below[3]), 65535)
    alpha = a + b * (1 - a)
    mixed = [(int(x) * a + int(y) * b * (1 - a)) / alpha if alpha else 0 for x, y in zip(above, below, strict=True)]
    return [int(value + Fraction(1, 2)) for value in [*mixed[:3], 65535 * alpha]]


def test_parts_are_blended_and_disposed_of(tmp_path: Path) -> None:
    first, small, third, last = noise(6, 8), noise(3, 4), noise(2, 2), noise(1, 1)
    small[0, :2, 3] = (0, 65535)
    data = file_of([(first, 0, 0, 0, 0), (small, 2, 1, 2, 1), (third, 5, 4, 1, 0), (last, 0, 0, 0, 1)], (6, 8))
    frames = shown(data)
    np.testing.assert_array_equal(frames[0], first)
    blended = first.copy()
    for y, x in np.ndindex(3, 4):
        blended[1 + y, 2 + x] = over(first[1 + y, 2 + x], small[y, x])
    np.testing.assert_array_equal(frames[1], blended)
    np.testing.assert_array_equal(frames[1][1, 3], small[0, 1])  # opaque
    np.testing.assert_array_equal(frames[1][1, 2], first[1, 2])  # not there
    replaced = first.copy()  # the second gave back what was before
    replaced[4:6, 5:7] = third
    np.testing.assert_array_equal(frames[2], replaced)
    replaced[4:6, 5:7] = 0
    replaced[0, 0] = over(first[0, 0], last[0, 0])
    np.testing.assert_array_equal(frames[3], replaced)


def test_what_was_cleared_can_be_seen_through() -> None:
    images = [noise(4, 5, 3) for _ in range(2)]
    assert shown(file_of([(images[0], 0, 0, 0, 0), (images[1], 0, 0, 0, 0)], (4, 5)))[0].shape == (4, 5, 3)
    for dispose in (1, 2):  # of the first frame, before which there was nothing
        frames = shown(file_of([(images[0], 0, 0, dispose, 0), (images[1][:2], 0, 0, 0, 0)], (4, 5)))
        assert frames[0][..., 3].min() == 65535
        np.testing.assert_array_equal(frames[1][:2, :, :3], images[1][:2])
        assert not frames[1][2:].any()


def test_a_transparent_colour_and_an_image_that_is_no_frame() -> None:
    images = [noise(4, 5, 3) for _ in range(2)]
    images[1][2, 3] = (1, 258, 65535)
    more = chunk(b"tRNS", struct.pack(">3H", 1, 258, 65535))
    frames = shown(file_of([(image, 0, 0, 0, 0) for image in images], (4, 5), more, hidden=noise(4, 5, 3)))
    assert len(frames) == 2
    np.testing.assert_array_equal(frames[1][..., :3], images[1])
    assert np.argwhere(frames[1][..., 3] == 0).tolist() == [[2, 3]]


def test_what_breaks_the_rules_is_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    image, small = noise(6, 8), noise(2, 2)
    good = file_of([(image, 0, 0, 0, 0), (small, 0, 0, 0, 0)], (6, 8))
    assert len(shown(good)) == 2
    outside = [
        file_of([(image, 0, 0, 0, 0), (small, *place)], (6, 8)) for place in ((7, 0, 0, 0), (0, 0, 3, 0), (0, 0, 0, 2))
    ]
    at = good.index(b"fdAT")
    order = good[:at] + good[at:].replace(struct.pack(">I", 2), struct.pack(">I", 9), 1)
    flipped = good[: at + 9] + bytes([good[at + 9] ^ 1]) + good[at + 10 :]
    at = good.rindex(b"fcTL")
    taller = good[at + 4 : at + 12] + struct.pack(">I", 3) + good[at + 16 : at + 30]  # than its lines
    claimed = good[: at - 4] + chunk(b"fcTL", taller) + good[at + 34 :]
    for bad in (*outside, order, flipped, claimed, good[:-14]):
        with pytest.raises(UnreadableImage) as refused:
            shown(bad)
        assert "\n" not in str(refused.value)
    monkeypatch.setattr(budget, "HELD", 48 * 48 - 1)
    with pytest.raises(UnreadableImage, match="of memory at once"):
        open_any(good)


def test_to_webp_it_is_said(tmp_path: Path) -> None:
    data = file_of([(noise(4, 5, 3), 0, 0, 0, 0)] * 2, (4, 5))
    note = upscale_file(data, tmp_path / "a.webp", Upscaler("nearest", scale=2), Encoding(lossless=True))
    assert "8 bit" in str(note)
