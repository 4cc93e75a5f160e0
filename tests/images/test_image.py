"""Images in and out, against Pillow and tifffile, and against numpy for what is turned or rounded."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms

from subpixel.errors import BadRequest, UnreadableImage, UnwritableImage
from subpixel.images import (
    FORMATS,
    Encoding,
    Image,
    Metadata,
    create,
    dequantise,
    from_batch,
    open_image,
    quantise,
    read,
    streams,
    to_batch,
    write,
    writer,
)  # fmt: skip
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler

ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int) -> bytes:
    block = PIL.Image.Exif()
    block[0x0112] = orientation
    return block.tobytes()


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int, channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    y, x, c = np.mgrid[:height, :width, :channels]
    return (40 + 150 * y / height + 50 * x / width + 5 * c).astype(np.uint8)


# ---- depth, alpha, colour ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["png", "tif"])
@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_each_16_bit_value_survives(tmp_path: Path, name: str, samples: int) -> None:
    gray = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    array = np.dstack([np.roll(gray, 77 * c) for c in range(samples)])
    write(tmp_path / f"a.{name}", Image.from_array(array))
    image = read(tmp_path / f"a.{name}")
    assert image.metadata.depth == 16
    assert np.array_equal(image.to_array().reshape(array.shape), array)
    if name == "tif":
        assert np.array_equal(tifffile.imread(tmp_path / "a.tif").reshape(array.shape), array)


def test_each_8_bit_value_survives_and_halves_round_up() -> None:
    levels = np.arange(256, dtype=np.uint8)
    assert np.array_equal(dequantise(levels), np.array([k / 255 for k in range(256)], np.float32))
    assert np.array_equal(quantise(dequantise(levels), 8), levels)
    values = np.array([-1, 0.0, 0.5, 1.0, 7.0, 2.5 / 255, 2.49 / 255], np.float32)
    assert quantise(values, 8).tolist() == [0, 0, 128, 255, 255, 3, 2]
    assert quantise(values, 16).tolist() == [0, 0, 32768, 65535, 65535, 643, 640]
    assert quantise(values, 32).tolist()[:5] == [0, 0, 0.5, 1, 1]


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
def test_a_float_tiff_is_exact(tmp_path: Path, samples: int) -> None:
    array = np.random.default_rng(1).random((9, 13, samples), dtype=np.float32)
    write(tmp_path / "a.tif", Image.from_array(array, Metadata(exif=exif(1).removeprefix(b"Exif\0\0"))))
    assert np.array_equal(tifffile.imread(tmp_path / "a.tif").reshape(array.shape), array)
    again = read(tmp_path / "a.tif")
    assert again.metadata.depth == 32
    assert np.array_equal(again.samples, array)


@pytest.mark.parametrize("name", ["png", "webp", "tif", "avif"])
@pytest.mark.parametrize("samples", [2, 4])
def test_alpha_survives(tmp_path: Path, name: str, samples: int) -> None:
    array = smooth(40, 40, samples)
    array[:7, :, -1] = 0
    write(tmp_path / f"a.{name}", Image.from_array(array))
    image = read(tmp_path / f"a.{name}")
    assert image.alpha is not None
    lossy = name in ("webp", "avif")
    assert np.abs(image.alpha * 255 - array[..., -1]).max() <= (2.01 if name == "avif" else 0.01)
    opaque = image.pixels[8:] * 255 - array[8:, :, :-1]
    assert np.abs(opaque).max() <= (8 if lossy else 0.01)
    with PIL.Image.open(tmp_path / f"a.{name}") as pil_image:
        assert pil_image.mode in ("LA", "RGBA")


@pytest.mark.parametrize("name", ["jpg", "webp", "avif"])
def test_lossy_formats_stay_close(tmp_path: Path, name: str) -> None:
    array = smooth(64, 48, 3)
    write(tmp_path / f"a.{name}", Image.from_array(array))
    with PIL.Image.open(tmp_path / f"a.{name}") as pil_image:
        error = np.asarray(pil_image.convert("RGB")).astype(float) - array
    assert np.sqrt(np.mean(error**2)) < 1.5


def test_a_jpeg_has_full_colour_resolution(tmp_path: Path) -> None:
    write(tmp_path / "a.jpg", Image.from_array(noise(16, 16, 3)))
    with PIL.Image.open(tmp_path / "a.jpg") as pil_image:
        assert [layer[1:3] for layer in pil_image.layer] == [(1, 1)] * 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["png", "tif", "gif"])
def test_palette_becomes_rgb_and_one_bit_becomes_gray(tmp_path: Path, name: str) -> None:
    palette = PIL.Image.fromarray(noise(12, 9, 3)).quantize(16)
    palette.save(tmp_path / f"p.{name}")
    image = read(tmp_path / f"p.{name}")
    assert np.array_equal(image.to_array(), np.asarray(palette.convert("RGB")))
    bits = noise(12, 9) > 127
    PIL.Image.fromarray(bits).save(tmp_path / f"b.{name}")
    image = read(tmp_path / f"b.{name}")
    assert image.metadata.depth == 8
    assert np.array_equal(image.pixels[..., 0], bits)


def test_a_transparent_palette_becomes_rgba(tmp_path: Path) -> None:
    palette = PIL.Image.fromarray(noise(12, 9, 3)).quantize(16)
    palette.save(tmp_path / "p.png", transparency=3)
    image = read(tmp_path / "p.png")
    assert image.alpha is not None
    assert np.array_equal(image.alpha == 0, np.asarray(palette) == 3)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_srgb(tmp_path: Path, kind: str) -> None:
    inks = np.array([[0, 0, 0, 0], [255, 0, 0, 0], [0, 255, 255, 0], [255, 255, 255, 255]], np.uint8)
    array = np.repeat(np.repeat(inks[None], 16, 0), 16, 1)
    PIL.Image.fromarray(array, "CMYK").save(tmp_path / "a", kind, quality=100)
    image = read(tmp_path / "a")
    white, cyan, red, black = image.to_array()[8, 8::16].astype(int)
    assert image.channels == 3
    assert image.metadata.icc is None
    assert white.min() >= 253
    assert cyan[0] < 60 < 120 < cyan[1] < cyan[2]
    assert red[0] > 200 > 80 > max(red[1:])
    assert black.max() < 45


def test_cmyk_goes_through_its_own_profile(tmp_path: Path) -> None:
    import pyvips

    rgb = pyvips.Image.black(32, 32, bands=3).linear(1, [180, 120, 90], uchar=True).copy(interpretation="srgb")
    rgb.icc_transform("cmyk", input_profile="srgb").tiffsave(str(tmp_path / "a.tif"))
    with PIL.Image.open(tmp_path / "a.tif") as pil_image:
        assert pil_image.mode == "CMYK"
        assert pil_image.info["icc_profile"][16:20] == b"CMYK"
    image = read(tmp_path / "a.tif")
    assert np.abs(image.pixels * 255 - [180, 120, 90]).max() < 4
    assert image.metadata.icc is None


def odd_press(begin: float = 0.25) -> bytes:
    """A profile of CMYK that is not the usual one: what its tables say of inks is turned about.

    begin: the share of a table that stays; 0 damages it.
    """
    import pyvips

    black = pyvips.Image.black(2, 2, bands=3).copy(interpretation="srgb")
    icc = bytearray(black.icc_transform("cmyk", input_profile="srgb").get("icc-profile-data"))
    for at in range(132, 132 + 12 * int.from_bytes(icc[128:132], "big"), 12):
        start, size = (int.from_bytes(icc[k : k + 4], "big") for k in (at + 4, at + 8))
        if icc[at : at + 3] == b"A2B":
            middle = slice(start + int(size * begin), start + size * 3 // 4)
            icc[middle] = bytes(255 - value for value in icc[middle])
    return bytes(icc)


@pytest.mark.parametrize(
    ("kind", "mode", "press"),
    [
        ("TIFF", "CMYK", ""), ("JPEG", "CMYK", ""), ("TIFF", "CMYK", "odd"), ("JPEG", "CMYK", "odd"),
        ("TIFF", "LAB", ""), ("TIFF", "YCbCr", ""),
    ],
)  # fmt: skip
def test_a_pillow_image_becomes_srgb_as_its_file_does(kind: str, mode: str, press: str) -> None:
    profile = {"icc_profile": odd_press()} if press else {}
    array = noise(40, 30, 4 if mode == "CMYK" else 3)
    given = PIL.Image.fromarray(array, mode)
    given.save(data := io.BytesIO(), kind, exif=exif(6), **profile)
    file = read(data.getvalue())
    with PIL.Image.open(data) as pil_image:
        assert pil_image.mode == mode
        image = Image.from_pil(pil_image)
        larger = Upscaler("nearest", scale=2)(pil_image)
    assert np.array_equal(image.to_array(), file.to_array())
    assert image.to_array().shape == (30, 40, 3)
    assert (image.metadata.icc, image.metadata.notes) == (None, file.metadata.notes)
    assert image.metadata.notes == (() if mode == "YCbCr" else (f"its colours became sRGB ({mode} before)",))
    if press:  # the profile decides
        usual = np.rot90(Image.from_pil(given).to_array(), -1)
        assert np.abs(image.to_array().astype(int) - usual).mean() > 20
    assert np.array_equal(np.asarray(larger)[::2, ::2], file.to_array())


def test_inks_with_a_profile_that_is_damaged_inside_are_refused_in_one_line() -> None:
    image = PIL.Image.fromarray(noise(4, 5, 4), "CMYK")
    image.info["icc_profile"] = odd_press(begin=0)
    with pytest.raises(UnreadableImage, match="a Pillow image: its colour profile is damaged"):
        Image.from_pil(image)


def test_cmyk_of_photoshop_goes_through_its_own_profile() -> None:
    inks, icc = noise(8, 9, 4), odd_press()
    block = b"8BIM" + struct.pack(">HHI", 1039, 0, len(icc)) + icc + bytes(len(icc) % 2)
    head = b"8BPS" + struct.pack(">H6xHIIHHI", 1, 4, 8, 9, 8, 4, 0)
    planes = (255 - inks).transpose(2, 0, 1).tobytes()
    found = read(head + struct.pack(">I", len(block)) + block + struct.pack(">IH", 0, 0) + planes)
    PIL.Image.fromarray(inks, "CMYK").save(data := io.BytesIO(), "TIFF", icc_profile=icc)
    assert np.array_equal(found.to_array(), read(data.getvalue()).to_array())
    assert found.metadata.icc is None


def test_premultiplied_tiff_alpha_is_undone(tmp_path: Path) -> None:
    array = np.full((4, 4, 4), 64, np.uint8)
    array[..., 3] = 128
    tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", extrasamples=["assocalpha"])
    assert read(tmp_path / "a.tif").to_array()[0, 0].tolist() == pytest.approx([128, 128, 128, 128], abs=1)


# ---- rows, names, streams ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["png", "jpg", "tif", "webp"])
def test_rows_in_odd_bands_equal_the_whole(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    image = Image.from_array(noise(101, 37, 3))
    write(tmp_path / f"whole.{name}", image)
    monkeypatch.setattr(writer, "IN_MEMORY", 0)  # through the file beside the target
    source = open_image(tmp_path / f"whole.{name}")
    with create(tmp_path / f"bands.{name}", image.shape, image.metadata) as sink:
        for y in range(0, 101, 7):
            sink.write(image.samples[y : y + 7])
    assert (tmp_path / f"bands.{name}").read_bytes() == (tmp_path / f"whole.{name}").read_bytes()
    whole = read(tmp_path / f"whole.{name}").pixels
    bands = [source.rows(y, min(y + 13, 101)) for y in reversed(range(0, 101, 13))]
    assert np.array_equal(dequantise(np.concatenate(bands[::-1])), whole)
    assert sorted(p.name for p in tmp_path.iterdir()) == [f"bands.{name}", f"whole.{name}"]


@pytest.mark.parametrize("samples", [1, 2, 3, 4])
@pytest.mark.parametrize("depth", [8, 16, 32])
def test_a_big_image_of_any_kind_goes_through_a_file(
    tmp_path: Path, samples: int, depth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "IN_MEMORY", 0)
    array = np.random.default_rng(2).random((35, 11, samples), dtype=np.float32)
    image = Image.from_samples(array, Metadata(depth=depth))  # type: ignore[arg-type]
    write(tmp_path / "a.tif", image)
    assert np.array_equal(read(tmp_path / "a.tif").to_array(), image.to_array())


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (1, 1, 2), (1, 1, 3), (1, 1, 4), (3, 1, 3)])
@pytest.mark.parametrize("name", ["png", "tif"])
def test_tiny_images(tmp_path: Path, shape: tuple[int, ...], name: str) -> None:
    array = noise(*shape)
    write(tmp_path / f"a.{name}", Image.from_array(array))
    assert np.array_equal(read(tmp_path / f"a.{name}").to_array(), array)


@pytest.mark.parametrize("name", ["jpg", "webp", "avif"])
def test_one_pixel_in_lossy_formats(tmp_path: Path, name: str) -> None:
    write(tmp_path / f"a.{name}", Image.from_array(np.full((1, 1, 3), 100, np.uint8)))
    assert np.abs(read(tmp_path / f"a.{name}").pixels * 255 - 100).max() < 3


@pytest.mark.parametrize("stem", ["a b", "ü 東京", "x[0]", "x[n=-1]", "100%", "--strip", "a:b"])
@pytest.mark.parametrize("name", FORMATS)
def test_names(tmp_path: Path, stem: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "IN_MEMORY", 0)
    folder = tmp_path / stem
    folder.mkdir()
    write(folder / f"{stem}.{name}", Image.from_array(smooth(8, 8, 3)))
    assert read(folder / f"{stem}.{name}").height == 8
    assert [p.name for p in folder.iterdir()] == [f"{stem}.{name}"]


def test_standard_input_and_output(tmp_path: Path) -> None:
    write(tmp_path / "a.png", Image.from_array(noise(6, 5, 3)))
    code = "from subpixel.images import *; write('-', read('-'), Encoding(format='tif'))"
    done = subprocess.run(
        [sys.executable, "-c", code], input=(tmp_path / "a.png").read_bytes(), capture_output=True, check=True
    )
    assert np.array_equal(tifffile.imread(io.BytesIO(done.stdout)), noise(6, 5, 3))
    assert done.stderr == b""


class Part(io.RawIOBase):
    """A raw stream: of each write it takes a part."""

    def __init__(self, most: int | None) -> None:
        self.most, self.held = most, b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int | None:
        self.held += bytes(data[: self.most or 0])
        return self.most and min(self.most, len(data))


class Silent:
    """A stream that does not say what it took."""

    def __init__(self) -> None:
        self.held = b""

    def write(self, data: bytes) -> None:
        self.held += data

    def flush(self) -> None:
        pass


class Slow(io.RawIOBase):
    """A raw stream that gives at most 7 bytes at a time, and in the end what it is told."""

    def __init__(self, data: bytes, end: int | OSError | None = 0) -> None:
        self.file, self.end = io.BytesIO(data), end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        piece = self.file.read(min(7, len(buffer)))
        buffer[: len(piece)] = piece
        if piece:
            return len(piece)
        if isinstance(self.end, OSError):
            raise self.end
        return self.end


def test_a_raw_stream_is_read_to_its_end(tmp_path: Path) -> None:
    write(tmp_path / "a.png", Image.from_array(noise(20, 30, 3)))
    slow = Slow((tmp_path / "a.png").read_bytes())
    assert np.array_equal(read(slow).to_array(), noise(20, 30, 3))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("end", "why"),
    [(None, "it has no more for now, and no end; give a blocking stream"), (TimeoutError("timed out"), "timed out")],
)
@pytest.mark.parametrize("size", [0, 20, 200])
def test_a_stream_that_stops_before_its_end_is_not_called_damaged(
    size: int, end: OSError | None, why: str, tmp_path: Path
) -> None:
    write(tmp_path / "a.png", Image.from_array(noise(20, 30, 3)))
    data = (tmp_path / "a.png").read_bytes()[:size]
    target = tmp_path / "b.png"
    for call in (read, lambda file: upscale_file(file, target, Upscaler("nearest"))):
        with pytest.raises(UnreadableImage) as told:
            call(Slow(data, end))  # pyright: ignore[reportArgumentType]
        assert str(told.value) == f"cannot read the image: {why}"
    assert not target.exists()


@pytest.mark.parametrize("source", [io.BytesIO, Slow])
def test_a_stream_is_held_within_a_bound(source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.png", Image.from_array(noise(20, 30, 3)))
    data = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr(streams, "MAX_BYTES", len(data))
    assert read(source(data)).height == 20
    monkeypatch.setattr(streams, "MAX_BYTES", len(data) - 1)
    with pytest.raises(UnreadableImage, match=f"more than {len(data) - 1:,} bytes came; save it as a file first"):
        read(source(data))


@pytest.mark.parametrize("stream", [Part(100), Part(2**20), Silent()])
def test_a_stream_gets_every_byte(stream: Any, tmp_path: Path) -> None:
    image = Image.from_array(noise(200, 150, 3))
    write(tmp_path / "a.png", image)
    write(stream, image)
    assert stream.held == (tmp_path / "a.png").read_bytes()
    assert len(stream.held) > 2**16


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_full_pipe_that_does_not_wait_is_an_error(buffering: int) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb", 0) as pipe, open(writing, "wb", buffering) as stream:
        with pytest.raises(UnwritableImage) as told:
            write(stream, Image.from_array(noise(300, 300, 3)))
        assert str(told.value) == "cannot write the stream: it takes no more for now; give a blocking stream"
        pipe.read(2**20)


@pytest.mark.parametrize("most", [None, 0])
def test_a_stream_that_takes_nothing_is_an_error(most: int | None) -> None:
    with pytest.raises(UnwritableImage, match="cannot write the stream: it takes no more for now"):
        write(Part(most), Image.from_array(noise(2, 2)))  # pyright: ignore[reportArgumentType]


def test_a_written_file_has_the_usual_mode_and_keeps_an_old_one(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "a.png", Image.from_array(noise(2, 2)))
    finally:
        os.umask(old)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640
    (tmp_path / "a.png").chmod(0o604)
    (tmp_path / "link.png").symlink_to("a.png")
    write(tmp_path / "link.png", Image.from_array(noise(3, 3)))
    assert (tmp_path / "link.png").is_symlink()
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o604
    assert read(tmp_path / "a.png").height == 3


def test_compress_makes_a_smaller_exact_png(tmp_path: Path) -> None:
    image = Image.from_array(smooth(200, 200, 3))
    write(tmp_path / "fast.png", image)
    write(tmp_path / "small.png", image, Encoding(compress=True))
    assert (tmp_path / "small.png").stat().st_size < (tmp_path / "fast.png").stat().st_size
    assert np.array_equal(read(tmp_path / "small.png").pixels, image.pixels)


def test_writing_192_megabytes_takes_little_memory(tmp_path: Path) -> None:
    code = """
import sys, numpy as np
from subpixel.images import Metadata, create, dequantise, open_image
from subpixel.ports import Shape
rows = np.arange(8000 * 20 * 3, dtype=np.float32).reshape(20, 8000, 3) / (8000 * 20 * 3)
with create(sys.argv[1], Shape(8000, 8000, 3), Metadata()) as sink:
    for _ in range(400):
        sink.write(rows)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
    path = tmp_path / "a.png"
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 150 * 1024  # KiB; the levels alone are 183 MiB
    rows = np.arange(8000 * 20 * 3, dtype=np.float32).reshape(20, 8000, 3) / (8000 * 20 * 3)
    assert np.array_equal(open_image(path).rows(7980, 8000), quantise(rows, 8))


# ---- the value -----------------------------------------------------------------------------------


def test_batches() -> None:
    pixels = np.arange(24, dtype=np.float32).reshape(2, 4, 3)
    batch = to_batch(pixels)
    assert batch.shape == (1, 3, 2, 4)
    assert batch[0, 2, 1, 3] == pixels[1, 3, 2]
    assert batch.flags.c_contiguous
    assert np.array_equal(from_batch(batch), pixels)


@pytest.mark.parametrize(
    ("pixels", "alpha"),
    [
        (np.zeros((4, 4), np.float32), None),
        (np.zeros((4, 4, 0), np.float32), None),
        (np.zeros((0, 4, 3), np.float32), None),
        (np.zeros((4, 4, 3), np.float64), None),
        (np.full((4, 4, 3), 1.01, np.float32), None),
        (np.full((4, 4, 3), np.nan, np.float32), None),
        (np.zeros((4, 4, 3), np.float32), np.zeros((4, 5), np.float32)),
        (np.zeros((4, 4, 3), np.float32), np.full((4, 4), -0.1, np.float32)),
    ],
)
def test_an_image_refuses_what_it_cannot_hold(pixels: Any, alpha: Any) -> None:
    with pytest.raises(BadRequest) as caught:
        Image(pixels, alpha)
    assert "\n" not in str(caught.value)


def test_from_array_refuses_other_types() -> None:
    with pytest.raises(BadRequest, match="int64"):
        Image.from_array(np.zeros((2, 2), np.int64))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "F"])
def test_pillow_there_and_back(mode: str) -> None:
    if mode == "I;16":
        pil_image = PIL.Image.fromarray(np.arange(20, dtype=np.uint16).reshape(4, 5) * 3000)
    elif mode == "F":
        pil_image = PIL.Image.fromarray(np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5))
    else:
        pil_image = PIL.Image.fromarray(noise(4, 5, 3)).convert(mode)
    image = Image.from_pil(pil_image)
    assert image.metadata.depth == {"I;16": 16, "F": 32}.get(mode, 8)
    plain = {"1": "L", "P": "RGB"}.get(mode, mode)
    back = image.to_pil()
    assert back.mode == plain
    assert np.array_equal(np.asarray(back), np.asarray(pil_image.convert(plain)))


def test_a_pillow_image_that_cannot_be_read(tmp_path: Path) -> None:
    place = tmp_path / "a.png"
    PIL.Image.fromarray(noise(40, 40, 3)).save(place)
    closed = PIL.Image.open(place)
    closed.close()
    with pytest.raises(UnreadableImage, match="closed"):
        Image.from_pil(closed)
    place.write_bytes(place.read_bytes()[:2000])
    with PIL.Image.open(place) as cut, pytest.raises(UnreadableImage, match=r"cannot read .*a\.png: "):
        Image.from_pil(cut)


def test_what_is_written_is_an_image(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"Image\.from_array\(array\) makes one"):
        write(tmp_path / "a.png", noise(4, 4, 3))  # pyright: ignore[reportArgumentType]
    assert not list(tmp_path.iterdir())


def test_a_mask_is_not_lost_silently() -> None:
    with pytest.raises(BadRequest, match=r"the array has a mask"):
        Image.from_array(np.ma.masked_array(noise(4, 4, 3), mask=False))


def test_pillow_orientation_and_a_mode_that_is_refused() -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(noise(5, 7, 3)).save(file, "PNG", exif=exif(6), icc_profile=ICC)
    with PIL.Image.open(file) as pil_image:
        image = Image.from_pil(pil_image)
    assert np.array_equal(image.to_array(), np.rot90(noise(5, 7, 3), -1))
    assert image.metadata.icc == ICC
    with pytest.raises(BadRequest, match="mode HSV; convert it to RGB first"):
        Image.from_pil(PIL.Image.new("HSV", (2, 2)))


def test_a_notebook_gets_a_png() -> None:
    image = replace(Image.from_array(noise(5, 7, 4)), metadata=Metadata(depth=32))
    with PIL.Image.open(io.BytesIO(image._repr_png_())) as pil_image:
        assert np.array_equal(np.asarray(pil_image), noise(5, 7, 4))


def test_importing_loads_no_codec() -> None:
    code = "import sys, subpixel.images.image; print(sorted({'pyvips', 'PIL', 'torch'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_an_image_prints_in_a_line() -> None:
    assert repr(Image(np.zeros((2, 5, 3), np.float32))) == "Image(5x2, RGB, 8 bit)"
    gray = Image.from_array(np.zeros((4, 3, 2), np.uint16))
    assert repr(gray) == "Image(3x4, gray and alpha, 16 bit)"
