"""Files changed at random, metadata included: read they give an image or one line, and what was read can be written.

What was found this way lies in tests/cases, one file a fault, and is tried each time.
"""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
from hypothesis import HealthCheck, given, settings

from subpixel.errors import SubpixelError
from subpixel.images import FORMATS, Encoding, read, write
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler

CASES = sorted((Path(__file__).parents[1] / "cases").glob("*"))
SLOW = [HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large]
KINDS: dict[str, dict[str, Any]] = {"JPEG": {}, "PNG": {}, "WEBP": {}, "TIFF": {}, "AVIF": {"speed": 10}, "GIF": {}}


@cache
def seed(kind: str) -> bytes:
    """A small image with a profile, EXIF with a sub-table and a position, XMP, and a resolution."""
    exif = PIL.Image.Exif()
    exif[0x010F], exif[0x0112], exif[0x011A] = "maker", 6, 300.0
    exif.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0hello"
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 1.5)})
    icc = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    tiff = b"<a xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Orientation='6'/>"
    packet = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>" + tiff + b"</x:xmpmeta>"
    options = KINDS[kind] | ({} if kind == "GIF" else {"exif": exif, "icc_profile": icc, "dpi": (300, 300)})
    options |= {"xmp": packet} if kind in ("JPEG", "WEBP", "AVIF") else {}
    file = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@st.composite
def damaged(draw: st.DrawFn, kind: str) -> bytes:
    """A seed with some bytes changed, a part cut out, put in twice, or lost at the end."""
    data = bytearray(seed(kind))
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=6)):
        data[at] = draw(st.sampled_from([0, 1, 2, 127, 128, 255]) | st.integers(0, 255))
    start, stop = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
    stop = min(stop, start + 40)
    match draw(st.sampled_from(["whole", "whole", "cut", "twice", "short"])):
        case "cut":
            del data[start:stop]
        case "twice":
            data[start:start] = data[start:stop]
        case "short":
            del data[stop:]
        case _:
            pass
    return bytes(data)


def through(data: bytes, folder: Path) -> None:
    """Reads a file and writes it in every format; a refusal is one printable line."""
    image, refusal = None, ""
    try:
        image = read(data)
    except SubpixelError as error:
        refusal = str(error)
    assert refusal.isprintable()
    if image is None:
        return
    for name in FORMATS:
        if (name == "jpg" and image.has_alpha) or max(image.height, image.width) > 16_000:
            continue
        write(folder / f"a.{name}", image, Encoding(quality=50))
        assert read(folder / f"a.{name}").pixels.shape[:2] == image.pixels.shape[:2]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(data=st.data())
def test_any_damage_is_read_or_refused_and_written(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    through(data.draw(damaged(kind)), tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_was_found_stays_mended(case: Path, tmp_path: Path) -> None:
    through(case.read_bytes(), tmp_path)


def test_a_profile_of_no_use_is_left_out_and_the_colours_stay(tmp_path: Path) -> None:
    source = next(case for case in CASES if case.stem == "profile-that-cannot-be-linked")
    with Upscaler("nearest", scale=1) as unchanged:
        note = upscale_file(source, tmp_path / "a.gif", unchanged)
    assert "its profile, which converts nothing, was left out" in str(note)
    assert "became sRGB" not in str(note)
    with PIL.Image.open(source) as before, PIL.Image.open(tmp_path / "a.gif") as after:
        upright = np.asarray(PIL.ImageOps.exif_transpose(before).convert("RGB"))
        assert np.abs(np.asarray(after.convert("RGB")).astype(int) - upright).max() <= 3


def test_the_seeds_are_whole(tmp_path: Path) -> None:
    for kind in KINDS:
        image = read(seed(kind))
        assert (image.height, image.width) == ((9, 12) if kind == "GIF" else (12, 9))
        assert kind == "GIF" or image.metadata.exif
