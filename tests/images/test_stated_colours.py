"""How a file states its colours, beyond profiles: kept where the result can say it, or converted."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms

from subpixel import Upscaler
from subpixel.images import Colour
from subpixel.images.containers import read_contents
from subpixel.images.profiles import profile_of
from subpixel.inference.file import upscale_file

FLAT = np.zeros((6, 8, 3), np.uint8)
FLAT[:, :2], FLAT[:, 2:4], FLAT[:, 4:6], FLAT[:, 6:] = (200, 30, 40), (30, 180, 60), (90, 90, 90), (20, 60, 220)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
P3 = profile_of(Colour(cicp=(12, 13, 0, 1))) or b""


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, array: np.ndarray = FLAT) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, "PNG")
    whole = file.getvalue()
    return whole[:33] + b"".join(chunks) + whole[33:]


def profile_chunk(profile: bytes) -> bytes:
    return chunk(b"iCCP", b"p\0\0" + zlib.compress(profile))


def doubled(source: bytes, target: Path) -> str | None:
    return upscale_file(source, target, Upscaler("nearest", scale=2))


def chunks_of(path: Path) -> dict[bytes, bytes]:
    data, at, found = path.read_bytes(), 8, dict[bytes, bytes]()
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        found[kind] = data[at + 8 : at + 8 + size]
        at += 12 + size
    return found


def test_white_primaries_and_curve_of_a_tiff_are_kept(tmp_path: Path) -> None:
    file = io.BytesIO()
    white, curve = [3127, 10000, 3290, 10000], [round(65535 * (k / 255) ** 1.8) for k in range(256)]
    primaries = [68, 100, 32, 100, 265, 1000, 69, 100, 15, 100, 6, 100]
    tags = [(0x012D, 3, 256, curve, True), (0x013E, 5, 2, white, True), (0x013F, 5, 6, primaries, True)]
    tifffile.imwrite(file, FLAT, photometric="rgb", extratags=tags, metadata=None)
    for name in ("a.tif", "a.png", "a.jpg", "a.webp"):
        assert doubled(file.getvalue(), tmp_path / name) is None
        with PIL.Image.open(tmp_path / name) as image:
            found = image.getexif()
        assert [round(float(value), 6) for value in found[0x013E]] == [0.3127, 0.329]
        assert [round(float(value), 6) for value in found[0x013F]] == [0.68, 0.32, 0.265, 0.69, 0.15, 0.06]
        assert list(found[0x012D]) == curve


def test_images_within_a_tiff_are_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(FLAT, photometric="rgb", subifds=1, metadata=None)
        writer.write(FLAT[::2, ::2], photometric="rgb", subfiletype=1, metadata=None)
    assert doubled(file.getvalue(), tmp_path / "a.tif") == "left out: images within it"


def test_what_says_to_be_srgb_still_does(tmp_path: Path) -> None:
    source = png(chunk(b"sRGB", b"\1"), chunk(b"gAMA", struct.pack(">I", 45455)))
    assert doubled(source, tmp_path / "a.png") is None
    assert chunks_of(tmp_path / "a.png")[b"sRGB"] == b"\1"
    assert doubled(source, tmp_path / "a.webp") is None
    with PIL.Image.open(tmp_path / "a.webp") as image:
        assert "icc_profile" not in image.info


def test_cicp_precedes_a_profile(tmp_path: Path) -> None:
    source = png(chunk(b"cICP", bytes((12, 13, 0, 1))), profile_chunk(SRGB))
    assert doubled(source, tmp_path / "a.png") is None
    assert {b"cICP", b"iCCP"} <= chunks_of(tmp_path / "a.png").keys()
    assert doubled(source, tmp_path / "a.webp") == "its colours became an ICC profile"
    with PIL.Image.open(tmp_path / "a.webp") as image:
        assert image.info["icc_profile"] == P3
    assert doubled(source, tmp_path / "a.avif") == "left out: ICC"
    with (tmp_path / "a.avif").open("rb") as file:
        contents = read_contents(file)
    assert (contents.icc, contents.colour.cicp) == (None, (12, 13, 6, 1))


def test_levels_of_narrow_range_are_not_called_full(tmp_path: Path) -> None:
    source = png(chunk(b"cICP", bytes((1, 1, 0, 0))))
    assert doubled(source, tmp_path / "a.png") is None
    assert chunks_of(tmp_path / "a.png")[b"cICP"] == bytes((1, 1, 0, 0))
    for name in ("a.jpg", "a.avif"):
        assert doubled(source, tmp_path / name) == "left out: cICP"


@pytest.mark.parametrize("said", ["profile", "cICP"])
@pytest.mark.parametrize("shade", ["colours", "gray", "transparent"])
def test_a_gif_has_srgb_because_it_has_no_profiles(tmp_path: Path, said: str, shade: str) -> None:
    array = {"colours": FLAT, "gray": FLAT[..., 1], "transparent": np.dstack([FLAT, np.full((6, 8), 255, np.uint8)])}
    stated = profile_chunk(P3) if said == "profile" else chunk(b"cICP", bytes((12, 13, 0, 1)))
    told = doubled(png(stated, array=array[shade]), tmp_path / "a.gif") or ""
    assert told.endswith("its colours became sRGB (those of a profile before)")
    assert "left out" not in told
    plain = PIL.Image.fromarray(array[shade]).convert("RGB")
    right = ImageCms.profileToProfile(plain, io.BytesIO(P3), io.BytesIO(SRGB), outputMode="RGB")
    assert right is not None
    with PIL.Image.open(tmp_path / "a.gif") as image:
        ours = np.asarray(image.convert("RGB"), int)
    off = np.abs(ours - np.asarray(right, int).repeat(2, 0).repeat(2, 1))
    assert off.max() <= 2
    assert (np.abs(ours[::2, ::2] - np.asarray(plain)).max() > 10) == (shade != "gray")


def box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I4s", 8 + len(data), kind) + data


def avif(owners: list[tuple[int, list[int]]]) -> bytes:
    """The boxes of one whose primary item is 2: what properties there are, and which item has which."""
    gain_map = box(b"colr", b"nclx", struct.pack(">HHHB", 9, 16, 9, 0x80)), box(b"pixi", bytes(4), bytes((1, 10)))
    image = box(b"colr", b"nclx", struct.pack(">HHHB", 12, 13, 6, 0x80)), box(b"pixi", bytes(4), bytes((3, 8, 8, 8)))
    rows = [struct.pack(">HB", item, len(numbers)) + bytes(numbers) for item, numbers in owners]
    links = box(b"ipma", bytes(4), struct.pack(">I", len(rows)), *rows)
    properties = box(b"iprp", box(b"ipco", *gain_map, *image), links)
    meta = box(b"meta", bytes(4), box(b"pitm", bytes(4), struct.pack(">H", 2)), properties)
    return box(b"ftyp", b"avif", bytes(4), b"avifmif1") + meta


def test_colours_and_depth_of_an_avif_are_those_of_its_primary_item() -> None:
    contents = read_contents(io.BytesIO(avif([(1, [1, 2]), (2, [0x83, 4])])))
    assert contents.colour.cicp == (12, 13, 6, 1)
    assert contents.depth == 8
    assert not contents.lossless
    swapped = read_contents(io.BytesIO(avif([(1, [3, 4]), (2, [1, 2])])))
    assert swapped.colour.cicp == (9, 16, 9, 1)
    assert swapped.depth == 10


@pytest.mark.parametrize("cut", range(8, 200, 7))
def test_cut_boxes_are_no_error(cut: int) -> None:
    whole = avif([(1, [1, 2]), (2, [0x83, 4])])
    read_contents(io.BytesIO(whole[:cut]))
    at = whole.index(b"ipma")
    read_contents(io.BytesIO(whole[: at + 8] + b"\xff" * 4 + whole[at + 12 :]))
