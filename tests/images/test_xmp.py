"""XMP that a result takes over: true of it, or taken out and named."""

from __future__ import annotations

import codecs
import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from PIL.TiffImagePlugin import IFDRational

from subpixel import Upscaler
from subpixel.images import open_image
from subpixel.inference.file import upscale_file

HEAD = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
TAIL = b"</rdf:RDF></x:xmpmeta>"
ARRAY = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
TIFF = b'xmlns:tiff="http://ns.adobe.com/tiff/1.0/" '
IPTC = b'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'


def packet(attributes: bytes, inner: bytes = b"") -> bytes:
    return HEAD + b'<rdf:Description rdf:about="" ' + attributes + b">" + inner + b"</rdf:Description>" + TAIL


def jpeg(xmp: bytes, turn: int = 1, mode: str = "RGB") -> bytes:
    tags, file = PIL.Image.Exif(), io.BytesIO()
    tags[0x0112] = turn
    PIL.Image.fromarray(ARRAY).convert(mode).save(file, "JPEG", xmp=xmp, exif=tags)
    return file.getvalue()


def doubled(source: bytes, target: Path) -> tuple[bytes, str | None]:
    """What XMP the result has, and what is told."""
    note = upscale_file(source, target, Upscaler("nearest", scale=2))
    return open_image(target).metadata.xmp or b"", note


@pytest.mark.parametrize("said", [b't:Orientation="6"', b"t:Orientation='6'"])
def test_an_orientation_counts_whatever_its_space_is_called(said: bytes) -> None:
    tiff = packet(TIFF.replace(b"xmlns:tiff", b"xmlns:t") + said)
    assert (open_image(jpeg(tiff, 0)).shape.height, open_image(jpeg(tiff, 0)).shape.width) == (64, 48)
    other = packet(b'xmlns:t="http://example.org/" ' + said)
    assert open_image(jpeg(other, 0)).shape.width == 64


@pytest.mark.parametrize("encoding", ["utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le", "utf-8"])
def test_xmp_in_any_encoding_becomes_utf_8(tmp_path: Path, encoding: str) -> None:
    xmp = packet(TIFF + b'tiff:Orientation="6" tiff:ImageWidth="64"', "<a>\u00e4</a>".encode())
    mark = "\ufeff".encode(encoding)
    assert mark in (codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF8)
    file = io.BytesIO()
    PIL.Image.fromarray(ARRAY).save(file, "WEBP", lossless=True, xmp=mark + xmp.decode().encode(encoding))
    found, note = doubled(file.getvalue(), tmp_path / "a.webp")
    assert found == xmp.replace(b'"6"', b'"1"').replace(b'"64"', b'"96"')
    assert note is None


def test_how_the_pixels_of_the_source_lay_is_not_said_of_the_result(tmp_path: Path) -> None:
    depth = b"<tiff:BitsPerSample><rdf:Seq><rdf:li>16</rdf:li></rdf:Seq></tiff:BitsPerSample>"
    xmp = packet(TIFF + b'tiff:Compression="1" tiff:PhotometricInterpretation="2" tiff:Make="ACME"', depth)
    found, note = doubled(jpeg(xmp), tmp_path / "a.jpg")
    assert found == packet(TIFF + b'tiff:Make="ACME"')
    assert note is None


def test_regions_in_pixels_or_of_the_unturned_image_are_named(tmp_path: Path) -> None:
    def region(unit: bytes) -> bytes:
        bounds = b"<Iptc4xmpExt:rbUnit>" + unit + b"</Iptc4xmpExt:rbUnit><Iptc4xmpExt:rbX>10</Iptc4xmpExt:rbX>"
        return b"<Iptc4xmpExt:ImageRegion><rdf:Bag><rdf:li>" + bounds + b"</rdf:li></rdf:Bag></Iptc4xmpExt:ImageRegion>"

    gone = packet(IPTC), "left out: the regions of the image"
    assert doubled(jpeg(packet(IPTC, region(b"pixel"))), tmp_path / "a.jpg") == gone
    assert doubled(jpeg(packet(IPTC, region(b"relative")), turn=6), tmp_path / "a.jpg") == gone
    kept = packet(IPTC, region(b"relative"))
    assert doubled(jpeg(kept), tmp_path / "a.jpg") == (kept, None)
    spaces = b'xmlns:MP="http://ns.microsoft.com/photo/1.2/" '
    faces = packet(spaces, b"<MP:RegionInfo><a>0.1, 0.2, 0.3, 0.4</a></MP:RegionInfo>")
    assert doubled(jpeg(faces), tmp_path / "a.jpg") == (faces, None)
    assert doubled(jpeg(faces, turn=3), tmp_path / "a.jpg") == (packet(spaces), "left out: the regions of faces")


def test_a_panorama_that_does_not_say_its_own_part_grows_too(tmp_path: Path) -> None:
    space = b'xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" '
    small, large = (
        packet(space + b'GPano:FullPanoWidthPixels="%d" GPano:FullPanoHeightPixels="%d"' % sides)
        for sides in ((640, 320), (1280, 640))
    )
    assert doubled(jpeg(small), tmp_path / "a.jpg") == (large, None)


def test_previews_and_depth_maps_are_named(tmp_path: Path) -> None:
    spaces = b'xmlns:xap="http://ns.adobe.com/xap/1.0/" xmlns:D="http://ns.google.com/photos/1.0/depthmap/" '
    xmp = packet(spaces + b'D:Data="AAAA" D:Mime="image/png"', b"<xap:Thumbnails><a>x</a></xap:Thumbnails>")
    assert doubled(jpeg(xmp), tmp_path / "a.jpg") == (
        packet(spaces.rstrip()),
        "left out: the depth map, the thumbnail in XMP",
    )


def test_the_kind_of_file_is_the_results(tmp_path: Path) -> None:
    space = b'xmlns:dc="http://purl.org/dc/elements/1.1/" '
    for name, kind in (("png", b"png"), ("jpg", b"jpeg"), ("tif", b"tiff"), ("webp", b"webp"), ("avif", b"avif")):
        said = packet(space + b'dc:format="image/vnd.adobe.photoshop"')
        assert doubled(jpeg(said), tmp_path / f"a.{name}")[0] == packet(space + b'dc:format="image/' + kind + b'"')
    other = packet(space + b'dc:format="application/pdf"')
    assert doubled(jpeg(other), tmp_path / "a.jpg")[0] == other


def test_colours_that_were_converted_are_not_said_to_be_inks(tmp_path: Path) -> None:
    space = b'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/" '
    inks = packet(space + b'photoshop:ColorMode="4" photoshop:ICCProfile="a press" photoshop:City="Ulm"')
    found, note = doubled(jpeg(inks, mode="CMYK"), tmp_path / "a.jpg")
    assert found == packet(space + b'photoshop:City="Ulm"')
    assert note == "its colours became sRGB (CMYK before)"
    assert doubled(jpeg(inks), tmp_path / "a.jpg")[0] == inks


def test_pixels_a_length_of_the_sensor_turn_with_it(tmp_path: Path) -> None:
    tags, file = PIL.Image.Exif(), io.BytesIO()
    tags[0x0112] = 6
    tags.get_ifd(0x8769).update({0xA20E: IFDRational(3072000, 899), 0xA20F: IFDRational(2304000, 674)})
    PIL.Image.fromarray(ARRAY).save(file, "JPEG", exif=tags)
    upscale_file(file.getvalue(), tmp_path / "a.jpg", Upscaler("nearest", scale=2))
    with PIL.Image.open(tmp_path / "a.jpg") as image:
        found = image.getexif().get_ifd(0x8769)
    assert float(found[0xA20E]) == pytest.approx(2 * 2304000 / 674, rel=1e-6)
    assert float(found[0xA20F]) == pytest.approx(2 * 3072000 / 899, rel=1e-6)
