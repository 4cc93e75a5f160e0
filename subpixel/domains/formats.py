"""Which format of science or medicine a file is: by its content where that says it, else by its ending."""

from __future__ import annotations

import importlib
import importlib.util
import os
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from subpixel.domains import floats
from subpixel.domains.source import Source
from subpixel.errors import BadRequest, SubpixelError, UnreadableImage
from subpixel.images import split_ending, tiff
from subpixel.images.formats import VIDEO, format_of_content
from subpixel.images.kinds import ENDINGS, is_folder

_TIFF = (".tif", ".tiff")
_STATED_BESIDE = (
    b"<GeoTransform", b"<GCPList", b"<SRS", b'domain="RPC"', b"<NoDataValue", b"<CategoryNames", b"<Scale>",
    b"<Offset>", b"<UnitType>", b"<Description>",
)  # fmt: skip
"""What GDAL's file beside an image may say that the road of photos would lose."""
_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}
_DESCRIPTION, _SAMPLES, _SAMPLE_FORMAT, _BITS = 0x010E, 0x0115, 0x0153, 0x0102
_FLOATS = "floats beyond [0, 1]"
_OF_INTEREST = frozenset({_DESCRIPTION, _SAMPLES, _SAMPLE_FORMAT, _BITS, *tiff.GEO})
GZIP = b"\x1f\x8b"
"""What compressed files begin with."""
_ROOM = 2**24
"""Bytes of a file beside an image that are looked at."""
_PREFIX = 4096
"""Bytes in which DICOM, FITS and NIfTI say what they are, also where they are compressed."""


class Selection(Protocol):
    """The part of an image that only some formats can be asked for: an `Upscaler` and a `Request` say it."""

    @property
    def bands(self) -> Sequence[int]:
        """Those that are taken, counted from 1; none: all."""
        ...

    @property
    def window(self) -> object:
        """The part that is enlarged; None: all."""
        ...


@dataclass(frozen=True)
class Format:
    """A format, and the module of this package that reads and writes it."""

    name: str
    module: str
    endings: tuple[str, ...]
    """What its results may end in."""
    extra: str
    needs: str
    banded: bool = False
    """Whether its bands can be chosen, and go through a network of many channels together."""
    windowed: bool = False
    """Whether a part of it can be enlarged, and says where it lies."""
    beside: tuple[str, ...] = ()
    """What its library adds to a file's name where it keeps more of the file."""

    def open(self, path: Path, bands: Sequence[int] = (), channels: int = 3) -> Source:
        """Opens a file of it. bands: those that are taken, counted from 1; none: all. channels: of the network.

        Raises: UnreadableImage.
        """
        if not path.exists():
            raise UnreadableImage(path, "no such file")
        open_: Callable[..., Source] = importlib.import_module(f"subpixel.domains.{self.module}").open_
        try:
            return open_(path, bands, channels) if self.banded else open_(path)
        except SubpixelError as error:
            raise error if isinstance(error, UnreadableImage) else UnreadableImage(path, str(error)) from error
        except self.faults as error:
            raise UnreadableImage(path, in_one_line(error)) from error

    @property
    def faults(self) -> tuple[type[Exception], ...]:
        """What its library raises for files that are damaged, or not as it expects."""
        return importlib.import_module(f"subpixel.domains.{self.module}").FAULTS


FORMATS = {
    "GeoTIFF": Format("GeoTIFF", "geotiff", _TIFF, "geo", "rasterio", banded=True, windowed=True, beside=tiff.ADDED),
    "FITS": Format("FITS", "fits", (".fits", ".fit", ".fts", ".fits.gz"), "astro", "astropy", windowed=True),
    "DICOM": Format("DICOM", "dicom", (".dcm", ".dicom", ""), "medical", "pydicom"),
    "NIfTI": Format("NIfTI", "nifti", (".nii", ".nii.gz"), "medical", "nibabel"),
    "OME-TIFF": Format("OME-TIFF", "ome_tiff", (".ome.tif", ".ome.tiff", *_TIFF), "micro", "tifffile"),
    "OME-Zarr": Format("OME-Zarr", "ome_zarr", (".ome.zarr", ".zarr"), "micro", "zarr", windowed=True),
    _FLOATS: Format(_FLOATS, "floats", _TIFF, "", "pyvips"),
    "slide": Format("slide", "slide", (".ome.tif", ".ome.tiff"), "micro", "tiffslide"),
}


def check_selection(name: object, file_format: Format | None, selection: Selection) -> None:
    """Raises: BadRequest for bands, or a window, of an image that has none. file_format: None for a photo."""
    if selection.bands and not (file_format and file_format.banded):
        raise BadRequest(f"{name}: bands are chosen of a GeoTIFF alone")
    if selection.window and not (file_format and file_format.windowed):
        kinds = ", ".join(each.name for each in FORMATS.values() if each.windowed)
        raise BadRequest(f"{name}: a window is enlarged of {kinds} alone")


def in_one_line(error: Exception) -> str:
    """What a library says of a file."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def check_photo(path: str | Path) -> None:
    """Raises: UnreadableImage for what is no photo: of photos alone it is told what is wrong with them."""
    head = _head(str(path))
    is_video = VIDEO.match(head) and not format_of_content(head, path)
    name = "a video" if is_video else _named(str(path), 3)
    if name:
        raise UnreadableImage(path, f"it is read as {name}; only photos are inspected")


def format_of(path: str | Path, channels: int = 3) -> Format | None:
    """The format of a file, None for a photo. channels: of the network that is to enlarge it.

    Raises: UnreadableImage, with the extra, where what reads it is not installed.
    """
    name = _named(str(path), channels)
    if name is None:
        return None
    file_format = FORMATS[name]
    if not importlib.util.find_spec(file_format.needs):
        why = f"it is {name}, which an extra reads: pip install 'subpixel[{file_format.extra}]'"
        raise UnreadableImage(path, why)
    return file_format


def _named(path: str, channels: int) -> str | None:
    kind = ENDINGS.get(split_ending(path)[1].lower())
    if os.path.isdir(path):
        return "OME-Zarr" if is_folder(path) else None
    head = _head(path)
    if head[128:132] == b"DICM":
        return "DICOM"
    if _is_nifti(_unpacked(head)):
        return "NIfTI"
    if head.startswith(b"SIMPLE  ="):
        return "FITS"
    if kind and kind.name != "OME-TIFF":
        return kind.name
    if head[:4] in _MAGIC:
        return _kind_of_tiff(path, channels)
    photo = format_of_content(head, path)
    of_floats = photo is not None and photo.name in ("PFM", "SPIDER")
    return _FLOATS if of_floats and floats.is_beyond(path) else None


def _head(path: str) -> bytes:
    """The first bytes; none where the file cannot be read, which is told when it is opened."""
    try:
        with open(path, "rb") as file:
            return file.read(_PREFIX)
    except (OSError, ValueError):
        return b""


def _unpacked(head: bytes) -> bytes:
    """The first bytes of what was compressed, or as they are."""
    if head[:2] != GZIP:
        return head
    with suppress(zlib.error):
        return zlib.decompressobj(31).decompress(head, 348)
    return b""


def _is_nifti(head: bytes) -> bool:
    """In one file, of version 1 or 2."""
    return head[344:348] == b"n+1\0" or head[4:8] == b"n+2\0"


def _kind_of_tiff(path: str, channels: int) -> str | None:
    """GeoTIFF is what has places, more than four bands, those of a network of many, or number types of no photo."""
    with open(path, "rb") as file:
        try:
            layout, table = tiff.open_header(file)
            tags = {entry.tag: entry for entry in tiff.entries(file, layout, table, _OF_INTEREST)}
        except ValueError:
            return None
    if _DESCRIPTION in tags and b"<OME" in tags[_DESCRIPTION].data:
        return "OME-TIFF"
    numbers = {tag: _first(tags[tag], layout) for tag in (_SAMPLES, _SAMPLE_FORMAT, _BITS) if tag in tags}
    kind, bits = numbers.get(_SAMPLE_FORMAT, 1), numbers.get(_BITS, 8)  # 1 whole, 2 signed, 3 floats
    odd = kind == 2 or (kind == 1 and bits > 16) or (kind == 3 and bits == 64)
    samples = numbers.get(_SAMPLES, 1)
    many = samples > 4 or (samples == channels and samples not in (1, 3))
    if tags.keys() & tiff.GEO or odd or many or _is_placed_beside(path):
        return "GeoTIFF"
    return _FLOATS if kind == 3 and floats.is_beyond(path) else None


def _is_placed_beside(path: str) -> bool:
    """Whether another file says where a TIFF file lies, or what its numbers mean."""
    stem = split_ending(path)[0]
    if any(os.path.exists(stem + ending) for ending in tiff.IN_PLACE) or os.path.exists(f"{path}.msk"):
        return True
    with suppress(OSError), open(f"{path}.aux.xml", "rb") as file:
        text = file.read(_ROOM)
        return any(word in text for word in _STATED_BESIDE)
    return False


def world_file(path: str | Path) -> Path | None:
    """What says where a photo lies, such as map.pgw beside map.png."""
    stem, ending = split_ending(str(path))
    names = (f"{stem}.wld", f"{path}w", f"{stem}.{ending[1:2]}{ending[-1:]}w")
    return next((Path(name) for name in names if ending and os.path.isfile(name)), None)


def _first(entry: tiff.Entry, layout: tiff.Layout) -> int:
    order = "little" if layout.order == "<" else "big"
    return int.from_bytes(entry.data[:2], order) if entry.kind == 3 else 0
