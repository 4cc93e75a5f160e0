"""GeoTIFF and COG, by rasterio: transform, reference system, ground control points, RPC, masks, tags, overviews."""

from __future__ import annotations

import re
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Literal

import numpy as np
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window

from subpixel.domains import geotiff_places as places
from subpixel.domains.frames import Factors, Grid
from subpixel.domains.planes import Plane
from subpixel.domains.source import Enlarge, bands
from subpixel.domains.tiff_tags import has_multiplied_alpha, untold
from subpixel.domains.values import ReadRows
from subpixel.errors import BadRequest, UnreadableImage, UnwritableImage
from subpixel.inference.window import Window as Part
from subpixel.ports import Shape

FAULTS = (RasterioError, ValueError, TypeError)
_CACHE = 64 * 2**20
"""Bytes of blocks that GDAL keeps."""
_BLOCK = 256
_MOST_BANDS = 4096
_LOSSLESS = {"deflate", "lzw", "zstd", "lzma", "packbits"}
_STALE = re.compile(r"STATISTICS_|TIFFTAG_(X|Y)RESOLUTION|TIFFTAG_M(IN|AX)SAMPLEVALUE|OVR_RESAMPLING_ALG|LAYOUT")
_RGB = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]
_OF_BANDS = ("colorinterp", "descriptions", "units", "scales", "offsets")
_WRITTEN = {"IMAGE_STRUCTURE", "RPC", "DERIVED_SUBDATASETS", "COLOR_PROFILE", "TIFF"}
"""Namespaces of tags that the file's structure states, or this module writes otherwise."""


class GeoTiff:
    """An opened GeoTIFF. bands: those that are taken, counted from 1; none: all. channels: of the network."""

    def __init__(self, path: Path, bands: Sequence[int] = (), channels: int = 3) -> None:
        with ExitStack() as stack:
            stack.enter_context(rasterio.Env(GDAL_CACHEMAX=_CACHE, GDAL_TIFF_INTERNAL_MASK=True))
            self._file = file = stack.enter_context(_opened(path, driver="GTiff"))
            self._bands = list(bands or range(1, file.count + 1))
            self._refuse(path)
            self.close = stack.pop_all().close
        self._classes = _classes(_sidecar(path))
        self._is_placed = not file.transform.is_identity or places.states_transform(path)
        self._frame = places.frame_of(file, self._is_placed)
        self._indexes = _groups(file, self._bands, channels)
        self.planes = [self._plane(group) for group in self._indexes]

    def _refuse(self, path: Path) -> None:
        file = self._file
        if file.count > _MOST_BANDS:
            raise UnreadableImage(path, f"it claims {file.count:,} bands, more than {_MOST_BANDS:,}")
        if not set(self._bands) <= set(range(1, file.count + 1)) or len(set(self._bands)) < len(self._bands):
            raise BadRequest(f"bands {', '.join(map(str, self._bands))}; expected some of 1 to {file.count}, each once")
        if file.subdatasets:
            why = f"it has {len(file.subdatasets)} pages; save the one you want as its own file"
            raise UnreadableImage(path, why)
        if file.tags(ns="GEOLOCATION"):
            raise UnreadableImage(path, "its places are arrays of coordinates; warp it to a grid first")
        missing = {repr(file.nodatavals[band - 1]) for band in self._bands}
        if len(missing) > 1:
            why = f"its bands have different numbers for what is missing: {', '.join(sorted(missing))}"
            raise UnreadableImage(path, f"{why}; a file can state one: take bands that agree with --bands")
        if len(set(file.dtypes)) > 1:
            raise UnreadableImage(path, f"its bands have different types: {', '.join(sorted(set(file.dtypes)))}")

    def _plane(self, indexes: Sequence[int]) -> Plane:
        file, first = self._file, indexes[0]

        def read(rows: slice, columns: slice) -> NDArray[Any]:
            return file.read(indexes, window=Window.from_slices(rows, columns)).transpose(1, 2, 0)

        def mask(rows: slice, columns: slice) -> NDArray[Any]:
            window = Window.from_slices(rows, columns)
            return (file.read_masks(indexes, window=window) > 0).all(0)[..., None]

        labels, nodata = first in self._classes or _is_label(file, first), file.nodatavals[first - 1]
        masked = any(MaskFlags.all_valid not in file.mask_flag_enums[i - 1] for i in indexes) and not labels
        return Plane(
            self._frame,
            ReadRows(file.height, file.width, len(indexes), read),
            np.dtype(file.dtypes[first - 1]),
            ReadRows(file.height, file.width, 1, mask) if masked else None,
            labels=labels,
            nodata=None if nodata is None else (nodata, nodata),
            bits=_bits(file, first),
            name=f"band {', '.join(map(str, indexes))}",
        )

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        source, results = self._file, [enlarge(plane) for plane in self.planes]
        shape, grid = results[0].shape, results[0].grid
        is_cog = source.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG"
        striped = part.with_name("plain.tif") if is_cog else part
        with _opened(striped, "w", **self._profile(shape, grid)) as file:
            _describe(source, file, grid, self._bands)
            for indexes, result in zip(self._indexes, results, strict=True):
                own = [self._bands.index(band) + 1 for band in indexes]
                for y, values in bands(result, _BLOCK):
                    file.write(values.transpose(2, 0, 1), own, window=_rows(file, y, len(values)))
            if MaskFlags.per_dataset in source.mask_flag_enums[0] and MaskFlags.alpha not in source.mask_flag_enums[0]:
                _write_mask(source, file, grid.window)
        levels = [level for level in source.overviews(1) if level < min(grid.height, grid.width)]
        labels = any(plane.labels for plane in self.planes)
        self._finish(striped, part, levels, Resampling.nearest if labels else Resampling.average, is_cog)
        for path in part.parent.iterdir():  # GDAL writes into other files what a TIFF has no room for
            if path != part:
                path.unlink()
        with _opened(part) as file:
            places.check_models(source, file, grid)
            if source.crs and not file.crs:
                raise UnwritableImage(source.name, "its reference system has no room in a GeoTIFF; warp it first")
        return _lost(source, part, self._bands)

    def _profile(self, shape: Shape, grid: Grid) -> dict[str, Any]:
        source, given = self._file, self._file.profile
        compress = str(given.get("compress", "")).lower()
        lossless = compress if compress in _LOSSLESS else "deflate" if compress not in ("", "none") else None
        profile: dict[str, Any] = {
            "driver": "GTiff", "height": shape.height, "width": shape.width, "count": len(self._bands),
            "dtype": source.dtypes[0],
            "nodata": source.nodatavals[self._bands[0] - 1],
            "crs": source.crs, "BIGTIFF": "IF_SAFER", "interleave": "band", "tiled": True,
            "blockxsize": _BLOCK, "blockysize": _BLOCK,
        }  # fmt: skip
        stated: dict[str, Any] = {
            "transform": places.scaled(source.transform, grid) if self._is_placed and not source.gcps[0] else None,
            "compress": lossless, "NBITS": _bits(source, 1),
            "photometric": "MINISWHITE" if _is_negative(source) else None,
            "ALPHA": "PREMULTIPLIED" if has_multiplied_alpha(Path(source.name)) else None,
            "SOURCE_ICC_PROFILE": source.tags(ns="COLOR_PROFILE").get("SOURCE_ICC_PROFILE"),
        }  # fmt: skip
        return profile | {key: value for key, value in stated.items() if value}

    def _finish(self, striped: Path, part: Path, levels: list[int], by: Resampling, is_cog: bool) -> None:
        """The overviews, and the order of a cloud-optimised file."""
        if is_cog:
            name = by.name.upper()
            rasterio.shutil.copy(striped, part, driver="COG", compress="DEFLATE", bigtiff="IF_SAFER", resampling=name)
            striped.unlink()
        elif levels:
            with _opened(part, "r+") as file:
                file.build_overviews(levels, by)


open_ = GeoTiff


def _opened(path: Path, mode: Literal["r", "r+", "w"] = "r", **profile: Any) -> Any:
    """A file without a place is no fault of anybody, and not warned of."""
    with warnings.catch_warnings(action="ignore", category=NotGeoreferencedWarning):
        return rasterio.open(path, mode, **profile)


def _rows(file: Any, y: int, count: int) -> Any:
    return Window(0, y, file.width, count)  # pyright: ignore[reportCallIssue]


def _is_label(file: Any, index: int) -> bool:
    """Bands of classes: those with a palette, of one bit, and alpha."""
    kind = file.colorinterp[index - 1]
    palette = kind == ColorInterp.palette and not _is_negative(file)
    return palette or kind == ColorInterp.alpha or _bits(file, index) == 1


def _is_negative(file: Any) -> bool:
    """Whether 0 is white, of which GDAL makes a palette."""
    return file.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"


def _bits(file: Any, index: int) -> int | None:
    """Those of a number, where the file keeps fewer than its type has."""
    bits = file.tags(index, ns="IMAGE_STRUCTURE").get("NBITS")
    return int(bits) if bits else None


def _groups(file: Any, bands: list[int], channels: int) -> list[list[int]]:
    """Bands that are enlarged together: as many as a network of several takes, or red, green and blue; else alone."""
    if len(bands) == channels and channels != 3 and not any(_is_label(file, band) for band in bands):
        return [bands]
    kinds, groups, index = list(_of(file, "colorinterp", bands)), list[list[int]](), 0
    while index < len(bands):
        size = 3 if kinds[index : index + 3] == _RGB else 1
        groups.append(bands[index : index + size])
        index += size
    return groups


def _of(source: Any, what: str, bands: list[int]) -> tuple[Any, ...]:
    values = getattr(source, what)  # of all bands, made anew each time
    return tuple(values[band - 1] for band in bands)


def _said(file: Any, what: str, bands: list[int] | None = None) -> str:
    """What is said of some bands, or all; a first one of no colour is gray in a file of its own."""
    said = _of(file, what, bands or list(range(1, file.count + 1)))
    return repr([ColorInterp.gray if each is ColorInterp.undefined else each for each in said])


def _of_bands(source: Any) -> tuple[str, ...]:
    """What is said of each band; that 0 is white is said of the file."""
    return _OF_BANDS[1:] if _is_negative(source) else _OF_BANDS


def _describe(source: Any, file: Any, grid: Grid, bands: list[int]) -> None:
    """Everything that is said of the image and its bands, made true."""
    for what in _of_bands(source):
        setattr(file, what, _of(source, what, bands))
    _write_tags(source, file, grid.factors, bands)
    for index, band in enumerate(bands, 1):
        if source.colorinterp[band - 1] == ColorInterp.palette and not _is_negative(source):
            file.write_colormap(index, source.colormap(band))
    points, system = source.gcps
    if points:
        file.gcps = [places.moved(point, grid) for point in points], system or CRS()
    if source.rpcs:
        file.rpcs = places.scaled_rpc(source.rpcs, grid)


def _write_tags(source: Any, file: Any, factors: Factors, bands: list[int]) -> None:
    for index, band in enumerate([0, *bands]):
        for space in {None, *source.tag_namespaces(band)} - _WRITTEN:
            tags = source.tags(band, ns=space) if space else source.tags(band)
            kept = {key: value for key, value in tags.items() if not _STALE.match(key)}
            if space and space.startswith("xml:"):  # rasterio writes "key=value", and GDAL wants the document alone
                kept = dict(value.split("=", 1) for value in kept.values() if "=" in value)
            if space is None and index == 0:
                kept |= _resolution(tags, factors)
            if kept:
                file.update_tags(index, ns=space, **kept) if space else file.update_tags(index, **kept)


def _resolution(tags: dict[str, str], factors: Factors) -> dict[str, str]:
    resolutions = zip(("TIFFTAG_YRESOLUTION", "TIFFTAG_XRESOLUTION"), factors, strict=True)
    return {key: repr(float(tags[key].split()[0]) * factor) for key, factor in resolutions if key in tags}


def _write_mask(source: Any, file: Any, part: Part) -> None:
    pairs = ((file.height, part.height, part.y), (file.width, part.width, part.x))
    down, across = (first + (2 * np.arange(n) + 1) * m // (2 * n) for n, m, first in pairs)
    for y in range(0, file.height, _BLOCK):
        rows = down[y : y + _BLOCK]
        first, last = int(rows[0]), int(rows[-1]) + 1
        mask = source.read_masks(1, window=_rows(source, first, last - first))
        file.write_mask(mask[rows - first][:, across], window=_rows(file, y, len(rows)))


def _sidecar(path: Path) -> ElementTree.Element | None:
    """What GDAL's file beside an image says."""
    with suppress(OSError, ElementTree.ParseError):
        return ElementTree.parse(f"{path}.aux.xml").getroot()
    return None


def _classes(sidecar: ElementTree.Element | None) -> set[int]:
    """The bands whose numbers are names of classes."""
    every = sidecar.iter("PAMRasterBand") if sidecar is not None else []
    thematic = "GDALRasterAttributeTable[@tableType='thematic']"
    return {int(b.get("band", 0)) for b in every if b.find("CategoryNames") is not None or b.find(thematic) is not None}


def _lost(source: Any, part: Path, bands: list[int]) -> list[str]:
    """What the result does not say though its source did, by reading it again."""
    with _opened(part) as file:
        missing = set[str]()
        for index, band in enumerate([0, *bands]):
            for space in {None, *source.tag_namespaces(band)} - _WRITTEN:
                before = source.tags(band, ns=space) if space else source.tags(band)
                after = file.tags(index, ns=space) if space else file.tags(index)
                changed = {key for key in before if after.get(key) != before[key] and not _STALE.match(key)}
                missing |= {(space or key).removeprefix("xml:") for key in changed}
        missing |= {"crs"} if repr(source.crs) != repr(file.crs) else set()
        missing |= {"nodata"} if repr(_of(source, "nodatavals", bands)) != repr(file.nodatavals) else set()
        missing |= {what for what in _of_bands(source) if _said(source, what, bands) != _said(file, what)}
    missing |= untold(Path(source.name), part)
    sidecar = _sidecar(Path(source.name))
    tables = {"CategoryNames": "category names", "GDALRasterAttributeTable": "a raster attribute table"}
    missing |= {name for tag, name in tables.items() if sidecar is not None and sidecar.find(f".//{tag}") is not None}
    notes = [f"left out: {', '.join(sorted(missing))}"] if missing else []
    lossy = str(source.profile.get("compress", "")).lower()
    colours = source.tags(ns="IMAGE_STRUCTURE").get("SOURCE_COLOR_SPACE", "YCbCr")
    notes += [f"{colours} became RGB"] if colours != "YCbCr" else []  # GDAL reads them as such
    return notes + ([f"{lossy} became deflate"] if lossy and lossy not in _LOSSLESS else [])
