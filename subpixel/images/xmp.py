"""XMP that stays true: what it says of size and orientation is amended, what cannot hold any more is taken out.

XMP is RDF in XML (ISO 16684-1). A property is an attribute or an element; all else stays byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_TIFF, _EXIF = b"http://ns.adobe.com/tiff/1.0/", b"http://ns.adobe.com/exif/1.0/"
_PANORAMA, _CAMERA = b"http://ns.google.com/photos/1.0/panorama/", b"http://ns.google.com/photos/1.0/camera/"
_CONTAINER = b"http://ns.google.com/photos/1.0/container/"
_NOTE, _XAP = b"http://ns.adobe.com/xmp/note/", b"http://ns.adobe.com/xap/1.0/"
_GAIN_MAP, _DEPTH = b"http://ns.adobe.com/hdr-gain-map/1.0/", b"http://ns.google.com/photos/1.0/depthmap/"
_REGIONS = b"http://www.metadataworkinggroup.com/schemas/regions/"
_DIMENSIONS = b"http://ns.adobe.com/xap/1.0/sType/Dimensions#"

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
    _GAIN_MAP: (r"\w+",), _DEPTH: (r"\w+",), _TIFF: ("NativeDigest",),
    _EXIF: (  # pixels, and copies of what EXIF says
        "NativeDigest", "SubjectArea", "SubjectLocation", "FocalPlaneXResolution", "FocalPlaneYResolution"
    ),
}  # fmt: skip


def upright(xmp: bytes, turned: bool) -> tuple[bytes, list[str]]:
    """XMP of an image that was turned upright, and what was taken out because it no longer holds."""
    left_out = list[str]()
    for space, names in _STALE.items():
        for name in names:
            xmp, count = _without(xmp, space, name)
            if count and space in (_CAMERA, _CONTAINER):
                left_out.append("the motion photo's mark")
    if turned:  # regions lie in the image as it was stored
        xmp, count = _without(xmp, _REGIONS, "Regions")
        left_out += ["the regions of faces"] * bool(count)
    return _with_value(xmp, _TIFF, "Orientation", lambda _: b"1"), sorted(set(left_out))


def amended(xmp: bytes, height: int, width: int) -> bytes:
    """XMP with the size of the image it now belongs to; the pixels of a panorama grow by the same factors.

    The old size is what the panorama says of the image's own part; without it they stay.
    """
    for names, side in ((_WIDTHS, width), (_HEIGHTS, height)):
        for space, properties in names.items():
            for name in properties:
                xmp = _with_value(xmp, space, name, lambda _, side=side: b"%d" % side)
    for own, names, side in (
        ("CroppedAreaImageWidthPixels", _ACROSS + _INTERIOR, width),
        ("CroppedAreaImageHeightPixels", _DOWN + _INTERIOR_DOWN, height),
    ):
        old = _number(xmp, _PANORAMA, own)
        for name in names if old else ():
            xmp = _with_value(xmp, _PANORAMA, name, lambda v, f=side / old: b"%d" % round(float(v) * f))
    return _with_dimensions(xmp, height, width)


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
