"""Small files that ask for much: one line, under 1 GiB and within 10 seconds of the processor, seen from outside."""

from __future__ import annotations

import gzip
import io
import os
import resource
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.images import FORMATS, Encoding, Metadata, budget, create, open_image
from subpixel.ports import Shape

PIXELS = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
SECONDS, MEMORY = 10, 2**30


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, interlaced: bool = False, extra: bytes = b"") -> bytes:
    """Black, and small however large it is."""
    packer, rows = zlib.compressobj(9), bytes(64 * (1 + 3 * width))
    data = b"".join(packer.compress(rows) for _ in range(-(-height // 64))) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def sharing(tags: int, size: int, nested: bool) -> bytes:
    """An EXIF block whose tags all hold the same bytes, in its first table or in the one for EXIF."""
    table = 26 if nested else 8
    pool = table + 2 + 12 * tags + 4
    entries = b"".join(struct.pack("<HHII", 0x9000 + k, 7, size, pool) for k in range(tags))
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, table, 0) if nested else b""
    return struct.pack("<2sHI", b"II", 42, 8) + first + struct.pack("<H", tags) + entries + bytes(4 + size)


def encoded(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(PIXELS).save(file, kind, **options)
    return file.getvalue()


def sharing_tiff(tags: int, size: int) -> bytes:
    """A TIFF whose table for EXIF holds the same bytes again and again."""
    whole = bytearray(encoded("TIFF"))
    (first,) = struct.unpack("<I", whole[4:8])
    (count,) = struct.unpack("<H", whole[first : first + 2])
    own = [bytes(whole[first + 2 + 12 * k : first + 14 + 12 * k]) for k in range(count)]
    whole += bytes(len(whole) % 2)
    pool = len(whole)
    whole += bytes(size)
    table = len(whole)
    pointer = struct.pack("<HHII", 0x8769, 4, 1, table + 2 + 12 * (count + 1) + 4)
    whole += (
        struct.pack("<H", count + 1)
        + b"".join(sorted([*own, pointer], key=lambda entry: int.from_bytes(entry[:2], "little")))
        + bytes(4)
    )
    shared = b"".join(struct.pack("<HHII", 0x9000 + k, 7, size, pool) for k in range(tags))
    whole += struct.pack("<H", tags) + shared + bytes(4)
    whole[4:8] = struct.pack("<I", table)
    return bytes(whole)


def svgz() -> bytes:
    inner = b"<g>" * 200 + b"<rect width='1' height='1'/>" * 2_000_000 + b"</g>" * 200
    return gzip.compress(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'>" + inner + b"</svg>", 1)


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.png", "w") as member:
        for _ in range(600):
            member.write(bytes(2**20))
    return file.getvalue()


MANY = zlib.compress(bytes(500_000_000), 9)
BOMBS: dict[str, Callable[[], bytes]] = {
    "shared.webp": lambda: encoded("WEBP", exif=sharing(12_000, 300_000, nested=True)),
    "flat.webp": lambda: encoded("WEBP", exif=sharing(12_000, 300_000, nested=False)),
    "shared.png": lambda: encoded("PNG", exif=sharing(12_000, 300_000, nested=True)),
    "flat.jpg": lambda: encoded("JPEG", exif=b"Exif\0\0" + sharing(2_000, 40_000, nested=False)),
    "shared.tif": lambda: sharing_tiff(12_000, 350_000),
    "text.png": lambda: png(40, 40, extra=chunk(b"zTXt", b"a\0\0" + MANY)),
    "profile.png": lambda: png(40, 40, extra=chunk(b"iCCP", b"a\0\0" + MANY)),
    "pixels.png": lambda: png(10_000, 10_000),
    "interlaced.png": lambda: png(30_000, 30_000, interlaced=True),
    "claims.bmp": lambda: (
        struct.pack("<2sI4xIIiiHHIIiiII", b"BM", 99, 58, 40, 30_000, 30_000, 1, 8, 1, 0, 0, 0, 1, 0) + bytes(99)
    ),
    "claims.tga": lambda: struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 30_000, 30_000, 24, 0) + bytes(99),
    "claims.ppm": lambda: b"P6 30000 30000 255\n" + bytes(99),
    "claims.qoi": lambda: struct.pack(">4sIIBB", b"qoif", 30_000, 30_000, 3, 0) + b"\xfd" * 99,
    "claims.psd": lambda: struct.pack(">4sH6xHIIHH", b"8BPS", 1, 3, 30_000, 30_000, 8, 3) + bytes(99),
    "vector.svgz": svgz,
    "vector.png": svgz,
}
WHOLE = {"whole.webp": ("WEBP", 10_300, 10_300), "whole.avif": ("AVIF", 8_500, 8_500)}


def run(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Runs the command line; returns its exit status and what it said, once it was within the budget."""
    limit = lambda: resource.setrlimit(resource.RLIMIT_CPU, (4 * SECONDS, 4 * SECONDS))  # noqa: E731
    command = [sys.executable, "-m", "subpixel", *arguments]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=limit
    )
    assert process.stdout
    with process.stdout as stream:
        said = stream.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert used.ru_maxrss * 1024 < MEMORY, said
    assert used.ru_utime + used.ru_stime < SECONDS, said
    assert "Traceback" not in said
    return process.returncode, said


@pytest.mark.parametrize("target", ["tif", "webp"])
@pytest.mark.parametrize("name", [name for name in BOMBS if name.startswith(("shared", "flat"))])
def test_metadata_costs_no_more_than_its_file(name: str, target: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BOMBS[name]())
    status, said = run(["upscale", name, "-m", "bicubic", "-o", f"out.{target}"], tmp_path)
    assert status == 0, said
    assert open_image(tmp_path / f"out.{target}").shape.height == 80


@pytest.mark.parametrize("name", [name for name in BOMBS if not name.startswith(("shared", "flat"))])
def test_a_bomb_is_small_when_it_is_read(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(BOMBS[name]())
    status, said = run(["upscale", name, "-m", "nearest", "-s", "0.01", "-o", "out.png"], tmp_path)
    assert (status, said.count("cannot read")) in ((0, 0), (2, 1)), said


@pytest.mark.parametrize("kind", ["TGA", "JPEG2000", "ICO", "PCX", "SGI", "DDS"])
def test_the_budget_holds_before_pillow_decodes(kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    data = encoded(kind, **({"compression": "tga_rle"} if kind == "TGA" else {}))
    suffix = {"JPEG2000": "jp2"}.get(kind, kind.lower())
    (tmp_path / f"a.{suffix}").write_bytes(data)
    assert open_image(tmp_path / f"a.{suffix}").shape.channels == 3
    monkeypatch.setattr(budget, "HELD", 10_000)
    monkeypatch.setattr(PIL.Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(UnreadableImage, match=r"pixels, decoded as a whole from .*: that would take .* at once"):
        open_image(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize(("kind", "most"), [("HEIC", 78.6), ("JPEG XL", 52.4), ("TGA", 67.4), ("JPEG 2000", 39.3)])
def test_how_large_an_image_is_decoded_beside_libvips(kind: str, most: float) -> None:
    """Megapixels; half as many of 16 bits, and any number where nothing is decoded."""
    budget.check_decoding_beside("a", kind, round(most * 1e6), 1, 1)
    budget.check_decoding_beside("a", kind, round(most * 1e6 / 2), 1, 2)
    budget.check_decoding_beside("a", kind, 10**9, 1, 0)
    for millions, sample in ((most + 0.1, 1), ((most + 0.1) / 2, 2)):
        with pytest.raises(UnreadableImage, match="decoded as a whole from"):
            budget.check_decoding_beside("a", kind, round(millions * 1e6), 1, sample)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_decoded_as_a_whole_has_a_limit(name: str, tmp_path: Path) -> None:
    kind, width, height = WHOLE[name]
    file = tmp_path / name
    PIL.Image.new("RGB", (width, height)).save(file, kind, quality=10, **({"speed": 10} if kind == "AVIF" else {}))
    status, said = run(["upscale", name, "-m", "nearest", "-s", "0.01", "-o", "out.png"], tmp_path)
    assert status == 2
    assert f"{width:,} x {height:,} pixels, decoded as a whole" in said
    assert "GiB of memory at once; convert it to a plain PNG or TIFF first" in said


@pytest.mark.parametrize("reason", ["progressive", "turned", "plain"])
def test_why_an_image_is_decoded_as_a_whole(reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6 if reason == "turned" else 1
    data = encoded("JPEG", progressive=reason == "progressive", exif=exif)
    copies = {"progressive": 2, "turned": 1, "plain": 0}[reason]
    monkeypatch.setattr(budget, "HELD", copies * PIXELS.size)
    open_image(data)
    monkeypatch.setattr(budget, "HELD", copies * PIXELS.size - 1)
    if reason == "plain":
        monkeypatch.setattr(budget, "HELD", 0)
        open_image(data)
        return
    with pytest.raises(UnreadableImage, match="40 x 40 pixels, "):
        open_image(data)


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_encoded_as_a_whole_has_a_limit(format: str, tmp_path: Path) -> None:
    shape = Shape(8193, 8192, 3)
    if format != "avif":
        create(tmp_path / f"a.{format}", shape, Metadata())
        return
    with pytest.raises(UnwritableImage, match="AVIF is encoded as a whole, up to 67,108,864; choose png or tif"):
        create(tmp_path / "a.avif", shape, Metadata(), Encoding())


def test_results_that_no_disk_holds_are_refused_before_work(tmp_path: Path) -> None:
    PIL.Image.fromarray(PIXELS).resize((160, 140)).save(tmp_path / "a.png")
    status, said = run(["upscale", "a.png", "-m", "swift", "-s", "3000", "-o", "out.png"], tmp_path)
    assert status == 2
    assert "the result would have 480,000 x 420,000 pixels, more than the limit of 4,294,967,296 in all" in said


def test_an_archive_is_unpacked_within_limits(tmp_path: Path) -> None:
    (tmp_path / "photos.zip").write_bytes(zipped())
    status, said = run(["data", "check", "photos.zip"], tmp_path)
    assert status != 0
    assert "unpacked it has 629,145,600 bytes, more than 536,870,912" in said
