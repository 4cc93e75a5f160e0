"""What Pillow and other libraries decode for us, against them; transparency of every kind in Pillow's images."""

from __future__ import annotations

import importlib.util
import io
import re
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
import tifffile

from subpixel import Upscaler
from subpixel.errors import BadRequest, MissingExtra, UnreadableImage
from subpixel.images import FORMATS, SUFFIXES, Image, decoders, jxl, open_image, read, reader, write
from subpixel.images.formats import FILE_FORMATS, HEAD, format_of_content
from subpixel.inference.file import upscale_file

RNG = np.random.default_rng(0)
ARRAY = RNG.integers(0, 256, (17, 23, 3), dtype=np.uint8)
KINDS = {"bmp": "BMP", "tga": "TGA", "pnm": "PPM", "jp2": "JPEG2000"}


def encoded(kind: str, image: PIL.Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P", "RGBA"])
@pytest.mark.parametrize("name", KINDS)
def test_a_file_that_pillow_decodes_is_read_as_pillow_sees_it(tmp_path: Path, name: str, mode: str) -> None:
    image = PIL.Image.fromarray(ARRAY).convert(mode)
    if (name, mode) in {("pnm", "P"), ("pnm", "RGBA"), ("bmp", "RGBA"), ("jp2", "P"), ("jp2", "1")}:
        pytest.skip("Pillow writes no such images")
    options = {"irreversible": False} if name == "jp2" else {}
    path = tmp_path / f"a.{name}"
    path.write_bytes(encoded(KINDS[name], image, **options))
    plain = image.convert({"1": "L", "P": "RGB"}.get(mode, mode))
    found = read(path)
    assert np.array_equal(found.to_array(), np.asarray(plain))
    assert found.metadata.depth == 8
    if name != "tga":  # which has no signature
        assert np.array_equal(read(path.read_bytes()).pixels, found.pixels)
    else:
        with pytest.raises(UnreadableImage, match="not an image in a format that can be read"):
            read(path.read_bytes())
    write(tmp_path / "a.png", found)
    assert np.array_equal(read(tmp_path / "a.png").to_array(), np.asarray(plain))


@pytest.mark.parametrize(
    ("kind", "suffix", "mode"),
    [
        ("ICO", "ico", "RGBA"), ("PCX", "pcx", "RGB"), ("SGI", "sgi", "RGB"), ("SGI", "bw", "L"),
        ("DDS", "dds", "RGBA"), ("XBM", "xbm", "1"), ("MSP", "msp", "1"), ("ICNS", "icns", "RGBA"),
    ],
)  # fmt: skip
def test_formats_of_other_times(tmp_path: Path, kind: str, suffix: str, mode: str) -> None:
    side = 16 if kind in ("ICO", "ICNS") else 23
    levels = RNG.integers(0, 256, (side, side, 4), dtype=np.uint8)
    levels[..., 3] |= 1  # where alpha is 0, colours may go
    image = PIL.Image.fromarray(levels).convert(mode)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(encoded(kind, image))
    found = read(path)
    with PIL.Image.open(path) as seen:
        expected = seen.convert({"1": "L"}.get(seen.mode, seen.mode))
    assert np.array_equal(found.to_array(), np.asarray(expected))
    if kind != "ICNS":
        assert np.array_equal(found.to_array(), np.asarray(image.convert({"1": "L"}.get(mode, mode))))
    for keep in (0.3, 0.8):
        path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
        with suppress(UnreadableImage):
            read(path)


def test_formats_that_nobody_writes_any_more(tmp_path: Path) -> None:
    pixels = np.array([[0, 255, 0b11100000], [0b00011100, 0b00000011, 0]], np.uint8)
    thumb = b"P7 332\n#XVVERSION:Version 3.10a\n#END_OF_COMMENTS\n3 2 255\n" + pixels.tobytes()
    colours = [[(0, 0, 0), (255, 255, 255), (255, 0, 0)], [(0, 255, 0), (0, 0, 255), (0, 0, 0)]]
    assert read(thumb).to_array().tolist() == np.array(colours).tolist()

    (tmp_path / "a.imt").write_bytes(b"*comment\nwidth 3\nheight 2\npixel n8\n\x0c" + pixels.tobytes())
    assert np.array_equal(read(tmp_path / "a.imt").to_array(), pixels)

    texture = b"FTEX" + struct.pack("<7i", 1, 3, 2, 1, 1, 1, 32) + struct.pack("<i", 18) + bytes(range(18))
    assert read(texture).to_array().tolist() == np.arange(18).reshape(2, 3, 3).tolist()

    deep = np.array([[0, 65535, 300], [4000, 1, 2]], ">u2")
    directory = [0, 4, *[0] * 6, 2, 3, 2, *[0] * 2, 1, 0, *[0] * 18, 256]
    area = struct.pack(">64i", *directory, *[0] * (64 - len(directory))) + deep.tobytes()
    assert np.array_equal(read(area).to_array(), deep)

    page = encoded("PCX", PIL.Image.fromarray(ARRAY))
    fax = struct.pack("<I1024I", 0x3ADE68B1, 4100, *[0] * 1023) + page
    assert np.array_equal(read(fax).to_array(), ARRAY)


def tiff(levels: np.ndarray, **options: Any) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, levels, metadata=None, **options)
    return file.getvalue()


def test_kinds_of_tiff_that_libvips_does_not_decode() -> None:
    levels = RNG.integers(0, 256, (40, 48, 3), dtype=np.uint8)
    rgb: dict[str, Any] = {"photometric": "rgb"}
    planes = tiff(levels.transpose(2, 0, 1).copy(), planarconfig="separate", tile=(16, 16), **rgb)
    assert np.array_equal(read(planes).to_array(), levels)
    assert np.array_equal(read(tiff(levels, compression="lzma", **rgb)).to_array(), levels)
    deep = tiff(levels.astype(np.uint16) * 257, compression="lzma", **rgb)
    assert np.array_equal(read(deep).to_array(8), levels)
    assert read(deep).metadata.notes == ("its colours were read with 8 bits",)
    gray = RNG.integers(0, 4096, (40, 48), dtype=np.uint16)
    pairs = gray.reshape(-1, 2).astype(int)
    strip = np.stack([pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255], axis=1)
    tags = {256: 48, 257: 40, 258: 12, 259: 1, 262: 1, 273: 8, 277: 1, 278: 40, 279: strip.size}
    entries = [struct.pack("<HHIHH", tag, 3, 1, value, 0) for tag, value in tags.items()]
    table = struct.pack("<H", len(tags)) + b"".join(entries) + bytes(4)
    twelve = b"II*\0" + struct.pack("<I", 8 + strip.size) + strip.astype(np.uint8).tobytes() + table
    np.testing.assert_allclose(read(twelve).pixels[..., 0], gray / 4095, atol=1e-5)


def test_damage_between_restart_markers_costs_its_part_alone(tmp_path: Path) -> None:
    file = io.BytesIO()
    rng = np.random.default_rng(2)
    plain = rng.integers(0, 256, (64, 48, 3), dtype=np.uint8)
    PIL.Image.fromarray(plain).save(file, "JPEG", quality=90, restart_marker_rows=1)
    whole = file.getvalue()
    odd = re.sub(rb"\xff[\xd1\xd2]", lambda marker: b"\x12\x34" + marker[0], whole)
    assert len(odd) == len(whole) + 4
    with PIL.Image.open(io.BytesIO(odd)) as image:
        right = np.asarray(image)
    note = "damage inside it was passed over; parts of it may be wrong"
    for source in (odd, tmp_path / "a.jpg"):
        (tmp_path / "a.jpg").write_bytes(odd)
        opened = open_image(source)
        bands = [opened.rows(y, y + 8) for y in range(0, 64, 8)]
        assert np.array_equal(np.concatenate(bands), right)
        assert opened.metadata.notes == (note,)
        assert read(source).metadata.notes == (note,)
        assert upscale_file(source, tmp_path / "b.png", Upscaler("nearest", scale=2)) == note
    assert np.array_equal(right, read(whole).to_array())
    at = whole.index(b"\xff\xd1")
    torn = read(whole[: at + 40] + rng.bytes(60).replace(b"\xff", b"\0") + whole[at + 100 :])
    kept = [y for y in range(64) if np.array_equal(torn.to_array()[y], right[y])]
    assert torn.metadata.notes == (note,)
    assert set(kept) >= {*range(31), *range(49, 64)}  # the third of rows of 16; chroma reaches a row beyond
    assert len(kept) < 64
    for cut in (odd[: len(odd) // 2], odd[:-2]):
        with pytest.raises(UnreadableImage, match="damaged"):
            read(cut)


@pytest.mark.parametrize("stray", [b"\xff\x00\xff\x00", b"\x00\xff\xd0\x07", b"abc\xff\xd8"])
def test_markers_where_none_belong_are_stray_bytes(stray: bytes) -> None:
    data = encoded("JPEG", PIL.Image.fromarray(ARRAY), quality=95)
    at = data.index(b"\xff\xdb")
    found = read(data[:at] + stray + data[at:])
    assert np.array_equal(found.pixels, read(data).pixels)
    assert found.metadata.notes == ("faults in its header were passed over",)


@pytest.mark.parametrize("top", [65535, 4095, 256])
@pytest.mark.parametrize("space", [b" ", b"\n# 9 9 255\n"])
def test_a_deep_pnm_is_read_with_all_its_bits(top: int, space: bytes) -> None:
    levels = np.linspace(0, top, 12).round().astype(np.uint16).reshape(3, 4)
    for head, shape in ((b"P5" + space + b"4 3 ", (3, 4)), (b"P6" + space + b"4 1 ", (1, 4, 3))):
        found = read(head + b"%d\n" % top + levels.astype(">u2").tobytes())
        assert (found.metadata.depth, found.metadata.notes) == (16, ())
        np.testing.assert_allclose(found.pixels.reshape(shape), levels.reshape(shape) / top, atol=0.51 / 65535)
    text = read(b"P3" + space + b"4 1 %d\n" % top + b" ".join(b"%d" % level for level in levels.ravel()))
    np.testing.assert_array_equal(text.pixels, found.pixels)


def test_a_cut_deep_pnm_is_one_line() -> None:
    with pytest.raises(UnreadableImage, match="damaged, truncated or of a rare kind"):
        read(b"P6 4 1 65535\n" + bytes(23))


@pytest.mark.parametrize("bits", [16, 12])
def test_deep_colours_of_jpeg_2000(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    codecs = pytest.importorskip("imagecodecs")
    levels = np.random.default_rng(0).integers(0, 2**bits, (33, 40, 3)).astype(np.uint16)
    data = codecs.jpeg2k_encode(levels, level=0, reversible=True, bitspersample=bits)
    pytest.importorskip("rasterio")
    found = read(data)
    np.testing.assert_allclose(found.pixels, levels / (2**bits - 1), atol=0.51 / 65535)
    assert (found.metadata.depth, found.metadata.notes) == (16, ())

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(decoders.importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=r"rasterio is not installed; run: pip install 'subpixel\[geo\]'"):
        read(data)


def test_deep_jpeg_2000() -> None:
    levels = np.arange(1024, dtype=np.uint16).reshape(32, 32) * 60
    gray = read(encoded("JPEG2000", PIL.Image.fromarray(levels)))
    assert np.array_equal(gray.to_array(), levels)
    assert gray.metadata.notes == ()
    assert gray.metadata.text == ()  # its encoder's name is no comment


def test_resolution_of_a_bmp() -> None:
    assert open_image(encoded("BMP", PIL.Image.fromarray(ARRAY), dpi=(300, 300))).metadata.dpi == pytest.approx(
        (300, 300), abs=0.02
    )


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("name", KINDS)
def test_a_cut_file_is_one_line(tmp_path: Path, name: str, keep: float) -> None:
    whole = encoded(KINDS[name], PIL.Image.fromarray(ARRAY))
    (tmp_path / f"a.{name}").write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(UnreadableImage, match="damaged, truncated or of a rare kind") as caught:
        read(tmp_path / f"a.{name}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", KINDS)
def test_any_flipped_byte_gives_an_image_or_one_line(tmp_path: Path, name: str) -> None:
    whole = encoded(KINDS[name], PIL.Image.fromarray(ARRAY))
    path = tmp_path / f"a.{name}"
    for _ in range(60):
        data = bytearray(whole)
        for at in RNG.integers(0, min(len(data), 100), 2):
            data[at] = RNG.integers(256)
        path.write_bytes(data)
        with suppress(UnreadableImage):
            assert read(path).pixels.dtype == np.float32


def test_a_size_beyond_the_limit_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "MAX_PIXELS", 17 * 23 - 1)
    with pytest.raises(UnreadableImage, match="it claims 23 x 17 pixels"):
        open_image(encoded("BMP", PIL.Image.fromarray(ARRAY)))


EXTRAS = {"jxl": ("pillow_jxl", b"\xff\x0a" + bytes(30)), "heif": ("pillow_heif", b"\0\0\0\x1cftypheic" + bytes(30))}


@pytest.mark.parametrize("extra", EXTRAS)
def test_a_format_behind_an_extra_says_which(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, data = EXTRAS[extra]

    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(decoders.importlib, "import_module", absent)
    with pytest.raises(MissingExtra, match=rf"pip install 'subpixel\[{extra}\]'"):
        open_image(data)
    assert module


def test_raw_files_are_known_by_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(decoders.importlib, "import_module", absent)
    (tmp_path / "a.NEF").write_bytes(b"MM\0*" + bytes(99))
    with pytest.raises(MissingExtra, match=r"rawpy is not installed; run: pip install 'subpixel\[raw\]'"):
        open_image(tmp_path / "a.NEF")


@pytest.mark.skipif(not importlib.util.find_spec("pillow_jxl"), reason="needs the extra jxl")
def test_jpeg_xl(tmp_path: Path) -> None:
    import pillow_jxl  # noqa: F401

    data = encoded("JXL", PIL.Image.fromarray(ARRAY), lossless=True)
    assert np.array_equal(read(data).to_array(), ARRAY)
    gray = RNG.integers(0, 65536, (9, 8), dtype=np.uint16)
    assert np.array_equal(read(encoded("JXL", PIL.Image.fromarray(gray), lossless=True)).to_array(), gray)


@pytest.mark.parametrize("contained", [False, True])
@pytest.mark.parametrize("shape", [(48, 64, 3), (50, 37, 3), (300, 1000, 3), (50, 37)])
@pytest.mark.parametrize("bits", [8, 10, 16])
def test_a_jpeg_xl_whose_bits_are_lost_is_told(bits: int, shape: tuple[int, ...], contained: bool) -> None:
    pytest.importorskip("pillow_jxl")
    imagecodecs = pytest.importorskip("imagecodecs")
    levels = np.random.default_rng(0).integers(0, 2**bits, shape).astype(np.uint8 if bits == 8 else np.uint16)
    whole = imagecodecs.jpegxl_encode(levels, lossless=True, bitspersample=bits, usecontainer=contained)
    assert jxl.bits_of(whole) == bits
    metadata = read(whole).metadata
    assert ("its colours were read with 8 bits" in metadata.notes) == (bits > 8 and metadata.depth == 8)
    assert len(shape) == 2 or metadata.depth == 8


@pytest.mark.parametrize("head", [b"", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n", b"\xff\x0a" + b"\xff" * 20])
def test_a_cut_header_of_a_jpeg_xl_is_no_error(head: bytes) -> None:
    assert jxl.bits_of(head) in range(65)


@pytest.mark.skipif(not importlib.util.find_spec("rawpy"), reason="needs the extra raw")
def test_raw(tmp_path: Path) -> None:
    """A DNG (Adobe's specification 1.4) of one gray level behind red, green and blue filters."""
    sensor = np.full((64, 96), 20000, np.uint16)
    black = (0xC61A, "H", 1, 0, True)
    tags = [
        (0x828D, "H", 2, (2, 2), True), (0x828E, "B", 4, bytes((0, 1, 1, 2)), True),
        (0xC612, "B", 4, (1, 4, 0, 0), True), (0xC614, "s", 0, "Camera", True), (0xC61D, "I", 1, 65535, True), black,
        (0x010F, "s", 0, "ACME", True),
        (0xC621, "2i", 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (0xC628, "2I", 3, (1, 1, 1, 1, 1, 1), True), (0xC65A, "H", 1, 21, True),
    ]  # fmt: skip
    tifffile.imwrite(tmp_path / "a.dng", sensor, photometric=32803, extratags=tags, metadata=None)
    found = read(tmp_path / "a.dng")
    assert (found.height, found.width, found.metadata.depth) == (64, 96, 16)
    assert np.ptp(found.pixels[8:-8, 8:-8]) < 0.01
    assert found.metadata.notes == ("its raw data was developed into 16-bit sRGB",)
    assert b"ACME" in (found.metadata.exif or b"")


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_raw_file_without_its_name_is_not_taken_for_its_thumbnail(order: Any) -> None:
    """DNG, NEF and ARW are TIFF: a small picture, and in SubIFDs what the camera saw. Others have signatures."""
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=order) as tiff:
        tiff.write(
            RNG.integers(0, 256, (30, 40, 3), np.uint8), photometric="rgb", subfiletype=1, subifds=1, metadata=None
        )
        tiff.write(RNG.integers(0, 4000, (300, 400), np.uint16), photometric=32803, metadata=None)
    heads = [file.getvalue()[:HEAD], b"II*\0\x10\0\0\0CR\2\0", b"\0\0\0\x18ftypcrx ", b"FUJIFILMCCD-RAW 0201", b"IIU\0"]
    for head in [*heads, b"IIRO\x08\0\0\0", b"MMOR\0\0\0\x08"]:
        found = format_of_content(head, "upload")
        assert found
        assert found.name == "RAW", head[:20]
    for options in ({"subfiletype": 1}, {"subifds": 1}, {}):  # a small page alone, a pyramid, a plain one
        plain = io.BytesIO()
        with tifffile.TiffWriter(plain, byteorder=order) as tiff:
            tiff.write(RNG.integers(0, 256, (30, 40, 3), np.uint8), photometric="rgb", metadata=None, **options)
            if "subifds" in options:
                tiff.write(RNG.integers(0, 256, (15, 20, 3), np.uint8), photometric="rgb", subfiletype=1, metadata=None)
        found = format_of_content(plain.getvalue()[:HEAD], "upload")
        assert found
        assert found.name == "TIFF", options


@pytest.mark.skipif(not importlib.util.find_spec("pillow_heif"), reason="needs the extra heif")
@pytest.mark.parametrize("bits", [8, 10])
def test_heic(bits: int) -> None:
    import pillow_heif

    top = 2**bits - 1
    smooth = np.linspace(0, top, 64 * 64).round().reshape(64, 64)
    if bits == 8:
        made = pillow_heif.from_bytes("RGB", (64, 64), np.dstack([smooth] * 3).astype(np.uint8).tobytes())
    else:
        made = pillow_heif.from_bytes("RGB;16", (64, 64), (np.dstack([smooth] * 3) * 64).astype("<u2").tobytes())
    file = io.BytesIO()
    made.save(file, quality=-1)
    found = read(file.getvalue())
    assert found.metadata.depth == bits
    assert np.abs(found.pixels * top - smooth[..., None]).max() < 1.6
    assert found.pixels.max() == 1


# ---- transparency --------------------------------------------------------------------------------

RED = np.zeros((4, 5, 3), np.uint8)
RED[:, :2] = 255, 0, 0


def reopened(image: PIL.Image.Image, **options: Any) -> PIL.Image.Image:
    return PIL.Image.open(io.BytesIO(encoded("PNG", image, **options)))


@pytest.mark.parametrize(
    ("image", "transparent"),
    [
        (PIL.Image.fromarray(RED), (255, 0, 0)),
        (PIL.Image.fromarray(RED[..., 0]), 255),
        (PIL.Image.fromarray(RED[..., 0] > 0), 1),
        (PIL.Image.fromarray(RED[..., 0].astype(np.uint16) * 200), 51000),
        (PIL.Image.fromarray(RED).quantize(2), None),
    ],
    ids=["RGB", "L", "1", "I;16", "P"],
)
def test_a_colour_that_counts_as_transparent_becomes_alpha(image: PIL.Image.Image, transparent: Any) -> None:
    index = image.getpixel((0, 0)) if transparent is None else transparent
    given = reopened(image, transparency=index)
    found = Image.from_pil(given)
    assert found.alpha is not None
    assert np.array_equal(found.alpha == 0, RED[..., 0] > 0)
    assert np.array_equal(found.alpha == 1, RED[..., 0] == 0)
    colours = {"RGB": "RGBA", "L": "LA", "1": "LA", "P": "RGBA"}.get(given.mode)
    assert colours is None or found.to_pil().mode == colours
    file = read(encoded("PNG", image, transparency=index))
    assert np.array_equal(file.alpha, found.alpha)
    assert np.array_equal(file.pixels, found.pixels)


def test_the_colours_that_a_pillow_image_states_go_along() -> None:
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add(b"gAMA", (100_000).to_bytes(4, "big"))
    found = Image.from_pil(reopened(PIL.Image.fromarray(ARRAY), pnginfo=info))
    assert found.metadata.colour.gamma == 1


@pytest.mark.parametrize(
    ("mode", "transparency"), [("RGB", b"\0\x10"), ("L", b"\0"), ("P", (1, 2, 3)), ("I;16", (1, 2, 3))]
)
def test_a_transparency_of_another_mode_is_refused(mode: str, transparency: object) -> None:
    image = PIL.Image.new(mode, (7, 9))
    image.info["transparency"] = transparency
    with pytest.raises(BadRequest, match=r"of mode .*: its transparency fits another mode; delete its info"):
        Image.from_pil(image)


# ---- the table -----------------------------------------------------------------------------------


def test_one_table_says_what_is_read_and_written() -> None:
    assert {"png", "jpg", "webp", "tif", "avif"} <= set(FORMATS)
    assert {".bmp", ".jp2", ".jxl", ".heic", ".nef", ".ppm", ".tga"} <= SUFFIXES
    suffixes = [suffix for file_format in FILE_FORMATS.values() for suffix in file_format.suffixes]
    assert len(suffixes) == len(set(suffixes))
    assert {f.extra for f in FILE_FORMATS.values()} == {"", "jxl", "heif", "raw"}


@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "jpeg"])
def test_luma_and_chroma_of_a_tiff_become_colours(tmp_path: Path, compression: str | None) -> None:
    ycc = np.asarray(PIL.Image.fromarray(np.full((16, 24, 3), (200, 90, 30), np.uint8)).convert("YCbCr"))
    tifffile.imwrite(tmp_path / "a.tif", ycc, photometric="ycbcr", compression=compression, metadata=None)
    found = read(tmp_path / "a.tif").to_array().astype(int)
    assert np.abs(found - (200, 90, 30)).max() <= 2


def test_cielab_of_8_bits_becomes_srgb(tmp_path: Path) -> None:
    lab = np.stack([np.full((16, 24), v) for v in (54, 81, 70)], -1)  # L* 54.29, a* 80.80, b* 69.89: sRGB's red on D50
    stored = np.stack([np.round(lab[..., 0] * 2.55), lab[..., 1], lab[..., 2]], -1).astype(np.int8)
    tifffile.imwrite(tmp_path / "a.tif", stored.view(np.uint8), photometric="cielab", metadata=None)
    found = read(tmp_path / "a.tif")
    assert np.abs(found.to_array().astype(int) - (255, 0, 0)).max() <= 6
    assert found.metadata.notes == ("its colours became sRGB (LAB before)",)


@pytest.mark.parametrize("photometric", ["icclab", "itulab", "ycbcr", 34892])
def test_numbers_of_a_tiff_that_are_no_colours_are_refused(tmp_path: Path, photometric: str | int) -> None:
    about = {"photometric": photometric, "planarconfig": "contig", "metadata": None}
    tifffile.imwrite(tmp_path / "a.tif", ARRAY.astype(np.uint16) * 257, **about)
    with pytest.raises(UnreadableImage, match="convert it to RGB first"):
        read(tmp_path / "a.tif")
