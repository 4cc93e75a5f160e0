"""What a file holds beside its pixels, before and after: by exiftool where it is installed, else by Pillow."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import subprocess
import sys
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms, PngImagePlugin

from subpixel import Upscaler
from subpixel.errors import UnreadableImage
from subpixel.images import (
    Colour,
    Encoding,
    Image,
    Metadata,
    Text,
    create,
    encoders,
    exif,
    open_image,
    read,
    tiff,
    write,
)
from subpixel.images.containers import read_contents
from subpixel.inference.file import upscale_file

yy, xx = np.mgrid[0:64, 0:96]
ARRAY = np.stack([xx * 255 // 95, yy * 255 // 63, np.full_like(xx, 128)], -1).astype(np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
HEAD += b'<rdf:Description rdf:about="" '
TAIL = b"/></rdf:RDF></x:xmpmeta>"
XMP = HEAD + b'xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/x-odd"' + TAIL
GPS = {0: b"\x02\x03\x00\x00", 1: "N", 2: (52.0, 30.0, 15.5), 3: "E", 4: (13.0, 24.0, 1.0)}
UNKNOWN = {0x000B: "darktable", 0x013C: "iPhone 12", 0x4746: 4}  # what libexif drops


def camera(**more: Any) -> PIL.Image.Exif:
    tags = PIL.Image.Exif()
    tags[0x010F], tags[0x8298] = "ACME", "someone"
    for tag, value in UNKNOWN.items():
        tags[tag] = value
    tags.get_ifd(0x8769).update({0x9003: "2020:01:01 00:00:00", 0x829A: (1, 125), 0x927C: b"note" * 9})
    tags.get_ifd(0x8825).update(GPS)
    if "orientation" in more:
        tags[0x0112] = more["orientation"]
    return tags


def encoded(kind: str, array: np.ndarray = ARRAY, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes, array: np.ndarray = ARRAY) -> bytes:
    whole = encoded("PNG", array)
    return whole[:33] + b"".join(chunks) + whole[33:]


def tiff_with(block: bytes, **options: Any) -> bytes:
    """A TIFF with all tables of an EXIF block: Pillow writes the first alone."""
    file = io.BytesIO(encoded("TIFF", **options))
    tiff.into_tiff(file, block, None)
    return file.getvalue()


def doubled(source: bytes, target: Path, encoding: Encoding = Encoding()) -> str | None:
    """Every pixel twice a side, through our reader and writer; what is said to be lost."""
    image = read(source)
    large = Image.from_samples(image.samples.repeat(2, 0).repeat(2, 1), image.metadata)
    with create(target, large.shape, large.metadata, encoding) as writer:
        writer.write(large.samples)
    return writer.note


# ---- each format to each -------------------------------------------------------------------------

SOURCES = {
    "jpg": lambda: encoded("JPEG", exif=camera(), xmp=XMP, icc_profile=SRGB, comment=b"by hand", dpi=(300, 300)),
    "png": lambda: encoded("PNG", exif=camera(), icc_profile=SRGB, dpi=(300, 300)),
    "webp": lambda: encoded("WEBP", exif=camera(), xmp=XMP, icc_profile=SRGB),
    "tif": lambda: tiff_with(camera().tobytes()[6:], icc_profile=SRGB, tiffinfo={700: XMP}, dpi=(300, 300)),
    "avif": lambda: encoded("AVIF", exif=camera(), xmp=XMP, icc_profile=SRGB),
}
COMPARED = ("IFD0", "ExifIFD", "GPS", "XMP", "ICC", "IPTC", "Comment")
# What tells of the file, or of the size, which is checked elsewhere.
OWN = ("ImageWidth", "ImageHeight", "BitsPerSample", "Compression", "Photometric", "Strip", "RowsPer", "SamplesPer")
OWN += ("PlanarConf", "Predictor", "Resolution", "Orientation", "SampleFormat", "XMPToolkit", "SubfileType")


def by_exiftool(paths: list[Path]) -> dict[str, dict[str, Any]]:
    command = ["exiftool", "-j", "-G1", "-a", "-n", "-b", "-api", "struct=1", *map(str, paths)]
    listed = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return {Path(entry["SourceFile"]).name: entry for entry in listed}


def by_pillow(path: Path) -> dict[str, Any]:
    with PIL.Image.open(path) as image:
        block = image.getexif()
        found = {f"IFD0:{tag}": block[tag] for tag in (0x010F, 0x8298, *UNKNOWN) if tag in block}
        found |= {f"ExifIFD:{tag}": value for tag, value in block.get_ifd(0x8769).items() if tag < 0xA000}
        found |= {f"GPS:{tag}": value for tag, value in block.get_ifd(0x8825).items()}
        return found | {"ICC": image.info.get("icc_profile")}


def relevant(found: dict[str, Any]) -> dict[str, Any]:
    found = {name.replace("File:Comment", "Comment").replace("PNG:Comment", "Comment"): v for name, v in found.items()}
    kept = {name: value for name, value in found.items() if name.startswith(COMPARED)}
    return {name: value for name, value in kept.items() if not any(own in name for own in OWN)}


def test_each_format_to_each_keeps_every_tag_or_names_it(tmp_path: Path) -> None:
    notes = dict[str, str | None]()
    for first, make in SOURCES.items():
        (tmp_path / f"{first}.{first}").write_bytes(make())
        for second in SOURCES:
            name = f"{first}-{second}.{second}"
            notes[name] = doubled(make(), tmp_path / name)
    paths = list(tmp_path.iterdir())
    found = by_exiftool(paths) if shutil.which("exiftool") else {path.name: by_pillow(path) for path in paths}
    assert len(found) == len(paths)
    for name in (path.name for path in paths if "-" in path.name):
        first = name.split("-")[0]
        before, after = relevant(found[f"{first}.{first}"]), relevant(found[name])
        note = notes[name] or ""
        assert len(before) > 10
        lost = {tag for tag, value in before.items() if after.get(tag) != value}
        assert not {tag for tag in lost if not (tag == "Comment" and "comment" in note)}, f"{name}: {note}"


@pytest.mark.parametrize("name", ["jpg", "png", "webp", "tif", "avif"])
def test_sizes_and_resolution_in_exif_are_the_new_ones(tmp_path: Path, name: str) -> None:
    tags = camera(orientation=6)
    tags.get_ifd(0x8769).update({0xA002: 96, 0xA003: 64})
    tags[0x011A], tags[0x011B], tags[0x0128] = 300.0, 150.0, 2
    doubled(encoded("JPEG", exif=tags, dpi=(300, 150)), tmp_path / f"a.{name}")
    block = read(tmp_path / f"a.{name}").metadata.exif
    assert block is not None
    again = PIL.Image.Exif()
    again.load(block)
    inner = again.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (128, 192)
    assert read(tmp_path / f"a.{name}").metadata.dpi == pytest.approx((150, 300), abs=0.02)


# ---- rotten blocks -------------------------------------------------------------------------------


def rotten(good: bytes, table: int, value: int) -> bytes:
    """A block whose pointer to a table leads elsewhere."""
    opened = exif.header(good)
    assert opened is not None
    for _, found in exif.tables(good):
        for entry in found:
            if entry.tag == table:
                order = opened[1].order
                return good[: entry.record + 8] + struct.pack(order + "I", value) + good[entry.record + 12 :]
    raise AssertionError(table)


@pytest.mark.parametrize("table", [0x8769, 0x8825, 0xA005])
@pytest.mark.parametrize("position", [0, 3, 2**16, 2**31, 2**32 - 1])
@pytest.mark.parametrize("kind", ["jpg", "tif"])
def test_a_pointer_that_leads_nowhere_costs_its_own_table_alone(
    tmp_path: Path, table: int, position: int, kind: str
) -> None:
    tags = camera()
    tags.get_ifd(0x8769)[0xA005] = {1: "R98"}
    block = rotten(tags.tobytes().removeprefix(b"Exif\0\0"), table, position)
    doubled(encoded("JPEG", exif=b"Exif\0\0" + block), tmp_path / f"a.{kind}")
    found = read(tmp_path / f"a.{kind}").metadata.exif
    assert found is not None
    again = PIL.Image.Exif()
    again.load(found)
    assert (again[0x010F], again[0x4746]) == ("ACME", 4)
    if table != 0x8825:
        assert again.get_ifd(0x8825)[1] == "N"
    if table != 0x8769:
        assert again.get_ifd(0x8769)[0x9003] == "2020:01:01 00:00:00"


def rotten_interop(tags: PIL.Image.Exif) -> bytes:
    tags.get_ifd(0x8769)[0xA005] = 2**31  # a number, of Pillow's own choice of type
    block = tags.tobytes().removeprefix(b"Exif\0\0")
    entries = {entry.tag: entry for _, found in exif.tables(block) for entry in found}
    assert entries[0xA005].kind == 4
    return block


def test_a_tiff_with_a_dangling_interop_pointer_keeps_its_position(tmp_path: Path) -> None:
    source = tiff_with(rotten_interop(camera()))
    doubled(source, tmp_path / "a.tif")
    with PIL.Image.open(tmp_path / "a.tif") as image:
        assert image.getexif().get_ifd(0x8825)[1] == "N"
        assert image.getexif()[0x010F] == "ACME"


def test_any_flipped_bytes_of_exif_end_in_a_tiff_or_one_line(tmp_path: Path) -> None:
    block = camera().tobytes()
    rng = np.random.default_rng(0)
    jpeg = encoded("JPEG", ARRAY[:8, :8], exif=block)
    at = jpeg.index(b"Exif\0\0") + 6
    for _ in range(100):
        data = bytearray(jpeg)
        for place in rng.integers(at, at + len(block) - 6, 3):
            data[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(256)])
        doubled(bytes(data), tmp_path / "a.tif")
        assert read(tmp_path / "a.tif").height == 16


@pytest.mark.parametrize("pointer", [2**62, 2**63, 2**64 - 1])
def test_a_bigtiff_whose_pointers_leave_every_file_is_read(pointer: int) -> None:
    head, tail = tiff.raw_tiff(ARRAY.shape, ARRAY.dtype)  # type: ignore[arg-type]
    file = io.BytesIO(head + ARRAY.tobytes() + tail)
    layout, table = tiff.open_header(file)
    tree = tiff.read_tree(file, layout, table) | {tiff.EXIF: (16, struct.pack("<Q", pointer)), 0x010F: (2, b"ACME\0")}
    start = file.seek(0, io.SEEK_END)
    file.write(tiff.dump(tree, start, big=True))
    file.seek(8)
    file.write(struct.pack("<Q", start))
    block = read(file.getvalue()).metadata.exif
    assert block is not None
    again = PIL.Image.Exif()
    again.load(block)
    assert again[0x010F] == "ACME"


def test_tags_that_share_their_bytes_take_no_memory() -> None:
    count = 5000
    shared = b"".join(struct.pack("<HHII", 0x9C9B + k, 1, 60_000, 8) for k in range(count))
    block = b"II*\0\x08\0\0\0" + struct.pack("<H", count) + shared + bytes(4)
    tree = tiff.read_tree(io.BytesIO(block), *tiff.open_header(io.BytesIO(block)))
    assert sum(len(value[1]) for value in tree.values()) <= len(block)


# ---- colour --------------------------------------------------------------------------------------

GAMMA = chunk(b"gAMA", struct.pack(">I", 100_000))
P3 = struct.pack(">8I", 31270, 32900, 68000, 32000, 26500, 69000, 15000, 6000)


def seen(path: Path) -> np.ndarray:
    """The image as a display of sRGB shows it, by its profile (LittleCMS)."""
    with PIL.Image.open(path) as image:
        profile = image.info.get("icc_profile")
        if profile is None:
            return np.asarray(image.convert("RGB"))
        mode = "L" if profile[16:20] == b"GRAY" else "RGB"
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        return np.asarray(ImageCms.profileToProfile(image.convert(mode), source, target, outputMode="RGB"))


@pytest.mark.parametrize("name", ["jpg", "webp", "tif", "avif"])
def test_gamma_becomes_a_profile_that_shows_the_same(tmp_path: Path, name: str) -> None:
    levels = np.repeat(np.repeat(np.array([[16, 64, 128, 200]], np.uint8), 16, 0), 16, 1)
    note = doubled(png(GAMMA, array=np.dstack([levels] * 3)), tmp_path / f"a.{name}")
    assert note == "its colours became an ICC profile"
    light = levels[8, 8::16] / 255
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055) * 255
    assert np.abs(seen(tmp_path / f"a.{name}")[16, 16::32].mean(1) - srgb).max() < 2.5


def test_gamma_and_primaries_stay_chunks_in_a_png(tmp_path: Path) -> None:
    primaries = chunk(b"cHRM", P3)
    assert doubled(png(GAMMA, primaries), tmp_path / "a.png") is None
    assert GAMMA in (tmp_path / "a.png").read_bytes()
    assert primaries in (tmp_path / "a.png").read_bytes()
    assert doubled(png(GAMMA, chunk(b"sRGB", b"\0")), tmp_path / "b.png") is None
    assert read(tmp_path / "b.png").metadata.colour == Colour(intent=0)


@pytest.mark.parametrize("code", [(12, 13, 0, 1), (9, 16, 0, 1), (9, 18, 0, 1), (1, 8, 0, 1)])
def test_cicp_stays_in_png_and_avif_and_becomes_a_profile_elsewhere(tmp_path: Path, code: tuple[int, ...]) -> None:
    stated = chunk(b"cICP", bytes(code))
    assert doubled(png(stated), tmp_path / "a.png") is None
    assert stated in (tmp_path / "a.png").read_bytes()
    assert doubled(png(stated), tmp_path / "a.avif") is None
    primaries, transfer, *_ = read(tmp_path / "a.avif").metadata.colour.cicp or (0, 0)
    assert (primaries, transfer) == code[:2]
    assert doubled((tmp_path / "a.avif").read_bytes(), tmp_path / "b.png") is None
    assert stated in (tmp_path / "b.png").read_bytes()
    assert doubled(png(stated), tmp_path / "a.jpg") == "its colours became an ICC profile"
    profile = read(tmp_path / "a.jpg").metadata.icc
    assert profile is not None
    assert b"cicp\0\0\0\0" + bytes(code) in profile


@pytest.mark.parametrize("exif_too", [True, False])
def test_stating_an_avifs_colours_leaves_its_pixels(tmp_path: Path, exif_too: bool) -> None:
    plain = Metadata(exif=camera().tobytes()[6:] if exif_too else None)
    wide = Metadata(exif=plain.exif, colour=Colour(cicp=(12, 13, 0, 1)))
    write(tmp_path / "plain.avif", Image.from_array(ARRAY, plain))
    write(tmp_path / "wide.avif", Image.from_array(ARRAY, wide))
    assert np.array_equal(read(tmp_path / "plain.avif").pixels, read(tmp_path / "wide.avif").pixels)
    with PIL.Image.open(tmp_path / "wide.avif") as a, PIL.Image.open(tmp_path / "plain.avif") as b:
        assert np.array_equal(np.asarray(a), np.asarray(b))
        assert a.getexif().get(0x010F) == ("ACME" if exif_too else None)


def test_a_display_p3_profile_of_our_own_is_littlecms_own(tmp_path: Path) -> None:
    doubled(png(chunk(b"cICP", bytes((12, 13, 0, 1)))), tmp_path / "a.tif")
    profile = ImageCms.ImageCmsProfile(io.BytesIO(read(tmp_path / "a.tif").metadata.icc or b"")).profile
    assert np.array(profile.red_colorant)[0] == pytest.approx((0.51512, 0.24120, -0.00105), abs=2e-4)
    assert np.array(profile.green_colorant)[0] == pytest.approx((0.29198, 0.69225, 0.04189), abs=2e-4)
    assert np.array(profile.blue_colorant)[0] == pytest.approx((0.15710, 0.06657, 0.78407), abs=2e-4)


def test_significant_bits_and_unknown_chunks_are_named(tmp_path: Path) -> None:
    source = png(chunk(b"sBIT", b"\5\6\5"), chunk(b"tIME", bytes((7, 228, 1, 1, 0, 0, 0))), chunk(b"prVt", b"x"))
    assert doubled(source, tmp_path / "a.png") == "left out: prVt, sBIT, tIME"


def test_what_is_computed_has_more_significant_bits_than_its_source(tmp_path: Path) -> None:
    """Why sBIT is left out: a program that obeyed it would cut what lies between the source's values."""
    levels = np.arange(32, dtype=np.uint8)
    fives = levels << 3 | levels >> 2  # how PNG has 5 bits fill 8
    (tmp_path / "a.png").write_bytes(png(chunk(b"sBIT", b"\5\5\5"), array=np.tile(fives[:, None], (8, 1, 3))))
    assert upscale_file(tmp_path / "a.png", tmp_path / "b.png", Upscaler("bicubic", scale=2)) == "left out: sBIT"
    made = np.round(read(tmp_path / "b.png").pixels * 255)
    assert not np.isin(made, fives).all()


def test_a_suggested_palette_and_the_histogram_of_a_palette_are_named(tmp_path: Path) -> None:
    colours = np.array([0, 0, 0, 255, 128, 0], np.uint8)  # two, so that the histogram has two counts
    indexed = PIL.Image.fromarray((ARRAY[..., 0] > 127).astype(np.uint8)).convert("P")
    indexed.putpalette(colours)
    file = io.BytesIO()
    indexed.save(file, "PNG")
    before, palette, after = file.getvalue().partition(chunk(b"PLTE", colours.tobytes()))
    suggested = chunk(b"sPLT", b"mine\0" + struct.pack(">5BH", 8, 255, 128, 0, 255, 9))
    histogram = chunk(b"hIST", struct.pack(">2H", 40_000, 20_000))
    assert palette
    assert doubled(before + palette + histogram + suggested + after, tmp_path / "a.png") == "left out: hIST, sPLT"


@pytest.mark.parametrize("name", ["jpg", "png", "tif", "webp", "avif"])
def test_a_gray_image_with_an_rgb_profile_is_shown_the_same(tmp_path: Path, name: str) -> None:
    source = encoded("JPEG", ARRAY[..., 1], icc_profile=SRGB, quality=100)
    note = doubled(source, tmp_path / f"a.{name}")
    assert note == (None if name in ("webp", "avif") else "its profile became one for gray")
    shown = seen(tmp_path / f"a.{name}")[::2, ::2].mean(2)
    assert np.abs(shown - ARRAY[..., 1]).max() <= 5


def test_a_conversion_from_cmyk_is_said(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).convert("CMYK").save(file, "JPEG", quality=95)
    assert doubled(file.getvalue(), tmp_path / "a.jpg") == "its colours became sRGB (CMYK before)"


@pytest.mark.parametrize("bits", [10, 12])
def test_an_avif_of_10_or_12_bits_stays_one(tmp_path: Path, bits: int) -> None:
    top = 2**bits - 1
    levels = np.linspace(0, top, 64 * 16).round().reshape(16, 64)
    image = Image.from_array(np.dstack([levels / top] * 3).astype(np.float32))
    exact = Image(image.pixels, None, Metadata(depth=bits))  # type: ignore[arg-type]
    with create(tmp_path / "a.avif", exact.shape, exact.metadata, Encoding(lossless=True)) as writer:
        writer.write(exact.samples)
    assert writer.note is None
    again = read(tmp_path / "a.avif")
    assert again.metadata.depth == bits
    assert np.abs(again.pixels * top - levels[..., None]).max() < 0.04  # white is 1, not 0.999
    doubled((tmp_path / "a.avif").read_bytes(), tmp_path / "b.avif")
    assert np.array_equal(read(tmp_path / "b.avif").pixels[::2, ::2], again.pixels)
    note = doubled((tmp_path / "a.avif").read_bytes(), tmp_path / "b.jpg")
    assert note == f"JPEG stores 8 bits instead of {bits} bits"
    if shutil.which("exiftool"):
        found = by_exiftool([tmp_path / "b.avif"])["b.avif"]
        assert [v for k, v in found.items() if "PixelDepth" in k] == [f"{bits} {bits} {bits}"]


# ---- text ----------------------------------------------------------------------------------------


def test_texts_of_all_three_kinds_stay_in_a_png(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("parameters", "a tree\nSteps: 20, Seed: 1")
    info.add_itxt("Description", "Grüße 東京", lang="de", tkey="Beschreibung")
    info.add_text("workflow", "{}" * 9, zip=True)
    source = encoded("PNG", pnginfo=info)
    assert doubled(source, tmp_path / "a.png") is None
    with PIL.Image.open(tmp_path / "a.png") as image:
        assert image.text["parameters"] == "a tree\nSteps: 20, Seed: 1"
        assert image.text["workflow"] == "{}" * 9
        described = image.text["Description"]
        assert (described, described.lang, described.tkey) == ("Grüße 東京", "de", "Beschreibung")
    note = doubled(source, tmp_path / "a.webp")
    assert note == "left out: text 'Description', text 'parameters', text 'workflow'"


def test_comments_of_a_jpeg_stay(tmp_path: Path) -> None:
    source = encoded("JPEG", comment="Grüße".encode())
    assert doubled(source, tmp_path / "a.jpg") is None
    assert doubled((tmp_path / "a.jpg").read_bytes(), tmp_path / "b.png") is None
    assert doubled((tmp_path / "b.png").read_bytes(), tmp_path / "c.jpg") is None
    with PIL.Image.open(tmp_path / "c.jpg") as image:
        assert image.info["comment"] == "Grüße".encode()
    assert doubled(source, tmp_path / "a.webp") == "left out: comment"


def test_a_comment_that_a_jpeg_has_no_room_for_is_named(tmp_path: Path) -> None:
    for size, told in ((65533, None), (65534, "left out: comment")):
        assert doubled(png(chunk(b"tEXt", b"Comment\0" + b"x" * size)), tmp_path / "a.jpg") == told


def test_a_compressed_text_that_is_a_bomb_is_cut() -> None:
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**27), 9))
    text = read_contents(io.BytesIO(png(bomb))).text
    assert len(text[0].value) <= 2**24


def test_many_texts_that_are_bombs_are_cut_together() -> None:
    bomb = chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(2**24), 9))
    text = read_contents(io.BytesIO(png(*[bomb] * 12))).text
    assert sum(len(part.value) for part in text) <= 2**26


HOSTILE = {
    "chunks": lambda: encoded("PNG")[:33] + chunk(b"prVt", b"") * 600_000,
    "gap": lambda: b"\xff\xd8" + bytes(9_000_000),
    "boxes": lambda: b"\0\0\0\x0cftypavif" + struct.pack(">I4s", 8, b"free") * 600_000,
    "riff": lambda: b"RIFF\0\0\0\0WEBP" + b"prVt\0\0\0\0" * 600_000,
    "pages": lambda: b"II*\0\x08\0\0\0" + b"".join(bytes(2) + struct.pack("<I", 14 + 6 * k) for k in range(400_000)),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_files_of_very_many_parts_are_left_off_soon(kind: str) -> None:
    data = HOSTILE[kind]()
    started = time.process_time()
    read_contents(io.BytesIO(data))
    assert time.process_time() - started < 4


# ---- what no longer holds ------------------------------------------------------------------------


def test_xmp_tells_the_new_size_and_an_upright_image(tmp_path: Path) -> None:
    packet = HEAD + b'xmlns:t="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/" '
    packet += b't:Orientation="6" t:ImageWidth="96" exif:PixelXDimension="96"><t:ImageLength>64</t:ImageLength>'
    packet += b"</rdf:Description></rdf:RDF></x:xmpmeta>"
    doubled(encoded("JPEG", exif=camera(orientation=6), xmp=packet), tmp_path / "a.jpg")
    found = read(tmp_path / "a.jpg").metadata.xmp or b""
    assert b't:Orientation="1" t:ImageWidth="128" exif:PixelXDimension="128"' in found
    assert b"<t:ImageLength>192</t:ImageLength>" in found


def test_a_panorama_grows_with_its_image(tmp_path: Path) -> None:
    packet = HEAD + b'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" GPano:ProjectionType="equirectangular" '
    packet += b'GPano:FullPanoWidthPixels="200" GPano:CroppedAreaImageWidthPixels="96" GPano:CroppedAreaLeftPixels="7"'
    packet += b' GPano:FullPanoHeightPixels="100" GPano:CroppedAreaImageHeightPixels="64"' + TAIL
    assert doubled(encoded("JPEG", xmp=packet), tmp_path / "a.jpg") is None
    found = read(tmp_path / "a.jpg").metadata.xmp or b""
    for stated in (b'FullPanoWidthPixels="400"', b'ImageWidthPixels="192"', b'LeftPixels="14"', b'HeightPixels="200"'):
        assert stated in found
    assert b"equirectangular" in found


def test_a_motion_photo_loses_its_video_and_its_mark(tmp_path: Path) -> None:
    packet = HEAD + b'xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" GCamera:MotionPhoto="1" '
    packet += b'GCamera:MicroVideoOffset="4000"' + TAIL
    source = encoded("JPEG", xmp=packet) + b"\0\0\0\x18ftypmp42" + bytes(3988)
    note = doubled(source, tmp_path / "a.jpg")
    assert note == "left out: the motion photo's mark, the video of a motion photo"
    found = read(tmp_path / "a.jpg").metadata.xmp or b""
    assert b"MotionPhoto" not in found
    assert b"MicroVideo" not in found


KEYWORD = b"\x1c\x02\x19\0\x02kw"
"""A record of IPTC."""


def raw_profile(kind: str, data: bytes, said: str = "") -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    digits = data.hex()
    lines = "\n".join(digits[k : k + 72] for k in range(0, len(digits), 72))
    info.add_text(f"Raw profile type {kind}", f"\n{said or kind}\n{len(data):8}\n{lines}\n", zip=True)
    return info


@pytest.mark.parametrize("said", ["iptc", "IPTC profile"])  # ImageMagick's word for it, and ExifTool's
def test_iptc_in_a_profile_reaches_a_jpeg(tmp_path: Path, said: str) -> None:
    source = encoded("PNG", pnginfo=raw_profile("iptc", KEYWORD, said))
    assert doubled(source, tmp_path / "a.jpg") is None
    assert KEYWORD in (tmp_path / "a.jpg").read_bytes()


def test_a_profile_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Raw profile type iptc", "no length, no digits")
    assert doubled(encoded("PNG", pnginfo=info), tmp_path / "a.png") == "left out: text 'Raw profile type iptc'"


@pytest.mark.parametrize("where", ["xmp", "raw exif", "raw APP1"])
def test_an_orientation_that_stands_elsewhere_counts(tmp_path: Path, where: str) -> None:
    block = camera(orientation=6).tobytes()
    if where == "xmp":
        packet = HEAD + b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"' + TAIL
        source = encoded("WEBP", lossless=True, xmp=packet)
    else:
        source = encoded("PNG", pnginfo=raw_profile(where.removeprefix("raw "), block))
    image = read(source)
    assert np.array_equal(image.to_array(), np.rot90(ARRAY, -1))
    assert doubled(source, tmp_path / "a.png") is None
    assert np.array_equal(read(tmp_path / "a.png").to_array()[::2, ::2], np.rot90(ARRAY, -1))
    if where != "xmp":
        with PIL.Image.open(tmp_path / "a.png") as again:
            assert again.getexif()[0x010F] == "ACME"
            assert not getattr(again, "text", {})


# ---- TIFF ----------------------------------------------------------------------------------------


def written(array: np.ndarray = ARRAY, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, photometric="rgb", metadata=None, **options)
    return file.getvalue()


def test_geotiff_tags_are_named_and_no_resolution_is_invented(tmp_path: Path) -> None:
    scale = (33550, "d", 3, (10.0, 10.0, 0.0), True)
    assert doubled(written(extratags=[scale], resolution=None), tmp_path / "a.tif") == "left out: GeoTIFF tags"
    assert doubled(encoded("PNG"), tmp_path / "b.tif") is None
    with tifffile.TiffFile(tmp_path / "b.tif") as again:
        assert "XResolution" not in again.pages[0].tags  # type: ignore[union-attr]


@pytest.mark.parametrize("name", SOURCES)
def test_72_dpi_are_kept_where_stated_and_not_invented(tmp_path: Path, name: str) -> None:
    assert doubled(encoded("PNG"), tmp_path / f"a.{name}") is None
    assert read(tmp_path / f"a.{name}").metadata.dpi is None
    doubled(encoded("PNG", dpi=(72, 72)), tmp_path / f"b.{name}")
    assert read(tmp_path / f"b.{name}").metadata.dpi == pytest.approx((72, 72), abs=0.02)


def test_an_impossible_resolution_is_named(tmp_path: Path) -> None:
    source = png(chunk(b"pHYs", struct.pack(">IIB", 2**32 - 1, 1, 1)))
    assert doubled(source, tmp_path / "a.webp") == "left out: an impossible resolution"


def test_iptc_that_a_big_endian_tiff_calls_numbers_is_read_as_bytes() -> None:
    records = b"\x1c\x02\x78\x00\x03abc"  # 8 bytes: two LONGs
    tag = (33723, "I", 2, struct.unpack(">2I", records), True)
    assert open_image(written(extratags=[tag], byteorder=">")).metadata.iptc == records


def test_a_fourth_channel_that_is_not_alpha_changes_no_colour(tmp_path: Path) -> None:
    infrared = np.where(xx > 48, 0, 200).astype(np.uint8)
    source = written(np.dstack([ARRAY, infrared]), extrasamples=["unspecified"])
    assert np.array_equal(read(source).to_array(), ARRAY)
    assert doubled(source, tmp_path / "a.tif") == "left out: a channel that is neither colour nor alpha"


def test_a_tiff_whose_second_page_is_a_thumbnail_is_read() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(ARRAY, photometric="rgb", metadata=None)
        writer.write(ARRAY[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
    assert np.array_equal(read(file.getvalue()).to_array(), ARRAY)
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(ARRAY[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)
        writer.write(ARRAY, photometric="rgb", metadata=None)
    assert np.array_equal(read(file.getvalue()).to_array(), ARRAY)
    assert read(file.getvalue()).metadata.left_out == {"its smaller copies"}


def test_a_tiff_of_two_pages_is_refused() -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(ARRAY, photometric="rgb")
        writer.write(ARRAY, photometric="rgb")
    with pytest.raises(UnreadableImage, match="it has 2 frames or pages"):
        open_image(file.getvalue())


def test_floats_that_rounding_took_past_one_are_read() -> None:
    array = ARRAY.astype(np.float32) / 255
    array[0, 0] = 1.0000001, -1e-7, 1
    assert read(written(array)).pixels[0, 0].tolist() == [1, 0, 1]
    array[0, 0, 0] = 1.01
    with pytest.raises(UnreadableImage, match="floats leave"):
        read(written(array))


# ---- lossless ------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["webp", "avif"])
@pytest.mark.parametrize("second", ["webp", "avif"])
def test_lossless_in_is_lossless_out(tmp_path: Path, first: str, second: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (24, 20, 4), dtype=np.uint8)
    write(tmp_path / f"a.{first}", Image.from_array(noise), Encoding(lossless=True))
    source = (tmp_path / f"a.{first}").read_bytes()
    assert np.array_equal(read(source).to_array(), noise)
    doubled(source, tmp_path / f"b.{second}")
    assert np.array_equal(read(tmp_path / f"b.{second}").to_array()[::2, ::2], noise)
    doubled(source, tmp_path / f"c.{second}", Encoding(lossless=False))
    assert not np.array_equal(read(tmp_path / f"c.{second}").to_array()[::2, ::2], noise)


def test_a_lossless_webp_of_another_program_is_known() -> None:
    assert open_image(encoded("WEBP", lossless=True)).metadata.lossless
    assert not open_image(encoded("WEBP", quality=100)).metadata.lossless
    assert not open_image(encoded("AVIF", quality=100)).metadata.lossless


# ---- harmless faults -----------------------------------------------------------------------------


def test_harmless_faults_of_a_jpeg_are_passed_over_with_a_note(tmp_path: Path) -> None:
    whole = encoded("JPEG", quality=95)
    scan = whole.rindex(b"\xff\xda")
    parameters = scan + 5 + 2 * whole[scan + 4]
    tables = whole.index(b"\xff\xdb")
    samsung = whole[:parameters] + b"\0\1\1" + whole[parameters + 3 :]
    stray = whole[:tables] + b"\0\0\0" + whole[tables:]
    (tmp_path / "samsung.jpg").write_bytes(samsung)
    for source in (samsung, stray, tmp_path / "samsung.jpg"):
        assert np.array_equal(read(source).pixels, read(whole).pixels)
        assert open_image(source).metadata.notes == ("faults in its header were passed over",)
    with pytest.raises(UnreadableImage, match="damaged"):
        read(samsung[: len(samsung) * 2 // 3])


def test_text_is_a_value() -> None:
    assert Text("Comment", "x").name == "comment"
    assert Text("Author", "x").name == "text 'Author'"


# ---- the file itself -----------------------------------------------------------------------------


@pytest.mark.parametrize(("mode", "kept"), [(0o600, 0o600), (0o640, 0o640), (0o444, 0o644)])
def test_a_new_file_has_the_mode_of_its_source(tmp_path: Path, mode: int, kept: int) -> None:
    (tmp_path / "a.png").write_bytes(encoded("PNG"))
    (tmp_path / "a.png").chmod(mode)
    os.utime(tmp_path / "a.png", ns=(10**18, 10**18))
    upscale_file(tmp_path / "a.png", tmp_path / "b.png", Upscaler("nearest", scale=2))
    about = (tmp_path / "b.png").stat()
    assert about.st_mode & 0o777 == kept
    assert about.st_mtime_ns > 10**18
    upscaler = Upscaler("nearest", scale=2)
    upscale_file(str(tmp_path / "a.png"), tmp_path / "b.png", upscaler, Encoding(keep_time=True))
    assert (tmp_path / "b.png").stat().st_mtime_ns == 10**18


# ---- other places --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "GIF", "JPEG"])
def test_what_lies_behind_an_image_is_named(tmp_path: Path, kind: str) -> None:
    assert doubled(encoded(kind) + b"\0\0\r\n", tmp_path / "b.png") is None
    assert doubled(encoded(kind) + b"PK\3\4 a zip", tmp_path / "b.png") == "left out: data behind the image"


@pytest.mark.parametrize(
    ("head", "comment"),
    [
        (b"P6\n# Created by GIMP\n#\n# 2024\n4 2\n255\n", "Created by GIMP\n2024"),
        (b"P6 #one\n4 2 255\n", "one"),
        (b"P6\n4 2\n255\n", None),
    ],
)
def test_comments_of_pnm_are_kept(tmp_path: Path, head: bytes, comment: str | None) -> None:
    assert doubled(head + b"#" * 24, tmp_path / "b.png") is None
    with PIL.Image.open(tmp_path / "b.png") as image:
        assert image.info.get("Comment") == comment


def test_the_words_of_a_tga_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.tga").write_bytes(encoded("TGA", id_section=b"hand 12"))
    assert upscale_file(tmp_path / "a.tga", tmp_path / "b.png", Upscaler("nearest", scale=2)) is None
    with PIL.Image.open(tmp_path / "b.png") as image:
        assert image.info["Comment"] == "hand 12"


def test_the_boxes_of_a_jp2_are_kept_or_named(tmp_path: Path) -> None:
    plain, exif = encoded("JPEG2000"), camera().tobytes().removeprefix(b"Exif\0\0")
    boxes = {
        b"uuid" + bytes.fromhex("be7acfcb97a942e89c71999491e3afac"): XMP,
        b"uuidJpgTiffExif->JP2": exif,
        b"uuid" + bytes.fromhex("b14bf8bd083d4b43a5ae8cd7d5a6ce03"): b"GeoJP2",
        b"xml ": b"<a/>",
    }
    more = b"".join((len(name + data) + 4).to_bytes(4, "big") + name + data for name, data in boxes.items())
    assert doubled(plain, tmp_path / "b.png") is None
    assert doubled(plain + more, tmp_path / "b.png") == "left out: box 'xml ', coordinates on earth"
    with PIL.Image.open(tmp_path / "b.png") as image:
        assert image.getexif()[0x010F] == camera()[0x010F]
        assert "image/x-odd" in image.info["XML:com.adobe.xmp"]


# ---- messages ------------------------------------------------------------------------------------


def test_threads_do_not_mix_the_reasons_of_their_failures() -> None:
    kinds = {"JPEG": {"quality": 95}, "PNG": {}, "TIFF": {}, "GIF": {}, "WEBP": {}}
    cut = [encoded(kind, **options)[:-400] for kind, options in kinds.items()] * 8

    def reason(data: bytes) -> str:
        with pytest.raises(UnreadableImage) as caught:
            read(data)
        return str(caught.value)

    alone = [reason(data) for data in cut]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(reason, cut)) == alone


FULL = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
from subpixel.errors import UnreadableImage
from subpixel.images import open_image, reader
reader.shutil.disk_usage = lambda folder: type("", (), {"free": 100})  # as a full one says
source = open_image(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    source.rows(0, source.shape.height)
except UnreadableImage as error:
    print(error)
"""


def test_a_full_folder_for_temporary_files_is_no_damage(tmp_path: Path) -> None:
    """libvips decodes images there that are larger than its threshold."""
    large = np.tile(ARRAY, (8, 8, 1))
    (tmp_path / "a.png").write_bytes(encoded("PNG", large))
    settings = os.environ | {"VIPS_DISC_THRESHOLD": "1k", "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", FULL, str(tmp_path / "a.png")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=settings)
    assert done.stdout == (f"cannot read {tmp_path / 'a.png'}: the folder for temporary files, {tmp_path}, is full\n")


def test_a_png_with_nothing_to_say_is_not_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its pixels may be gigabytes."""
    copies = list[Any]()
    monkeypatch.setattr(encoders, "_begin_with", lambda *given: copies.append(given))
    write(tmp_path / "a.png", Image.from_array(ARRAY))
    write(tmp_path / "b.png", Image.from_array(ARRAY, Metadata(dpi=(300.0, 150.0))))
    assert copies == []
    assert np.array_equal(np.asarray(PIL.Image.open(tmp_path / "a.png")), ARRAY)
    assert read(tmp_path / "b.png").metadata.dpi == pytest.approx((300, 150), abs=0.02)


def test_pixels_that_are_not_square_are_named(tmp_path: Path) -> None:
    source = png(chunk(b"pHYs", struct.pack(">IIB", 2, 1, 0)))
    assert doubled(source, tmp_path / "a.png") == "left out: the shape of its pixels"
