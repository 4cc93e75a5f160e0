"""OME-Zarr, by zarr: every plane of the largest level, its scale and translation, and the pyramid rebuilt.

Source: NGFF 0.4 and 0.5, https://ngff.openmicroscopy.org: translation is the place of the first pixel's centre.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.errors import BaseZarrError

from subpixel.domains.frames import AffineFrame, Grid
from subpixel.domains.planes import Plane
from subpixel.domains.pyramid import Pyramid
from subpixel.domains.source import Enlarge, places
from subpixel.domains.values import ReadRows
from subpixel.errors import UnreadableImage

_OF_ZARR = {".zgroup", ".zattrs", ".zmetadata", "zarr.json"}
_REDUCED = {"type", "metadata"}  # of a multiscale image: the method, and the function with its arguments
FAULTS = (BaseZarrError, OSError, ValueError, TypeError, KeyError, IndexError)


class OmeZarr:
    """An opened OME-Zarr image."""

    def __init__(self, path: Path) -> None:
        self._group: Any = zarr.open_group(str(path), mode="r")
        self._attributes: dict[str, Any] = copy.deepcopy(dict(self._group.attrs))
        self._ome: dict[str, Any] = self._attributes.get("ome", self._attributes)
        self._refuse(path)
        (self._scales,) = self._ome["multiscales"]
        self._array = self._group[self._scales["datasets"][0]["path"]]
        self._old = copy.deepcopy(self._scales)
        self._scale, self._shift = _transform(self._scales["datasets"][0], self._array.ndim)
        down, across = self._scale[-2:]
        y, x = self._shift[-2:]
        frame = AffineFrame.of((x - across / 2, y - down / 2), (across, 0), (0, down))
        about: Any = {"dtype": np.dtype(self._array.dtype).newbyteorder("="), "labels": "image-label" in self._ome}
        self.planes = [Plane(frame, self._rows(place), **about) for place in places(*self._array.shape[:-2])]
        self._path = path

    def _refuse(self, path: Path) -> None:
        if {"plate", "well", "bioformats2raw.layout"} & {*self._attributes, *self._ome}:
            why = f"it holds several images; name the one you want, such as {path / 'A/1/0'} or {path / '0'}"
            raise UnreadableImage(path, why)
        scales = self._ome.get("multiscales") or []
        if len(scales) != 1 or not scales[0].get("datasets"):
            raise UnreadableImage(path, f"it has {len(scales)} multiscale images; expected one")
        if "labels" in self._group:
            raise UnreadableImage(path, "it has label images, which would no longer fit; take them out first")
        names = [axis["name"] for axis in scales[0].get("axes", [])]
        if names[-2:] != ["y", "x"]:
            raise UnreadableImage(path, f"its axes are {', '.join(map(str, names)) or 'not named'}; expected ..., y, x")

    def _rows(self, place: tuple[int, ...]) -> ReadRows:
        array = self._array

        def read(rows: slice, columns: slice) -> NDArray[Any]:
            return np.asarray(array[(*place, rows, columns)])[..., None]

        height, width = array.shape[-2:]
        return ReadRows(height, width, 1, read)

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        first = enlarge(self.planes[0])
        group: Any = zarr.open_group(str(part), mode="w", zarr_format=self._group.metadata.zarr_format)
        arrays = [
            self._level(group, data["path"], first.shape.height >> k, first.shape.width >> k)
            for k, data in enumerate(self._scales["datasets"])
            if min(first.shape.height, first.shape.width) >> k
        ]
        self._describe(first.grid, len(arrays))
        group.attrs.update(self._attributes)
        for place, plane in zip(places(*self._array.shape[:-2]), self.planes, strict=True):
            levels = Pyramid(first if plane is self.planes[0] else enlarge(plane), len(arrays), part.parent)
            for array, values in zip(arrays, levels.arrays, strict=True):
                step = max(1, array.chunks[-2])
                for y in range(0, len(values), step):
                    array[(*place, slice(y, y + step))] = values[y : y + step, :, 0]
            levels.close()
        lost = self._left_out()
        return [f"left out: {', '.join(lost)}"] if lost else []

    def _left_out(self) -> list[str]:
        """What lies in the folder beside the image, and what its arrays say of themselves."""
        own = {str(data["path"]).partition("/")[0] for data in self._old["datasets"]}
        others = sorted(entry.name for entry in self._path.iterdir() if entry.name not in {*own, *_OF_ZARR})
        arrays = (self._group[data["path"]] for data in self._old["datasets"])
        others += ["how its levels were reduced"] if _REDUCED & self._old.keys() else []
        return others + (["attributes of arrays"] if any(dict(array.attrs) for array in arrays) else [])

    def _level(self, group: Any, name: str, height: int, width: int) -> Any:
        source, shape = self._array, (*self._array.shape[:-2], height, width)
        chunks = tuple(min(chunk, side) for chunk, side in zip(source.chunks, shape, strict=True))
        about: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        if group.metadata.zarr_format == 3:
            about = {"dimension_names": source.metadata.dimension_names}
        return group.create_array(
            name, shape=shape, dtype=source.dtype, chunks=chunks, fill_value=source.fill_value, **about
        )

    def _describe(self, grid: Grid, count: int) -> None:
        """Scale and translation of each level; all else of the file stays, but for how its levels had been reduced."""
        del self._scales["datasets"][count:]
        for name in _REDUCED:
            self._scales.pop(name, None)
        outer = [0.0] * (self._array.ndim - 2)
        by, begin = np.array([*np.add(outer, 1), *grid.factors]), np.array([*outer, grid.window.y, grid.window.x])
        for k, data in enumerate(self._scales["datasets"]):
            own = np.array([1.0] * (self._array.ndim - 2) + [2.0**k] * 2)
            scale = self._scale / by * own
            shift = self._shift + self._scale * (begin + (1 / by - 1) / 2) + self._scale / by * (own - 1) / 2
            data["coordinateTransformations"] = [
                {"type": "scale", "scale": scale.tolist()},
                {"type": "translation", "translation": shift.tolist()},
            ]

    def close(self) -> None:
        pass


open_ = OmeZarr


def _transform(data: dict[str, Any], dimensions: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scale and translation of a level. Raises: ValueError for other transformations."""
    scale, shift = np.ones(dimensions), np.zeros(dimensions)
    for each in data.get("coordinateTransformations", []):
        if each["type"] == "scale" and "scale" in each:
            scale = np.array(each["scale"], float)
        elif each["type"] == "translation" and "translation" in each:
            shift = np.array(each["translation"], float)
        elif each["type"] != "identity":
            raise ValueError(f"its coordinates are a transformation {each['type']!r}, which is not known")
    return scale, shift
