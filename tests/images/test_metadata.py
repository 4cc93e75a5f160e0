"""Metadata through each format, read back by Pillow and tifffile; orientation against numpy."""

from __future__ import annotations

import dataclasses
import io
import struct
from pathlib import Path
from typing import Any

import numpy as np
import PIL.ExifTags
import PIL.Image
import pytest
import tifffile
from PIL import ImageCms
from PIL.TiffImagePlugin import IFDRational

from subpixel.images import FORMATS, Image, Metadata, create, exif, metadata, open_image, read, tiff, write
from subpixel.images.samples import vips
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler

KEEPING = [name for name in FORMATS if name != "gif"]
ICC = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf>caf\xc3\xa9</rdf></x:xmpmeta>'
IPTC = b"\x1c\x02\x78\x00\x05hello"
GPS = {0: b"\x02\x03\x00\x00", 1: "N", 2: (52.0, 30.0, 15.5), 3: "E", 4: (13.0, 24.0, 1.0), 5: b"\x00", 6: 34.5}
SHOT = {0x829A: (1, 125), 0x9003: "2020:01:01 00:00:00", 0x9286: b"ASCII\0\0\0hello", 0x927C: b"note" * 9}


def camera_block(orientation: int = 1) -> bytes:
    tags = PIL.Image.Exif()
    tags[0x010F], tags[0x8298], tags[0x0112] = "Maker", "someone", orientation
    tags.get_ifd(0x8769).update({**SHOT, 0xA002: 7, 0xA003: 5})
    tags.get_ifd(0x8825).update(GPS)
    return tags.tobytes().removeprefix(b"Exif\0\0")


def noise(*shape: int, seed: int = 0) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def smooth(height: int, width: int, channels: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    y, x, c = np.mgrid[:height, :width, :channels]
    return (40 + 150 * y / height + 50 * x / width + 5 * c).astype(np.uint8)


@pytest.mark.parametrize("name", KEEPING)
def test_metadata_survives_each_format(tmp_path: Path, name: str) -> None:
    metadata = Metadata(ICC, camera_block(), XMP, IPTC, (300.0, 300.0))
    path = tmp_path / f"a.{name}"
    image = Image.from_array(smooth(31, 21, 3), metadata)
    with create(path, image.shape, image.metadata) as writer:
        writer.write(image.samples)
    with PIL.Image.open(path) as pil_image:
        pil_image.load()
        block = pil_image.getexif()
        assert pil_image.info["icc_profile"] == ICC
        assert {tag: block.get_ifd(0x8825)[tag] for tag in GPS} == GPS
        inner = block.get_ifd(0x8769)
        assert {tag: inner[tag] for tag in SHOT} == SHOT
        assert (inner[0xA002], inner[0xA003]) == (21, 31)  # the new size, not the camera's
        assert (block[0x010F], block[0x8298]) == ("Maker", "someone")
        xmp = pil_image.info.get("xmp") or pil_image.info.get("XML:com.adobe.xmp") or block.get(0x02BC)
        assert (xmp.encode() if isinstance(xmp, str) else xmp) == XMP
        dpi = pil_image.info.get("dpi") or (block[0x011A], block[0x011B])
        assert tuple(map(float, dpi)) == pytest.approx((300, 300), abs=0.01)
    again = read(path).metadata
    assert (again.icc, again.xmp, again.depth) == (ICC, XMP, 8)
    assert again.dpi == pytest.approx((300, 300), abs=0.01)
    assert again.iptc == (IPTC if name in ("jpg", "tif") else None)
    assert writer.note == (None if again.iptc else "left out: IPTC")


@pytest.mark.parametrize("first", KEEPING)
@pytest.mark.parametrize("second", KEEPING)
def test_exif_survives_from_each_format_to_each(tmp_path: Path, first: str, second: str) -> None:
    write(tmp_path / f"a.{first}", Image.from_array(smooth(9, 9, 3), Metadata(exif=camera_block())))
    write(tmp_path / f"b.{second}", read(tmp_path / f"a.{first}"))
    block = PIL.Image.Exif()
    block.load(read(tmp_path / f"b.{second}").metadata.exif)
    assert {tag: block.get_ifd(0x8825)[tag] for tag in GPS} == GPS
    assert block.get_ifd(0x8769)[0x9003] == SHOT[0x9003]


@pytest.mark.parametrize("name", FORMATS)
def test_images_that_say_nothing_gain_no_exif(tmp_path: Path, name: str) -> None:
    write(tmp_path / f"a.{name}", Image.from_array(smooth(9, 9, 3)))
    assert read(tmp_path / f"a.{name}").metadata.exif is None


@pytest.mark.parametrize("name", KEEPING)
def test_resolution_survives_without_exif_and_unequal(tmp_path: Path, name: str) -> None:
    write(tmp_path / f"a.{name}", Image.from_array(smooth(9, 9, 3), Metadata(dpi=(300.0, 150.0))))
    assert read(tmp_path / f"a.{name}").metadata.dpi == pytest.approx((300, 150), abs=0.02)


def test_big_endian_exif_of_a_tiff_is_read(tmp_path: Path) -> None:
    block = PIL.Image.Exif()
    block.endian = ">"
    block[0x010F] = "Maker"
    block.get_ifd(0x8825).update(GPS)
    block.get_ifd(0x8769).update(SHOT)
    write(tmp_path / "a.tif", Image.from_array(smooth(4, 4, 3), Metadata(exif=block.tobytes()[6:])))
    with PIL.Image.open(tmp_path / "a.tif") as pil_image:
        found = pil_image.getexif()
        assert {tag: found.get_ifd(0x8825)[tag] for tag in GPS} == GPS
        assert found.get_ifd(0x8769)[0x9003] == SHOT[0x9003]


def test_a_tiff_with_exif_keeps_its_pixels_when_it_is_a_bigtiff() -> None:
    array = noise(33, 8, 3)
    head, tail = tiff.raw_tiff(array.shape, array.dtype)  # type: ignore[arg-type]
    file = io.BytesIO(head + array.tobytes() + tail)
    tiff.into_tiff(file, camera_block(), IPTC)
    assert np.array_equal(tifffile.imread(io.BytesIO(file.getvalue())), array)
    with tifffile.TiffFile(io.BytesIO(file.getvalue())) as reread:
        assert reread.is_bigtiff
        assert reread.pages[0].tags["GPSTag"].value["GPSLatitude"] == (52, 1, 30, 1, 31, 2)  # type: ignore[union-attr]


def test_iptc_is_found_among_other_photoshop_resources() -> None:
    other = b"8BIM\x04\x25\x03odd\x00\x00\x00\x03abc\x00"  # a named resource of odd size, padded
    segment = b"Photoshop 3.0\0" + other + metadata.iptc_to_jpeg(IPTC).removeprefix(b"Photoshop 3.0\0")
    assert metadata.iptc_from_jpeg(segment) == IPTC
    assert metadata.iptc_from_jpeg(b"Photoshop 3.0\0" + other) is None


@pytest.mark.parametrize("block", [b"", b"junk", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08"])
def test_what_is_no_exif_is_dropped(block: bytes) -> None:
    assert exif.upright(block, (8, 8), 1) is None
    assert exif.resolution(block) is None


def test_a_cut_exif_block_keeps_what_can_be_read() -> None:
    whole = camera_block()
    cut = exif.upright(whole[:90], (8, 8), 1)
    assert cut is not None
    read_tags = {entry.tag for _, found in exif.tables(cut) for entry in found}
    assert 0x010F in read_tags
    assert len(read_tags) < len({entry.tag for _, found in exif.tables(whole) for entry in found})


def note(tmp_path: Path, name: str, given: Metadata, channels: int = 3) -> str | None:
    depth = given.depth
    image = Image.from_array(smooth(9, 9, channels), given)
    with create(tmp_path / f"note.{name}", image.shape, dataclasses.replace(given, depth=depth)) as writer:
        writer.write(image.samples)
    return writer.note


def test_what_a_format_loses_is_said(tmp_path: Path) -> None:
    assert note(tmp_path, "jpg", Metadata(depth=16)) == "JPEG stores 8 bits instead of 16 bits"
    assert note(tmp_path, "avif", Metadata(depth=16)) == "AVIF stores 12 bits instead of 16 bits"
    both = "PNG stores 16 bits instead of floats; left out: IPTC"
    assert note(tmp_path, "png", Metadata(depth=32, iptc=IPTC)) == both
    assert note(tmp_path, "jpg", Metadata(xmp=b"x" * 70000)) == "left out: XMP"
    assert note(tmp_path, "tif", Metadata(ICC, camera_block(), XMP, IPTC, depth=32)) is None


def test_a_gain_map_is_left_out_with_a_note(tmp_path: Path) -> None:
    pyvips = vips()
    if not pyvips.type_find("VipsForeignSave", "uhdrsave"):
        pytest.skip("this libvips has no Ultra HDR")
    bright = np.random.default_rng(1).uniform(0, 3, (64, 96, 3)).astype(np.float32)
    pyvips.Image.new_from_array(bright).copy(interpretation="scrgb").uhdrsave(str(tmp_path / "hdr.jpg"))
    jpeg = (tmp_path / "hdr.jpg").read_bytes()
    segment = b"http://ns.adobe.com/xap/1.0/\0" + XMP
    jpeg = jpeg[:2] + b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment + jpeg[2:]
    source = open_image(jpeg)
    assert source.metadata.xmp == XMP
    assert "the HDR gain map" in source.metadata.left_out
    write(tmp_path / "plain.jpg", read(jpeg))
    assert not open_image(tmp_path / "plain.jpg").metadata.left_out


UPRIGHT = {  # what a viewer does for each value of the tag (Exif 2.32, 4.6.4 A)
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_orientation_is_applied_and_reset(tmp_path: Path, orientation: int, kind: str) -> None:
    array = noise(5, 7, 3)
    block = PIL.Image.Exif()
    block[0x0112] = orientation
    PIL.Image.fromarray(array).save(tmp_path / "in", kind, exif=block, dpi=(300, 150))
    image = read(tmp_path / "in")
    assert np.array_equal(image.to_array(), UPRIGHT[orientation](array))
    assert image.metadata.dpi == pytest.approx((300, 150) if orientation < 5 else (150, 300), abs=0.02)
    write(tmp_path / "out.png", image)
    with PIL.Image.open(tmp_path / "out.png") as out:
        assert out.getexif().get(0x0112, 1) == 1
        assert np.array_equal(np.asarray(out), UPRIGHT[orientation](array))


def test_orientation_of_a_jpeg_with_a_thumbnail(tmp_path: Path) -> None:
    first = struct.pack("<HHHIII", 1, 0x0112, 3, 1, 6, 26)  # one tag, then the position of the second table
    second = struct.pack("<HHHII", 3, 0x0112, 3, 1, 6)
    second += struct.pack("<HHII", 0x0201, 4, 1, 68) + struct.pack("<HHII", 0x0202, 4, 1, 4) + bytes(4)
    block = b"II*\0\x08\0\0\0" + first + second + b"\xff\xd8\xff\xd9"
    file = io.BytesIO()
    PIL.Image.fromarray(smooth(20, 30, 3)).save(file, "JPEG", exif=b"Exif\0\0" + block, quality=100)
    with PIL.Image.open(file) as pil_image:
        assert pil_image.getexif().get_ifd(PIL.ExifTags.IFD.IFD1)[0x0201] == 68
    image = read(file.getvalue())
    assert (image.height, image.width) == (30, 20)
    assert np.abs(image.to_array().astype(int) - np.rot90(smooth(20, 30, 3), -1)).max() <= 3
    again = PIL.Image.Exif()
    again.load(image.metadata.exif)
    assert again[0x0112] == 1
    assert again.get_ifd(PIL.ExifTags.IFD.IFD1) == {}
    with create(tmp_path / "out.jpg", image.shape, image.metadata) as writer:
        writer.write(image.samples)
    assert writer.note == "left out: the thumbnail in EXIF"


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["jpg", "tif"])
def test_places_in_exif_follow_the_pixels_they_name(tmp_path: Path, orientation: int, name: str) -> None:
    stored = np.zeros((48, 64), np.uint8)
    stored[8:16, 40:56] = 255  # a subject of 16 x 8 pixels around (48, 12)
    tags = PIL.Image.Exif()
    tags[0x0112] = orientation
    focal = {0xA20E: IFDRational(3000, 7), 0xA20F: IFDRational(2000, 7)}
    tags.get_ifd(0x8769).update({0x9214: (48, 12, 16, 8), 0xA214: (48, 12), **focal})
    PIL.Image.fromarray(stored).save(tmp_path / "a.jpg", quality=95, exif=tags)
    upscale_file(tmp_path / "a.jpg", tmp_path / f"b.{name}", Upscaler("nearest", scale=3))
    with PIL.Image.open(tmp_path / f"b.{name}") as image:
        inner = image.getexif().get_ifd(0x8769)
        ys, xs = np.nonzero(np.asarray(image) > 127)
    x, y, width, height = inner[0x9214]
    assert (width, height) == (np.ptp(xs) + 1, np.ptp(ys) + 1)
    assert abs(x - xs.mean()) <= 3.5  # one pixel of the source
    assert abs(y - ys.mean()) <= 3.5
    assert inner[0xA214] == (x, y)
    across, down = (9000, 6000) if orientation < 5 else (6000, 9000)  # pixels of the width, and of the height
    assert float(inner[0xA20E]) == pytest.approx(across / 7, rel=1e-6)
    assert float(inner[0xA20F]) == pytest.approx(down / 7, rel=1e-6)


def test_the_regions_of_faces_say_the_size_that_they_lie_in(tmp_path: Path) -> None:
    stale = b"<e:SubjectArea>x</e:SubjectArea>"
    area = b'<r:AppliedToDimensions d:w="64" d:h="48" d:unit="pixel"/>' + stale
    xmp = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/" xmlns:r="http://www.metadataworkinggroup.com/schemas/regions/" '
        b'xmlns:d="http://ns.adobe.com/xap/1.0/sType/Dimensions#" xmlns:e="http://ns.adobe.com/exif/1.0/">'
        b'<r:Regions>%s</r:Regions><o d:w="64"/></x:xmpmeta>' % area
    )
    PIL.Image.new("RGB", (64, 48)).save(tmp_path / "a.jpg", xmp=xmp)
    upscale_file(tmp_path / "a.jpg", tmp_path / "b.png", Upscaler("nearest", scale=2))
    found = read(tmp_path / "b.png").metadata.xmp
    assert found == xmp.replace(b'd:w="64" d:h="48"', b'd:w="128" d:h="96"').replace(stale, b"")
