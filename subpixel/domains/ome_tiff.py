"""OME-TIFF, by tifffile: the OME-XML of the file with the new sizes, planes in its order, pyramids rebuilt.

Source: the OME data model, https://docs.openmicroscopy.org/ome-model/; the size of a pixel is stated per axis.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from subpixel.domains.frames import AffineFrame, nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.pyramid import Pyramid, tiles
from subpixel.domains.source import Enlarge, places
from subpixel.domains.tiff_tags import untold
from subpixel.domains.values import ReadRows
from subpixel.errors import UnreadableImage

FAULTS = (tifffile.TiffFileError, ElementTree.ParseError, OSError, ValueError, TypeError, KeyError, IndexError)
_TILE = 256
_PALETTE, _NEGATIVE = tifffile.PHOTOMETRIC.PALETTE, tifffile.PHOTOMETRIC.MINISWHITE


class OmeTiff:
    """An opened OME-TIFF; each of its images has planes, one page each."""

    def __init__(self, path: Path) -> None:
        with ExitStack() as stack:
            self._path, self._file = path, stack.enter_context(tifffile.TiffFile(path))
            self._xml: Any = ElementTree.fromstring(self._file.ome_metadata or "")
            self._space = str(self._xml.tag).partition("}")[0].strip("{")
            self._refuse(path)
            pairs = zip(self._file.series, self._elements("Pixels"), strict=True)
            self._images = [_planes(series, pixels) for series, pixels in pairs]
            self.close = stack.pop_all().close
        self.planes = [plane for planes in self._images for plane in planes]

    def _elements(self, name: str) -> list[Any]:
        return list(self._xml.iter(f"{{{self._space}}}{name}"))

    def _refuse(self, path: Path) -> None:
        if self._elements("ROI"):
            raise UnreadableImage(path, "it has regions of interest in pixels; save it without them first")
        files = {uuid.get("FileName") for uuid in self._elements("UUID")} - {None}
        if len(files) > 1:
            raise UnreadableImage(path, f"its planes lie in {len(files)} files; save them as one first")

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        images = [[enlarge(plane) for plane in planes] for planes in self._images]
        first = 0
        for pixels, results in zip(self._elements("Pixels"), images, strict=True):
            self._describe(pixels, results, first)
            first += len(results)
        self._xml.attrib.pop("UUID", None)
        ElementTree.register_namespace("", self._space)
        text = ElementTree.tostring(self._xml, "unicode")
        pairs = zip(images, self._file.series, strict=True)
        write(part, text, [_written(results, series) for results, series in pairs])
        lost = sorted(untold(self._path, part))
        return [f"left out: {', '.join(lost)}"] if lost else []

    def _describe(self, pixels: Any, results: Sequence[Enlarged], first: int) -> None:
        """The sizes of an image, and the pages it lies in."""
        shape, (down, across) = results[0].shape, results[0].factors
        pixels.set("SizeY", str(shape.height))
        pixels.set("SizeX", str(shape.width))
        pixels.attrib.pop("BigEndian", None)
        for name, factor in (("PhysicalSizeY", down), ("PhysicalSizeX", across)):
            if pixels.get(name):
                pixels.set(name, repr(float(pixels.get(name)) / factor))
        name = f"{{{self._space}}}TiffData"
        old = [element for element in pixels if element.tag == name]
        place = list(pixels).index(old[0]) if old else len(pixels)
        for element in old:
            pixels.remove(element)
        pixels.insert(place, ElementTree.Element(name, {"IFD": str(first), "PlaneCount": str(len(results))}))


open_ = OmeTiff


def _planes(series: Any, pixels: Any) -> list[Plane]:
    axes, shape = series.axes, dict(zip(series.axes, series.shape, strict=True))
    last = 3 if "S" in axes else 2
    if axes[-last:] not in ("YX", "YXS", "SYX") or shape.get("S", 3) != 3:
        raise ValueError(f"its axes are {axes}, of {series.shape}; expected planes YX, YXS or SYX, of 3 colours")
    if series.keyframe.photometric == _PALETTE:
        raise ValueError("its colours are a palette, between whose entries there is nothing; convert it first")
    height, width = shape["Y"], shape["X"]
    sizes = [pixels.get(f"PhysicalSize{axis}") for axis in "XY"]
    frame = nowhere(height, width)
    if all(sizes):
        frame = AffineFrame.of((0, 0), (float(sizes[0]), 0), (0, float(sizes[1])))
    array: Any = zarr.open(series.aszarr(level=0), mode="r")
    dtype = np.dtype(series.dtype).newbyteorder("=")
    bits = int(pixels.get("SignificantBits", 0)) if dtype.kind in "ui" else 0
    outer = places(*series.shape[:-last])
    rows = (_rows(array, (height, width), place, axes[-last:]) for place in outer)
    return [Plane(frame, values, dtype, bits=bits or None) for values in rows]


def _rows(array: Any, sides: tuple[int, int], place: tuple[int, ...], axes: str) -> ReadRows:
    """A plane of an array. axes: its last ones, YX, YXS or SYX."""

    def read(rows: slice, columns: slice) -> NDArray[Any]:
        if axes == "SYX":
            return np.asarray(array[(*place, slice(None), rows, columns)]).transpose(1, 2, 0)
        values = np.asarray(array[(*place, rows, columns)])
        return values if axes == "YXS" else values[..., None]

    return ReadRows(*sides, 3 if "S" in axes else 1, read)


class Written(NamedTuple):
    """An image that is written."""

    planes: Sequence[Enlarged]
    levels: int
    is_negative: bool = False
    """Whether 0 is white."""
    profile: bytes | None = None
    """The colours, by ICC."""


def _written(results: Sequence[Enlarged], series: Any) -> Written:
    page = series.keyframe
    return Written(results, len(series.levels), page.photometric == _NEGATIVE, page.iccprofile)


def write(part: Path, text: str, images: Sequence[Written]) -> None:
    """Writes images in tiles, and the OME-XML about them."""
    description: bytes | None = f'<?xml version="1.0" encoding="UTF-8"?>{text}'.encode()
    with tifffile.TiffWriter(part, bigtiff=True, ome=False) as file:
        for image in images:
            for result in image.planes:
                levels = Pyramid(result, image.levels, part.parent)
                gray = "miniswhite" if image.is_negative else "minisblack"
                _write_page(file, levels.arrays, description, gray, image.profile)
                levels.close()
                description = None


def _write_page(
    file: Any, arrays: Sequence[NDArray[Any]], description: bytes | None, gray: str, profile: bytes | None
) -> None:
    """A plane, and its smaller copies in the directories below it."""
    for k, array in enumerate(arrays):
        colours = array.shape[2] == 3
        shape = array.shape if colours else array.shape[:2]
        parts = (part if colours else part[..., 0] for part in tiles(array, _TILE))
        about = {"description": description, "subifds": len(arrays) - 1} if k == 0 else {"subfiletype": 1}
        file.write(
            parts, shape=shape, dtype=array.dtype, tile=(_TILE, _TILE), compression="zlib", metadata=None,
            photometric="rgb" if colours else gray, iccprofile=profile, **about,
        )  # fmt: skip
