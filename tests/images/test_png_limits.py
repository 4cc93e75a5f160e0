"""What a PNG holds and we do not look at is named; nothing is made up in its place."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from subpixel import Upscaler
from subpixel.images import read
from subpixel.images.contents import LIMIT
from subpixel.images.png import SIGNATURE, chunk, chunks
from subpixel.inference.file import upscale_file

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), dtype=np.uint8)


def png(count: int) -> bytes:
    first, *others = map(PIL.Image.fromarray, FRAMES[:count])
    file = io.BytesIO()
    first.save(file, "PNG", save_all=True, append_images=others, duration=50, disposal=0)
    return file.getvalue()


@pytest.mark.parametrize("kind", [b"tEXt", b"iCCP"])
def test_a_chunk_too_large_to_be_kept_is_named(tmp_path: Path, kind: bytes) -> None:
    whole, start = png(1), len(SIGNATURE) + 25
    large = chunk(kind, b"Title\0" + b"a" * LIMIT)
    note = upscale_file(whole[:start] + large + whole[start:], tmp_path / "a.png", Upscaler("nearest", scale=2))
    assert note == f"left out: {kind.decode()}"
    assert np.array_equal(read(tmp_path / "a.png").to_array(), FRAMES[0].repeat(2, 0).repeat(2, 1))
    with (tmp_path / "a.png").open("rb") as file:
        assert {found.kind for found in chunks(file)} <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


@pytest.mark.parametrize("kept", [1, 2])
def test_frames_that_a_cut_file_lacks_are_named(tmp_path: Path, kept: int) -> None:
    whole = png(3)
    cut = whole[: whole.index(b"fcTL" + struct.pack(">I", 2 * kept - 1)) - 4]  # others have two numbers
    note = upscale_file(cut, tmp_path / "a.png", Upscaler("nearest", scale=2))
    assert note == "left out: frames that are announced and missing"
    assert upscale_file(whole, tmp_path / "b.png", Upscaler("nearest", scale=2)) is None
