"""Bad input and bad places: one clear line, and nothing half-written."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import tifffile

from subpixel.errors import BadRequest, SubpixelError, UnreadableImage, UnwritableImage
from subpixel.images import (
    FORMATS,
    Encoding,
    Image,
    Metadata,
    create,
    format_of,
    open_image,
    read,
    reader,
    streams,
    write,
    writer,
)
from subpixel.ports import Shape

NOISE = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
IMAGE = Image.from_array(NOISE)


def refuse(path: str | Path | bytes) -> str:
    """The one line with which reading is refused."""
    with pytest.raises(UnreadableImage) as caught:
        read(path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 240 + len(str(path)[:200])
    return line


def encoded(kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(NOISE).save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def claiming(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that claims a size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(100_000)))
    return b"\x89PNG\r\n\x1a\n" + header + data + chunk(b"IEND", b"")


# ---- reading -------------------------------------------------------------------------------------


def test_missing_empty_folder_and_nonsense(tmp_path: Path) -> None:
    assert refuse(tmp_path / "no.png") == f"cannot read {tmp_path / 'no.png'}: no such file"
    assert "it is a folder" in refuse(tmp_path)
    assert "not a file name" in refuse("a\0b.png")
    (tmp_path / "empty.png").touch()
    assert refuse(tmp_path / "empty.png").endswith(": it is empty")
    assert refuse(b"") == "cannot read the image: it is empty"
    for junk in (b"hello, world\n" * 9, b"%PDF-1.7\n" * 9, bytes(5000), b"P6"):
        (tmp_path / "junk.png").write_bytes(junk)
        assert "not an image in a format that can be read (PNG, JPEG" in refuse(tmp_path / "junk.png")
    for video in (
        b"\x1a\x45\xdf\xa3",
        b"\0\0\0\x20ftypisom",
        b"\0\0\0\x14ftypqt  ",
        b"RIFF\0\1\0\0AVI LIST",
        b"\0\0\1\xba",
        b"G" + bytes(187) + b"G",
        bytes(4) + b"G" + bytes(191) + b"G",
        b"OggS",
        b"FLV\1",
        bytes.fromhex("3026b2758e66cf11"),
    ):
        assert "it is a video; `subpixel video` enlarges it" in refuse(video + bytes(99))
    assert "not an image" in refuse(b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9, 0.98])
@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "WEBP", "TIFF", "LZW", "GIF", "AVIF"])
def test_truncated_files_are_refused(tmp_path: Path, kind: str, keep: float) -> None:
    special = {"progressive": ("JPEG", {"progressive": True}), "LZW": ("TIFF", {"compression": "tiff_lzw"})}
    kind, options = special.get(kind, (kind, {}))
    whole = encoded(kind, **options)
    (tmp_path / "a").write_bytes(whole[: int(len(whole) * keep)])
    assert "damaged" in refuse(tmp_path / "a")
    assert "damaged" in refuse(whole[: int(len(whole) * keep)])


@pytest.mark.parametrize("kind", ["JPEG", "progressive", "PNG", "LZW", "GIF", "AVIF"])
def test_corrupt_files_are_refused(kind: str) -> None:
    special = {"progressive": ("JPEG", {"progressive": True}), "LZW": ("TIFF", {"compression": "tiff_lzw"})}
    kind, options = special.get(kind, (kind, {}))
    whole = encoded(kind, **options)
    middle = len(whole) // 2
    assert "damaged" in refuse(whole[:middle] + np.random.default_rng(1).bytes(300) + whole[middle + 300 :])


def test_no_python_runs_in_the_threads_of_libvips(tmp_path: Path) -> None:
    """A damaged image's warnings come from there; a collection of garbage in a handler of them aborts the process."""
    whole = encoded("AVIF")
    middle = len(whole) // 2
    damage = np.random.default_rng(1).bytes(300)
    (tmp_path / "a").write_bytes(whole[:middle] + damage + whole[middle + 300 :])
    code = (
        "import logging, sys, threading; from subpixel.images import read; threads = []\n"
        "logger = logging.getLogger('pyvips'); logger.setLevel(logging.DEBUG)\n"
        "logger.addFilter(lambda record: threads.append(record.threadName))\n"
        "try: read(sys.argv[1])\n"
        "except Exception as error: print(error, {*threads} - {'MainThread'})"
    )
    run = subprocess.run([sys.executable, "-c", code, tmp_path / "a"], capture_output=True, text=True, check=True)
    assert "damaged" in run.stdout
    assert run.stdout.endswith("set()\n")
    assert run.stderr == ""


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_any_flipped_byte_gives_an_image_or_one_line(kind: str) -> None:
    whole, rng = encoded(kind), np.random.default_rng(3)
    lines: list[int] = []
    for _ in range(40):
        data = bytearray(whole)
        for at in rng.integers(0, min(len(data), 600), 3):
            data[at] = rng.integers(256)
        try:
            pixels = read(bytes(data)).pixels
        except SubpixelError as error:
            lines.append(str(error).count("\n"))
        else:
            assert pixels.dtype == np.float32
    assert not any(lines)


def test_damage_is_found_when_the_rows_are_read() -> None:
    whole = encoded("PNG")
    source = open_image(whole[: len(whole) // 2])
    assert (source.shape.height, source.shape.width) == (96, 96)
    with pytest.raises(UnreadableImage, match="damaged"):
        source.rows(90, 96)


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 1), (40_000, 40_000)])
def test_a_png_that_claims_too_much_is_refused_before_decoding(size: tuple[int, int]) -> None:
    line = refuse(claiming(*size))
    assert "claims" in line or "damaged" in line
    if size[0] == 100_000:
        assert "it claims 100,000 x 100,000 pixels, more than the limit of 1,073,741,824 in all" in line


def test_the_limit_is_the_one_that_is_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PIXELS", 96 * 96 - 1)
    assert "it claims 96 x 96 pixels" in refuse(encoded("PNG"))
    monkeypatch.setattr(reader, "MAX_PIXELS", 96 * 96)
    assert np.array_equal(read(encoded("PNG")).to_array(), NOISE)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "TIFF"])
def test_animations_and_many_pages_are_refused(kind: str) -> None:
    frames = [PIL.Image.fromarray(np.roll(NOISE, k, 0)) for k in range(3)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:])
    assert "it has 3 frames or pages; save the one you want" in refuse(file.getvalue())


@pytest.mark.parametrize("head", [b"Pf\n0 0\n-1\n", b"PF 0 7 -1\n", b"P6 0 0 255\n", b"P5 0 3 255\n"])
def test_an_image_without_pixels_is_refused(head: bytes) -> None:
    refuse(head)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -0.001, 1.001])
def test_a_float_tiff_outside_the_unit_range_is_refused(tmp_path: Path, bad: float) -> None:
    array = np.zeros((4, 4), np.float32)
    array[2, 2] = bad
    tifffile.imwrite(tmp_path / "a.tif", array)
    assert "its floats leave [0, 1] or are not numbers; scale them" in refuse(tmp_path / "a.tif")


@pytest.mark.parametrize("array", [np.zeros((4, 4), np.int32), np.zeros((4, 4), np.int16), np.zeros((4, 4, 5), "u1")])
def test_other_samples_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="minisblack", planarconfig="contig")
    assert "convert it to gray or RGB with 8 or 16 bits" in refuse(tmp_path / "a.tif")


@pytest.mark.parametrize(("y0", "y1"), [(-1, 3), (3, 3), (90, 97), (5, 4)])
def test_rows_outside_the_image(y0: int, y1: int) -> None:
    with pytest.raises(IndexError):
        open_image(encoded("PNG")).rows(y0, y1)


def test_refusals_are_silent(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encoded("JPEG")[:2000])
    code = (
        "import sys; from subpixel.images import *; from subpixel.errors import *\n"
        "try: read(sys.argv[1])\nexcept UnreadableImage as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.jpg"], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1


# ---- writing -------------------------------------------------------------------------------------


def deny(path: str | Path, image: Image = IMAGE, format: str | None = None) -> str:
    with pytest.raises(UnwritableImage) as caught:
        write(path, image, Encoding(format))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_unknown_formats(tmp_path: Path) -> None:
    assert deny(tmp_path / "a.bmp").endswith("unknown format '.bmp'; choose one of png, jpg, webp, tif, avif, gif")
    assert "its name has no ending; choose one of png" in deny(tmp_path / "a")
    assert "unknown format '.xyz'" in deny(tmp_path / "a.png", format="xyz")
    assert list(tmp_path.iterdir()) == []
    assert [format_of(f"A.{e}") for e in ("JPEG", "TIFF", "Png")] == ["jpg", "tif", "png"]
    assert format_of("-") == "png"
    assert format_of("a.png", "webp") == "webp"


@pytest.mark.parametrize(("name", "side"), [("jpg", 65501), ("webp", 16384), ("avif", 16385)])
def test_the_limits_of_formats(tmp_path: Path, name: str, side: int) -> None:
    with pytest.raises(UnwritableImage, match=f"ends at {side - 1:,} pixels a side; choose png or tif"):
        create(tmp_path / f"a.{name}", Shape(1, side, 1), Metadata())
    if name != "jpg":
        return
    with create(tmp_path / "a.jpg", Shape(1, side - 1, 1), Metadata()) as sink:
        sink.write(np.zeros((1, side - 1, 1), np.float32))
    assert read(tmp_path / "a.jpg").width == side - 1


def test_alpha_and_quality(tmp_path: Path) -> None:
    alpha = Image.from_array(np.zeros((4, 4, 4), np.uint8))
    assert deny(tmp_path / "a.jpg", alpha).endswith("JPEG has no alpha; choose png, webp, tif or avif")
    with pytest.raises(BadRequest, match="quality 0"):
        write(tmp_path / "a.jpg", IMAGE, Encoding(quality=0))


@pytest.mark.parametrize(
    ("ending", "encoding", "expected"),
    [
        ("png", Encoding(quality=60), "quality 60 was not used, for PNG has none"),
        ("webp", Encoding(quality=60, lossless=True), "quality 60 was not used, for lossless WebP has none"),
        ("webp", Encoding(quality=60), None),
        ("png", Encoding(compress=True), None),
        ("tif", Encoding(compress=True), None),
        ("jpg", Encoding(quality=60, compress=True), "compress was not used, for it is of PNG and TIFF"),
    ],
)
def test_what_an_encoding_asks_for_in_vain_is_noted(
    tmp_path: Path, ending: str, encoding: Encoding, expected: str | None
) -> None:
    with create(tmp_path / f"a.{ending}", Shape(96, 96, 3), Metadata(), encoding) as sink:
        sink.write(IMAGE.pixels)
    assert sink.note == expected


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    assert "there is no folder" in deny(tmp_path / "no" / "a.png")
    (tmp_path / "folder.png").mkdir()
    assert "it is a folder" in deny(tmp_path / "folder.png")
    assert "it is a device" in deny("/dev/null", format="png")
    assert "too long" in deny(tmp_path / ("x" * 300 + ".png"))


def fail(path: Path, error: type[BaseException], height: int = 96) -> None:
    with pytest.raises(error), create(path, Shape(height, 96, 3), Metadata()) as sink:  # noqa: PT012
        sink.write(IMAGE.pixels[:50])
        raise error


@pytest.mark.parametrize("in_memory", [0, 2**26])
@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_interrupted_image_leaves_nothing(
    tmp_path: Path, name: str, error: type[BaseException], in_memory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IN_MEMORY", in_memory)
    path = tmp_path / f"a.{name}"
    fail(path, error)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"precious")
    fail(path, error)
    assert path.read_bytes() == b"precious"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("in_memory", [0, 2**26])
def test_wrong_rows_leave_nothing(tmp_path: Path, in_memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "IN_MEMORY", in_memory)

    def attempt(rows: Callable[[], np.ndarray], error: type[Exception], match: str) -> None:
        with pytest.raises(error, match=match), create(tmp_path / "a.png", Shape(96, 96, 3), Metadata()) as sink:
            sink.write(rows())
        assert list(tmp_path.iterdir()) == []

    attempt(lambda: IMAGE.pixels[:95], ValueError, "95 of 96 rows were written")
    attempt(lambda: np.zeros((97, 96, 3), np.float32), ValueError, "rows 0 to 97")
    attempt(lambda: np.zeros((96, 96, 1), np.float32), ValueError, "shape")
    attempt(lambda: np.full((96, 96, 3), np.nan, np.float32), UnwritableImage, "not all finite")
    endless = np.full((96, 96, 3), np.inf, np.float32)
    endless[::2] *= -1
    attempt(lambda: endless, UnwritableImage, "not all finite")


FULL = """
import resource, signal, sys, numpy as np
from subpixel.images import writer
from subpixel.errors import UnwritableImage
from subpixel.images import Image, write
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))  # as a disk that is full after 20 kB
writer.IN_MEMORY = int(sys.argv[2])
try:
    write(sys.argv[1], Image.from_array(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8)))
except UnwritableImage as error:
    print(error)
"""


@pytest.mark.parametrize("in_memory", [0, 2**26])
@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing(tmp_path: Path, name: str, in_memory: int) -> None:
    path = tmp_path / f"a.{name}"
    done = subprocess.run(
        [sys.executable, "-c", FULL, path, str(in_memory)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"cannot write {path}: ")
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert deny(tmp_path / "a.png").endswith(": permission denied")


def test_a_stream_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much is read as is held, and no more."""
    read_of_it: list[int] = []

    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            read_of_it.append(size)
            return bytes(size)

    monkeypatch.setattr(streams, "MAX_BYTES", 1000)
    with pytest.raises(UnreadableImage, match="the image: more than 1,000 bytes came; save it as a file first"):
        open_image(Endless())
    assert read_of_it == [1001]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(bytes(1001))))
    assert refuse("-") == "cannot read standard input: more than 1,000 bytes came; save it as a file first"
