"""Slides of pathology, by tiffslide: the largest level becomes an OME-TIFF with the pyramid rebuilt."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast
from xml.sax.saxutils import quoteattr

import numpy as np
import tiffslide
from numpy.typing import NDArray

from subpixel.domains import ome_tiff
from subpixel.domains.frames import AffineFrame, nowhere
from subpixel.domains.planes import Plane
from subpixel.domains.source import Enlarge, Source
from subpixel.domains.tiff_tags import untold
from subpixel.domains.values import ReadRows

FAULTS = (tiffslide.TiffFileError, *ome_tiff.FAULTS)
_SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"
_KEPT = {"tiffslide.mpp-x", "tiffslide.mpp-y"}


class Slide:
    """An opened slide."""

    def __init__(self, path: Path) -> None:
        self._path, self._slide = path, cast(Any, tiffslide.TiffSlide(path))
        slide = self._slide
        self.close = slide.close
        self._name = path.stem
        self._sizes = [slide.properties.get(f"tiffslide.mpp-{axis}") for axis in "xy"]
        width, height = slide.dimensions
        frame = nowhere(height, width)
        x, y = self._sizes
        if x and y:
            frame = AffineFrame.of((0, 0), (float(x), 0), (0, float(y)))

        def read(rows: slice, columns: slice) -> NDArray[Any]:
            size = columns.stop - columns.start, rows.stop - rows.start
            return np.asarray(slide.read_region((columns.start, rows.start), 0, size, as_array=True))[..., :3]

        self.planes = [Plane(frame, ReadRows(height, width, 3, read), np.dtype(np.uint8))]

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        result = enlarge(self.planes[0])
        down, across = result.factors
        sizes = zip("XY", self._sizes, (across, down), strict=True)
        stated = " ".join(f'PhysicalSize{axis}="{float(size) / by!r}"' for axis, size, by in sizes if size)
        text = (
            f'<OME xmlns="{_SPACE}"><Image ID="Image:0" Name={quoteattr(self._name)}><Pixels ID="Pixels:0" '
            f'DimensionOrder="XYCZT" Type="uint8" SizeX="{result.shape.width}" SizeY="{result.shape.height}" SizeC="3" '
            f'SizeZ="1" SizeT="1" {stated}><Channel ID="Channel:0:0" SamplesPerPixel="3"/>'
            f'<TiffData IFD="0" PlaneCount="1"/></Pixels></Image></OME>'
        )
        ome_tiff.write(part, text, [ome_tiff.Written([result], self._slide.level_count)])
        lost = sorted(
            {key.partition(".")[0] for key, value in self._slide.properties.items() if value is not None}
            - {"tiffslide"}
        )
        extra = sorted({*self._slide.associated_images, *untold(self._path, part)})
        return [f"left out: {', '.join([f'properties of {name}' for name in lost] + extra)}"] if lost or extra else []


def open_(path: Path) -> Source:
    """A slide, or the OME-TIFF that one became."""
    return ome_tiff.OmeTiff(path) if path.name.endswith((".ome.tif", ".ome.tiff")) else Slide(path)
