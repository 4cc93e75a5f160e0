"""What headers say that no decoder tells: kept or named, as the same things are of other formats."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL import ImageCms

from subpixel import Upscaler
from subpixel.images import Colour, Text, open_image
from subpixel.images.containers import read_contents
from subpixel.inference.file import upscale_file

ARRAY = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'


def doubled(source: bytes, target: Path) -> str | None:
    return upscale_file(source, target, Upscaler("nearest", scale=2))


def info(path: Path) -> dict[str | tuple[int, int], object]:
    with PIL.Image.open(path) as image:
        assert np.array_equal(np.asarray(image.convert("RGB")), ARRAY.repeat(2, 0).repeat(2, 1))
        return image.info


def bmp(size: int, space: bytes, profile: bytes = b"", gamma: float = 1.8) -> bytes:
    """A BMP of version 4 (108 bytes) or 5 (124), with Adobe RGB's primaries."""
    rows = ARRAY[::-1, :, ::-1].tobytes()
    ends = [round(2**30 * value) for value in (0.64, 0.33, 0.03, 0.21, 0.71, 0.08, 0.15, 0.06, 0.79)]
    head = struct.pack("<IiiHHIIiiII4I", size, 8, 6, 1, 24, 0, len(rows), 2835, 2835, 0, 0, 0xFF0000, 0xFF00, 0xFF, 0)
    head += space + struct.pack("<9I3I", *ends, *[round(gamma * 65536)] * 3)
    head += struct.pack("<4I", 4, size + len(rows), len(profile), 0) if size == 124 else b""
    return (
        b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows) + len(profile), 0, 0, 14 + size) + head + rows + profile
    )


def test_the_colours_of_a_bmp(tmp_path: Path) -> None:
    assert doubled(bmp(124, b"DEBM", PROFILE), tmp_path / "a.png") is None
    assert info(tmp_path / "a.png")["icc_profile"] == PROFILE
    assert doubled(bmp(124, b"KNIL", b"c:\\a.icc\0"), tmp_path / "a.png") == "left out: a profile in another file"
    assert doubled(bmp(108, bytes(4)), tmp_path / "a.png") is None
    white = (1.0 / 3, 1.1 / 3)  # the ends' sums are (1, 1.1, 0.9)
    said = info(tmp_path / "a.png")
    assert said["gamma"] == pytest.approx(1 / 1.8, abs=1e-5)
    assert said["chromaticity"] == pytest.approx((*white, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06), abs=1e-5)
    for plain in (bmp(108, b"BGRs"), bmp(108, bytes(4), gamma=0), bmp(124, b" niW")):
        assert open_image(plain).metadata.colour == Colour()


def resource(number: int, data: bytes) -> bytes:
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + b"\0" * (len(data) % 2)


def psd(*resources: bytes) -> bytes:
    block = b"".join(resources)
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHHI", 3, 6, 8, 8, 3, 0)
    return head + struct.pack(">I", len(block)) + block + bytes(4) + b"\0\0" + ARRAY.transpose(2, 0, 1).tobytes()


def test_the_resources_of_a_psd(tmp_path: Path) -> None:
    tags = PIL.Image.Exif()
    tags[0x010F], tags[0x0112] = "ACME", 6
    resolution = struct.pack(">IHHIHH", 300 << 16, 1, 1, 150 << 16, 1, 1)
    kept = resource(1039, PROFILE), resource(1058, tags.tobytes()[6:]), resource(1060, XMP), resource(1005, resolution)
    assert doubled(psd(*kept), tmp_path / "a.png") is None
    said = info(tmp_path / "a.png")  # not turned
    assert said["icc_profile"] == PROFILE
    assert said["xmp"] == XMP
    assert said["dpi"] == pytest.approx((300, 150), abs=0.1)
    with PIL.Image.open(tmp_path / "a.png") as image:
        assert (image.getexif()[0x010F], image.getexif()[0x0112]) == ("ACME", 1)
    iptc = b"\x1c\x02\x78\0\5hello"
    assert doubled(psd(resource(1028, iptc)), tmp_path / "a.tif") is None
    with (tmp_path / "a.tif").open("rb") as file:
        assert read_contents(file).iptc == iptc
    assert doubled(psd(resource(1032, bytes(9))), tmp_path / "a.png") == "left out: Photoshop resources"


def tga(extension: bytes) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "TGA")
    body = file.getvalue().removesuffix(b"TRUEVISION-XFILE.\0")[: 18 + ARRAY.nbytes]
    return body + extension + struct.pack("<II", len(body), 0) + b"TRUEVISION-XFILE.\0"


def test_the_extension_of_a_tga(tmp_path: Path) -> None:
    fields = [b"me".ljust(41, b"\0"), b"one".ljust(81, b"\0"), b"two".ljust(81, b"\0"), bytes(162), bytes(12)]
    fields += [b"a job".ljust(41, b"\0"), bytes(6), b"painter".ljust(41, b"\0"), bytes(11)]
    plain = struct.pack("<H", 495) + b"".join(fields) + bytes(495 - 2 - sum(map(len, fields)))
    (tmp_path / "a.tga").write_bytes(tga(plain))
    upscale_file(tmp_path / "a.tga", tmp_path / "a.png", Upscaler("nearest", scale=2))
    said = info(tmp_path / "a.png")
    words = {"Author": "me", "Comment": "one\ntwo", "Source": "a job", "Software": "painter"}
    assert {name: said[name] for name in words} == words
    odd = plain[:367] + struct.pack("<H", 5) + plain[369:478] + struct.pack("<HH", 22, 10) + plain[482:]
    assert read_contents(io.BytesIO(tga(odd))).others == {"its date", "its gamma"}


def test_the_name_of_an_sgi_and_the_light_of_a_qoi(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "SGI")
    sgi = file.getvalue()[:24] + b"a name".ljust(80, b"\0") + file.getvalue()[104:]
    assert open_image(sgi).metadata.text == (Text("Title", "a name"),)
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "QOI")
    for light, gamma in ((0, None), (1, 1.0)):
        qoi = file.getvalue()[:13] + bytes((light,)) + file.getvalue()[14:]
        assert doubled(qoi, tmp_path / "a.png") is None
        assert info(tmp_path / "a.png").get("gamma") == gamma


def box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(data), kind) + data


def test_the_profile_of_a_jp2(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "JPEG2000", irreversible=False)
    whole = file.getvalue()
    at, end = whole.index(b"colr") - 4, whole.index(b"colr") + 11
    header = whole.index(b"jp2h") - 4
    size = int.from_bytes(whole[header : header + 4], "big")
    new = box(b"colr", b"\2\0\0" + PROFILE)
    stated = (
        whole[:header] + struct.pack(">I", size + len(new) - (end - at)) + whole[header + 4 : at] + new + whole[end:]
    )
    assert doubled(stated, tmp_path / "a.png") is None
    assert info(tmp_path / "a.png")["icc_profile"] == PROFILE
    cut = box(b"jp2h", box(b"colr", b""))
    assert read_contents(io.BytesIO(whole[:12] + cut)).icc is None


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        (b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", None),
        (b"urn:mpeg:hevc:2015:auxid:1", None),
        (b"urn:mpeg:hevc:2015:auxid:2", "a map of depth or the like"),
        (b"urn:com:apple:photo:2020:aux:hdrgainmap", "the HDR gain map"),
    ],
)
def test_images_beside_the_image_are_named(kind: bytes, named: str | None) -> None:
    properties = box(b"iprp", box(b"ipco", box(b"auxC", bytes(4) + kind + b"\0")))
    whole = box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"meta", bytes(4) + properties)
    assert read_contents(io.BytesIO(whole)).others == ({named} if named else set())


def test_further_images_of_a_heic_and_sizes_of_an_icon_are_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY.repeat(8, 0).repeat(6, 1)).save(file, "ICO", sizes=[(16, 16), (48, 48)])
    assert doubled(file.getvalue(), tmp_path / "a.png") == "left out: its other sizes"
    heif = pytest.importorskip("pillow_heif")
    both = heif.from_pillow(PIL.Image.fromarray(ARRAY.repeat(8, 0).repeat(8, 1)))
    both.add_from_pillow(PIL.Image.fromarray(ARRAY.repeat(8, 0).repeat(8, 1)))
    file = io.BytesIO()
    both.save(file)
    assert doubled(file.getvalue(), tmp_path / "a.png") == "left out: further images"


def test_thumbnails_in_jfif_are_named(tmp_path: Path) -> None:
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "JPEG")
    plain = file.getvalue()[20:]
    small = b"JFIF\0\1\2\0\0\1\0\1\2\2" + bytes(12), b"JFXX\0\x13\2\2" + bytes(12)
    for data in small:
        source = b"\xff\xd8\xff\xe0" + struct.pack(">H", 2 + len(data)) + data + plain
        assert doubled(source, tmp_path / "a.jpg") == "left out: the thumbnail in JFIF"
    assert doubled(file.getvalue(), tmp_path / "a.jpg") is None


@pytest.mark.parametrize("kind", ["bmp", "psd", "tga"])
def test_any_cut_header_is_no_error(kind: str) -> None:
    whole = {"bmp": bmp(124, b"DEBM", PROFILE), "psd": psd(resource(1060, XMP)), "tga": tga(bytes(495))}[kind]
    for end in range(2, 400):
        read_contents(io.BytesIO(whole[:end]))
        read_contents(io.BytesIO(whole[end:]))
