"""XMP that stays true: what it says of size and orientation is amended, what cannot hold any more is taken out.

XMP is RDF in XML (ISO 16684-1). A property is an attribute or an element; all else stays byte for byte.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable

_TIFF, _EXIF = b"http://ns.adobe.com/tiff/1.0/", b"http://ns.adobe.com/exif/1.0/"
_PANORAMA, _CAMERA = b"http://ns.google.com/photos/1.0/panorama/", b"http://ns.google.com/photos/1.0/camera/"
_CONTAINER = b"http://ns.google.com/photos/1.0/container/"
_NOTE, _XAP = b"http://ns.adobe.com/xmp/note/", b"http://ns.adobe.com/xap/1.0/"
_GAIN_MAP, _DEPTH = b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.google.com/photos/1.0/depthmap/"
_REGIONS = b"http://www.metadataworkinggroup.com/schemas/regions/"
_DIMENSIONS = b"http://ns.adobe.com/xap/1.0/sType/Dimensions#"
_MICROSOFT = b"http://ns.microsoft.com/photo/1.2/"
_IPTC = b"http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
_DC, _PHOTOSHOP = b"http://purl.org/dc/elements/1.1/", b"http://ns.adobe.com/photoshop/1.0/"

_IN_PIXELS = re.compile(rb":rbUnit(?:\s*=\s*[\"']|\s*>)\s*pixel")
"""What IPTC's regions count in, if not in parts of the image."""
_KINDS = rb"jpe?g|png|webp|tiff?|avif|hei[cf]|bmp|gif|jp2|jxl|vnd\.adobe\.photoshop"
"""What follows image/ in the names of formats (RFC 6838)."""
_WIDTHS = {_TIFF: ("ImageWidth",), _EXIF: ("PixelXDimension",)}
_HEIGHTS = {_TIFF: ("ImageLength", "ImageHeight"), _EXIF: ("PixelYDimension",)}
_ACROSS = ("FullPanoWidthPixels", "CroppedAreaImageWidthPixels", "CroppedAreaLeftPixels")
_DOWN = ("FullPanoHeightPixels", "CroppedAreaImageHeightPixels", "CroppedAreaTopPixels")
_INTERIOR = ("LargestValidInteriorRectWidth", "LargestValidInteriorRectLeft")
_INTERIOR_DOWN = ("LargestValidInteriorRectHeight", "LargestValidInteriorRectTop")
# What belongs to data that no result holds: videos, extended XMP, previews, gain and depth maps, digests; or to pixels.
_STALE = {
    _CAMERA: (
        "MotionPhoto", "MotionPhotoVersion", "MotionPhotoPresentationTimestampUs",
        "MicroVideo", "MicroVideoVersion", "MicroVideoOffset", "MicroVideoPresentationTimestampUs",
    ),
    _CONTAINER: ("Directory",), _NOTE: ("HasExtendedXMP",), _XAP: ("Thumbnails",),
    _GAIN_MAP: (r"\w+",), _DEPTH: (r"\w+",),
    _TIFF: (  # how the pixels of the source lay
        "NativeDigest", "BitsPerSample", "Compression", "PhotometricInterpretation", "SamplesPerPixel",
        "PlanarConfiguration", "YCbCrSubSampling", "YCbCrPositioning",
    ),
    _EXIF: (  # pixels, and copies of what EXIF says
        "NativeDigest", "SubjectArea", "SubjectLocation", "FocalPlaneXResolution", "FocalPlaneYResolution"
    ),
}  # fmt: skip
_NAMES = {
    _CAMERA: "the motion photo's mark", _CONTAINER: "the motion photo's mark", _XAP: "the thumbnail in XMP",
    _DEPTH: "the depth map",
}  # fmt: skip
"""What is said to be left out with what is stale."""
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32", codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig",
}  # fmt: skip
"""How XMP begins that states its encoding."""


def in_utf8(xmp: bytes) -> bytes:
    """XMP in the encoding that every format takes; it may be in any of Unicode's."""
    encoding = next((name for mark, name in _MARKS.items() if xmp.startswith(mark)), None)
    return xmp.decode(encoding, "replace").encode() if encoding else xmp


def orientation(xmp: bytes) -> int:
    """How the image is to be turned, 1 to 8; 0 where it is not said."""
    stated = int(_number(in_utf8(xmp), _TIFF, "Orientation"))
    return stated if stated in range(1, 9) else 0


def in_srgb(xmp: bytes) -> bytes:
    """XMP of an image whose colours were converted: without what it says of those before."""
    for name in ("ColorMode", "ICCProfile"):
        xmp, _ = _without(xmp, _PHOTOSHOP, name)
    return xmp


def upright(xmp: bytes, turned: bool) -> tuple[bytes, list[str]]:
    """XMP of an image that was turned upright, and what was taken out because it no longer holds."""
    xmp, left_out = in_utf8(xmp), set[str]()
    for space, names in _STALE.items():
        for name in names:
            xmp, count = _without(xmp, space, name)
            left_out |= {_NAMES[space]} if count and space in _NAMES else set()
    places = [(_REGIONS, "Regions", "faces"), (_MICROSOFT, "RegionInfo", "faces")] if turned else []
    places += [(_IPTC, "ImageRegion", "the image")] if turned or _IN_PIXELS.search(xmp) else []
    for space, name, owner in places:  # they lie in the image as it was stored
        xmp, count = _without(xmp, space, name)
        left_out |= {f"the regions of {owner}"} if count else set()
    return _with_value(xmp, _TIFF, "Orientation", lambda _: b"1"), sorted(left_out)


def amended(xmp: bytes, sides: tuple[int, int], old: tuple[int, int], kind: str) -> bytes:
    """XMP with the size and kind (such as png) of the image it now belongs to; a panorama grows by the same factors.

    sides, old: height and width now, and of the image of which it was said; the panorama's own word counts before that.
    """
    height, width = sides
    xmp = _with_kind(xmp, kind)
    for names, side in ((_WIDTHS, width), (_HEIGHTS, height)):
        for space, properties in names.items():
            for name in properties:
                xmp = _with_value(xmp, space, name, lambda _, side=side: b"%d" % side)
    for own, names, side, before in (
        ("CroppedAreaImageWidthPixels", _ACROSS + _INTERIOR, width, old[1]),
        ("CroppedAreaImageHeightPixels", _DOWN + _INTERIOR_DOWN, height, old[0]),
    ):
        factor = side / (_number(xmp, _PANORAMA, own) or before)
        for name in names:
            xmp = _with_value(xmp, _PANORAMA, name, lambda v, f=factor: b"%d" % round(float(v) * f))
    return _with_dimensions(xmp, height, width)


def _with_kind(xmp: bytes, kind: str) -> bytes:
    for prefix in _prefixes(xmp, _DC):
        name = re.escape(prefix + b":format")
        stated = re.compile(rb"(\b" + name + rb"(?:\s*=\s*[\"']|\s*>)\s*image/)(" + _KINDS + rb")(?=\s*[\"'<])")
        xmp = stated.sub(lambda match: match[1] + kind.encode(), xmp)
    return xmp


def _with_dimensions(xmp: bytes, height: int, width: int) -> bytes:
    """XMP with the size of the image that the regions of faces lie in: programs pass over those of another."""
    for prefix in _prefixes(xmp, _REGIONS):
        full = re.escape(prefix) + b":AppliedToDimensions"
        element = re.compile(rb"<" + full + rb"\b[^<>]{0,999}(?:/>|>.{0,999}?</" + full + rb"\s*>)", re.DOTALL)
        for unit in _prefixes(xmp, _DIMENSIONS):
            for name, side in ((b":w", width), (b":h", height)):
                value = _value(re.escape(unit + name))
                xmp = element.sub(lambda m, v=value, s=side: v.sub(lambda n: n[1] + b"%d" % s + n[3], m[0]), xmp)
    return xmp


def _prefixes(xmp: bytes, space: bytes) -> list[bytes]:
    prefixes = re.findall(rb"xmlns:([\w.-]+)\s*=\s*[\"']" + re.escape(space) + rb"[\"']", xmp)
    return sorted(set(prefixes))


def _value(name: bytes) -> re.Pattern[bytes]:
    """A number as an attribute or as an element: what stands before, the number, what stands behind."""
    return re.compile(rb"(\b" + name + rb"(?:\s*=\s*[\"']|\s*>)\s*)(-?[\d.]+)(\s*[\"'<])")


def _with_value(xmp: bytes, space: bytes, name: str, new: Callable[[bytes], bytes]) -> bytes:
    for prefix in _prefixes(xmp, space):
        pattern = _value(re.escape(prefix + b":" + name.encode()))
        xmp = pattern.sub(lambda match: match[1] + new(match[2]) + match[3], xmp)
    return xmp


def _number(xmp: bytes, space: bytes, name: str) -> float:
    for prefix in _prefixes(xmp, space):
        match = _value(re.escape(prefix + b":" + name.encode())).search(xmp)
        if match and re.fullmatch(rb"\d+(\.\d*)?", match[2]):
            return float(match[2])
    return 0.0


def _without(xmp: bytes, space: bytes, name: str) -> tuple[bytes, int]:
    """XMP without a property, and how often it was there."""
    total = 0
    for prefix in _prefixes(xmp, space):
        full = re.escape(prefix) + b":" + name.encode()
        xmp, attributes = re.subn(rb"\s" + full + rb"\s*=\s*(\"[^\"<]*\"|'[^'<]*')", b"", xmp)
        xmp, empty = re.subn(rb"<" + full + rb"(\s[^<>]*)?/>", b"", xmp)
        xmp, whole = _without_elements(xmp, full)
        total += attributes + empty + whole
    return xmp, total


def _without_elements(xmp: bytes, full: bytes) -> tuple[bytes, int]:
    """Without elements that have an end; what follows the last end is not searched, so the time stays linear."""
    ends = [match.end() for match in re.finditer(rb"</" + full + rb"\s*>", xmp)]
    if not ends:
        return xmp, 0
    head, count = re.subn(rb"<(" + full + rb")(\s[^<>]*)?>.*?</\1\s*>", b"", xmp[: ends[-1]], flags=re.DOTALL)
    return head + xmp[ends[-1] :], count
