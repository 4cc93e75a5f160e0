"""What libvips does not read, by other libraries; each gives the samples and says what the file holds beside them."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import MissingExtra, SubpixelError, UnreadableImage
from subpixel.images import jxl
from subpixel.images.contents import Contents
from subpixel.images.formats import FileFormat
from subpixel.images.metadata import Text, became_srgb
from subpixel.images.stored import StoredLevels, stored_levels

if TYPE_CHECKING:
    import PIL.Image

Decoded = tuple[NDArray[Any], str]
"""Samples (H, W) or (H, W, 1 to 4), uint8, uint16 or float32, and libvips' name for what they are."""
Check = Callable[[int, int, int], None]
"""Is told the width, the height and the bytes of a sample before anything is decoded, and raises where it is too much.

No bytes: nothing will be held.
"""

_PILLOW = {
    "PNM": ("PPM",), "JPEG 2000": ("JPEG2000",), "JPEG XL": ("JXL",), "ICO": ("ICO", "CUR"), "XVThumb": ("XVTHUMB",),
}  # fmt: skip
"""Pillow's names for formats, where they are not ours."""


def _with_pillow(file: BinaryIO, file_format: FileFormat, contents: Contents, check: Check) -> Decoded | StoredLevels:
    import PIL.Image

    if file_format.extra:
        _import("pillow_jxl", "pillow-jxl-plugin", file_format.extra)
        contents.stated = 1  # its decoder turns the image
    file.seek(0)
    PIL.Image.init()
    if file_format.name == "ICO":  # whose opener decodes
        for png in re.finditer(rb"\x89PNG\r\n\x1a\n.{4}IHDR(.{4})(.{4})", file.read(), re.DOTALL):
            check(int.from_bytes(png[1], "big"), int.from_bytes(png[2], "big"), 1)
    with _opened(file, file_format) as image:
        place = file.tell()
        stored = stored_levels(file, image)
        check(image.width, image.height, 0 if stored else 1)
        _add_info(contents, image)
        if stored:
            return stored
        deep = _deep_colours(file, file_format, *image.size)
        if deep is not None:
            return deep, "rgb16"
        file.seek(place)  # where some of its decoders go on
        image.load()
        if image.mode == "LAB":
            contents.icc = None
            contents.notes.append(became_srgb("LAB"))
        samples, space = samples_of(image)
        bits = _bits_of_tiff(image)
        contents.stated = 1 if image.format == "TIFF" else contents.stated  # Pillow turns it
        told = jxl.bits_of(_head(file)) if file_format.name == "JPEG XL" else bits
        if told > 8 and samples.dtype == np.uint8:
            contents.notes.append("its colours were read with 8 bits")
        return (samples if bits in (8, 16, 32) else _stretched(samples, 2**bits - 1)), space


def _opened(file: BinaryIO, file_format: FileFormat) -> Any:
    """By one of Pillow's own openers: `open` has a limit of its own, and would try all formats."""
    import PIL.Image

    *others, last = (PIL.Image.OPEN[name] for name in _PILLOW.get(file_format.name, (file_format.name,)))
    head = _head(file)[:16]
    opener, _ = next((chosen for chosen in others if chosen[1] is None or chosen[1](head)), last)
    file.seek(0)
    lent: Any = _Lent(file)
    return opener(lent, "")


class _Lent:
    """A file that some of Pillow's openers close, and that stays open."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None: ...


def _from_lab(image: PIL.Image.Image) -> PIL.Image.Image:
    """CIELAB, which stands on D50 as profiles do, as sRGB."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None  # it is where nothing is changed in place
    return converted


def _bits_of_tiff(image: PIL.Image.Image) -> int:
    """Of a sample; 8 of other formats."""
    tags: Any = getattr(image, "tag_v2", {})
    return max(tags.get(258, (8,))) if image.mode.startswith("I") or len(image.getbands()) > 2 else 8


def _with_heif(file: BinaryIO, file_format: FileFormat, contents: Contents, check: Check) -> Decoded:
    heif = _import("pillow_heif", "pillow-heif", file_format.extra)
    file.seek(0)
    image = heif.open_heif(file, convert_hdr_to_8bit=False)
    contents.others |= {"further images"} if len(image) > 1 else set()
    width, height = image.size
    check(width, height, 2 if image.mode.endswith(";16") else 1)
    contents.frames, contents.depth = 1, int(image.info.get("bit_depth", 8))
    samples = np.asarray(image)
    return samples, _space(samples)


def _with_rawpy(file: BinaryIO, file_format: FileFormat, contents: Contents, check: Check) -> Decoded:
    """Developed with the camera's white balance into 16-bit sRGB, upright."""
    rawpy = _import("rawpy", "rawpy", file_format.extra)
    file.seek(0)
    with rawpy.imread(file) as raw:
        check(raw.sizes.width, raw.sizes.height, 1)
        samples = raw.postprocess(use_camera_wb=True, output_bps=16, gamma=(2.4, 12.92))
    contents.stated, contents.frames, contents.icc, contents.others = 1, 1, None, set()
    contents.notes.append("its raw data was developed into 16-bit sRGB")
    return samples, "rgb16"


_PFM = re.compile(rb"P([Ff])\s+(\d{1,9})\s+(\d{1,9})\s+(-?)[\d.]\S*\s")


def _with_numpy(file: BinaryIO, _: FileFormat, __: Contents, check: Check) -> Decoded:
    """PFM, also of colours: its rows go upwards, and the sign before its scale says the order of bytes."""
    head = _PFM.match(_head(file))
    if head is None:
        raise ValueError("no header of PFM")
    width, height, channels = int(head[2]), int(head[3]), 3 if head[1] == b"F" else 1
    check(width, height, 4)
    file.seek(head.end())
    values = np.frombuffer(file.read(4 * width * height * channels), "<f4" if head[4] else ">f4")
    samples = values.reshape(height, width, channels)[::-1].astype(np.float32)
    return samples, _space(samples)


_DECODERS: dict[str, Callable[[BinaryIO, FileFormat, Contents, Check], Decoded | StoredLevels]] = {
    "libvips": _with_pillow,
    "Pillow": _with_pillow, "pillow-jxl-plugin": _with_pillow, "pillow-heif": _with_heif, "rawpy": _with_rawpy,
    "NumPy": _with_numpy,
}  # fmt: skip


def decode(
    name: str | Path, file: BinaryIO, file_format: FileFormat, contents: Contents, check: Check
) -> Decoded | StoredLevels:
    """The whole image as its format's decoder gives it, or where its levels lie in the file.

    Raises: UnreadableImage; MissingExtra where the decoder is not installed.
    """
    try:
        return _DECODERS[file_format.decoder](file, file_format, contents, check)
    except SubpixelError:
        raise
    except MemoryError as error:
        raise UnreadableImage(name, "it does not fit into memory") from error
    except Exception as error:  # decoders raise whatever their file made them raise
        raise UnreadableImage(name, f"it is damaged, truncated or of a rare kind of {file_format.name}") from error


def _import(module: str, package: str, extra: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(package, extra) from None


def _add_info(contents: Contents, image: PIL.Image.Image) -> None:
    """What Pillow says of a file that is not among our containers."""
    info = image.info
    contents.icc = contents.icc or info.get("icc_profile")
    contents.exif = contents.exif or (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None
    contents.xmp = contents.xmp or info.get("xmp")
    contents.frames = getattr(image, "n_frames", 1) if image.format not in ("PSD", "TIFF") else 1
    if image.format == "PSD" and getattr(image, "n_frames", 0):
        contents.others.add("layers")
    contents.others |= {"its other sizes"} if len(info.get("sizes", ())) > 1 else set()
    x, y = info.get("dpi", (0, 0))
    contents.dpi = contents.dpi or ((float(x), float(y)) if x > 0 and y > 0 else None)
    comment = info.get("comment") or info.get("id_section") or b""
    if comment and not comment.startswith(b"Created by OpenJPEG"):
        contents.text.append(Text("Comment", comment.decode("utf-8", "replace")))


_GAP = rb"\s(?:\s*#[^\n]*\n)*\s*"
_PNM = re.compile(rb"P([36])" + _GAP + rb"\d+" + _GAP + rb"\d+" + _GAP + rb"(\d+)\s")


def _deep_colours(file: BinaryIO, file_format: FileFormat, width: int, height: int) -> NDArray[np.uint16] | None:
    """RGB with more than 8 bits, over the whole range of 16; None where Pillow gives all that there is.

    Of JPEG 2000 it gives 8, in which white overflows to black. Raises: MissingExtra without what reads it.
    """
    pnm = _PNM.match(_head(file))
    if pnm and int(pnm[2]) > 255:
        file.seek(pnm.end())
        size = 3 * height * width
        raw = pnm[1] == b"6"
        levels = np.frombuffer(file.read(2 * size), ">u2") if raw else np.array(file.read(6 * size).split()[:size], int)
        return _stretched(levels.reshape(height, width, 3), int(pnm[2]))
    bits = _bits(_head(file)) if file_format.name == "JPEG 2000" else 8
    if bits <= 8:
        return None
    rasterio = _import("rasterio.io", "rasterio", "geo")
    file.seek(0)
    with warnings.catch_warnings(action="ignore"), rasterio.MemoryFile(file.read()) as memory, memory.open() as opened:
        return _stretched(opened.read().transpose(1, 2, 0), 2**bits - 1) if opened.count in (3, 4) else None


def _stretched(levels: NDArray[Any], top: int) -> NDArray[np.uint16]:
    """0 to `top` as 0 to 65535, rounded half up."""
    clipped = np.minimum(levels, top).astype(np.uint64)
    return ((clipped * 65535 + top // 2) // top).astype(np.uint16)


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(2**12)


def _bits(head: bytes) -> int:
    """Of a colour of JPEG 2000, by its codestream's header (ISO/IEC 15444-1, A.5.1); 8 of gray."""
    size = head.find(b"\xff\x4f\xff\x51")
    channels = int.from_bytes(head[size + 40 : size + 42], "big") if size >= 0 else 0
    return (head[size + 42] & 127) + 1 if channels >= 3 and size + 42 < len(head) else 8


def samples_of(image: PIL.Image.Image) -> Decoded:
    """A Pillow image's samples: gray or RGB, with alpha where it has transparency of any kind, or CMYK."""
    samples = _deep_gray(image) if image.mode.startswith("I") else np.asarray(_plain(image))
    return samples, "cmyk" if image.mode == "CMYK" else _space(samples)


def _deep_gray(image: PIL.Image.Image) -> NDArray[np.uint16]:
    """Gray levels, with alpha where one of them counts as transparent."""
    levels = np.clip(np.asarray(image), 0, 65535).astype(np.uint16)
    transparent = image.info.get("transparency")
    if transparent is None:
        return levels
    return np.dstack([levels, np.where(levels == transparent, 0, 65535).astype(np.uint16)])


def _plain(image: PIL.Image.Image) -> PIL.Image.Image:
    """In a mode whose samples are numbers: what a colour or an index that counts as transparent means, as alpha."""
    if image.mode == "LAB":
        return _from_lab(image)
    gray = image.mode in ("1", "L", "LA", "La")
    if image.has_transparency_data:
        return image.convert("LA" if gray else "RGBA")
    return image if image.mode in ("L", "RGB", "CMYK", "F") else image.convert("L" if gray else "RGB")


def _space(samples: NDArray[Any]) -> str:
    gray = samples.ndim == 2 or samples.shape[2] < 3
    if samples.dtype.kind == "f":
        return "b-w" if gray else "scrgb"
    deep = samples.dtype.itemsize == 2
    return ("grey16" if gray else "rgb16") if deep else "b-w" if gray else "srgb"
