"""FITS, by astropy: every image of a file with its world coordinates, flux kept, tables as they are."""

from __future__ import annotations

import gzip
import math
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from astropy import units
from astropy.io import fits
from astropy.utils.exceptions import AstropyWarning
from astropy.wcs import WCS
from numpy.typing import NDArray

from subpixel.domains.fits_header import scaled_header
from subpixel.domains.frames import Frame, Points, nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.source import Enlarge, bands, places
from subpixel.domains.values import ReadRows
from subpixel.errors import UnreadableImage

FAULTS = (OSError, ValueError, TypeError, KeyError, IndexError, EOFError, fits.VerifyError)
_BLOCK = 2880
_PLATE = re.compile(r"AMD[XY]\d+|PPO\d+|PLTRAH$|PLT(SCALE|LABEL)")
_LOOKUP = re.compile(r"(CPDIS|CQDIS|D2IMDIS|DP|DQ|D2IM)\d")
_STALE = ("CHECKSUM", "DATASUM", "DATAMIN", "DATAMAX", "BSCALE", "BZERO", "BLANK", "ZHECKSUM", "ZDATASUM")
_PER_AREA = ("arcsec", "arcmin", "deg", "sr", "beam", "rad")
_COUNTED = {
    "adu", "dn", "count", "ct", "counts", "electron", "electrons", "photon", "photons", "ph", "e-", "e",
    "maggy", "maggies", "mgy", "nmgy", "nanomaggy", "nanomaggies",
}  # fmt: skip
_FLUXES = {"erg", "ergs", "flam", "fnu", "cps", "jy", "mjy", "ujy", "njy", "jansky"}
"""Energies and flux densities, in the words of archives that no standard has."""
_MAGNITUDES = re.compile(r"\w*mag(s|nitudes?)?")
_PIXEL = ("pix", "spaxel")
_CLASSES = re.compile(
    r"(\w*(DQ|MASK|FLAGS?|QUALITY|BPM|BADPIX(ELS?)?)|CTX|CON(TEXT)?|SEG(M(AP|ENTATION)?|MAP|MENTATION)?|LABELS?)(_?\d+)?$"
)
"""Names of extensions whose whole numbers are flags or classes, by the archives and libraries that write them."""
_KEPT = re.compile(
    r"(WHT|WGTS?|WEIGHTS?|I?VAR(_[A-Z]+)?|INVVAR|VARIANCE|EXP(OSURE|MAP)?|EXPTIME|TIME|COVERAGE|N?SAMP(LES)?|AREA"
    r"|WAVE(LENGTH)?|LAMBDA|RA|DEC)(_?\d+)?$"
)
"""Names of extensions that say how well each pixel is known, or where it lies: no flux, whose numbers are shared."""
_PLACED = ("CRPIX1", "CTYPE1", "CRVAL1", "CD1_1", "CDELT1")
"""Keywords of a header that says where its image lies."""
_CONSTANT = ("NPIX1", "NPIX2", "PIXVALUE")
"""An image of one number, by Hubble's archive: its sides, and the number."""
RIM = "RIM"
"""The extension in which pixels are flagged that saw filled values."""


class WcsFrame:
    """Celestial or linear coordinates of the first two axes, at the first place on all others."""

    precision, placed = 0.0, True

    def __init__(self, wcs: WCS) -> None:
        self._wcs = wcs

    def world(self, points: Points) -> Points:
        rest = np.ones((len(points), self._wcs.naxis - 2))
        return np.asarray(self._wcs.all_pix2world(np.hstack([points + 0.5, rest]), 1))

    def pixel(self, coordinates: Points) -> Points:
        pixels = np.asarray(self._wcs.all_world2pix(coordinates, 1, tolerance=1e-9, maxiter=60))
        return pixels[:, :2] - 0.5


class Fits:
    """An opened FITS file."""

    def __init__(self, path: Path) -> None:
        with _quiet(), ExitStack() as stack:
            self._hdus: Any = stack.enter_context(fits.open(path, memmap=False, lazy_load_hdus=False))
            self._raw = stack.enter_context(_bytes(path, "rb"))
            self._groups = list(self._opened(path))
            self.close = stack.pop_all().close
        self.planes = [plane for _, planes in self._groups for plane in planes]

    def _opened(self, path: Path) -> Iterator[tuple[Any, list[Plane]]]:
        """Each part of the file, with the planes of those that are images."""
        for hdu in self._hdus:
            is_image = isinstance(hdu, (fits.PrimaryHDU, fits.ImageHDU, fits.CompImageHDU)) and len(hdu.shape) > 1
            if isinstance(hdu, fits.GroupsHDU):
                raise UnreadableImage(path, "it holds random groups, which are no image")
            skipped = not is_image or hdu.name == RIM or 0 in hdu.shape
            inherits = hdu.header.get("INHERIT") is True and not _is_placed(hdu.header)
            if not skipped and inherits and _is_placed(self._hdus[0].header):
                why = f"{hdu.name or 'an image'} inherits where it lies from the first header; write it into its own"
                raise UnreadableImage(path, why)
            yield hdu, [] if skipped else _planes(path, hdu)

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        notes, results = list[str](), list[Enlarged]()
        with _bytes(part, "wb") as file, _quiet():
            for number, (hdu, planes) in enumerate(self._groups):
                if planes:
                    results = [enlarge(plane) for plane in planes]
                    notes += _write(file, hdu, number, results)
                elif results and {*_CONSTANT} <= set(hdu.header):
                    file.write(_constant(hdu, results[0]).tostring().encode("ascii"))
                elif hdu.name != RIM:
                    self._copy(file, number)
        tables = sum(isinstance(hdu, fits.BinTableHDU) and not planes for hdu, planes in self._groups)
        notes += [f"{tables} tables are copied as they are"] if tables else []
        return notes + (["left out: what lies behind its last part"] if self._has_more() else [])

    def _copy(self, file: Any, number: int) -> None:
        """A part of the file that is no image, byte for byte."""
        about: Any = self._hdus.fileinfo(number)
        self._raw.seek(about["hdrLoc"])
        file.write(self._raw.read(about["datLoc"] + about["datSpan"] - about["hdrLoc"]))

    def _has_more(self) -> bool:
        """Whether the file goes on behind its last part."""
        about: Any = self._hdus.fileinfo(len(self._groups) - 1)
        self._raw.seek(about["datLoc"] + about["datSpan"])
        return bool(self._raw.read(_BLOCK).strip(b"\0 "))


open_ = Fits


def _bytes(path: Path, mode: Literal["rb", "wb"]) -> Any:
    return gzip.open(path, mode) if path.suffix.lower() == ".gz" else path.open(mode)


def _quiet() -> Any:
    """Headers that are no full standard are read as well as they can be."""
    return warnings.catch_warnings(action="ignore", category=AstropyWarning)


def _planes(path: Path, hdu: Any) -> list[Plane]:
    header, shape = hdu.header, hdu.shape
    stored = _stored(path, hdu)
    labels = stored.kind in "ui" and _CLASSES.match(hdu.name.upper()) is not None
    _refuse(path, header, labels)
    frame = _frame(path, header, *shape[-2:])
    about: dict[str, Any] = {"law": "asinh", "counts": _is_counted(hdu)}
    about = {"dtype": stored, "labels": True} if labels else about | {"dtype": _dtype(hdu)}
    blank = None if labels or stored.kind != "u" else header.get("BLANK")  # of signed numbers astropy makes NaN
    rows = [(place, _rows(hdu, place, blank)) for place in places(*shape[:-2])]
    return [Plane(frame, values, name=f"{hdu.name}{list(place)}", **about) for place, values in rows]


def _stored(path: Path, hdu: Any) -> np.dtype[Any]:
    """The type of its numbers, whole also where FITS has no such type and states an offset."""
    try:
        return hdu.section[(0,) * (len(hdu.shape) - 2) + (slice(0, 1),) * 2].dtype.newbyteorder("=")
    except FAULTS as error:
        raise UnreadableImage(path, f"it is damaged: {error}") from error


def _rows(hdu: Any, place: tuple[int, ...], blank: int | None = None) -> ReadRows:
    """blank: what says in a file of unsigned numbers that nothing was measured, as it is stored."""
    nothing = None if blank is None else blank + int(hdu.header.get("BZERO", 0))

    def read(rows: slice, columns: slice) -> NDArray[Any]:
        values = np.asarray(hdu.section[(*place, rows, columns)])
        values = values.astype(values.dtype.newbyteorder("="), copy=False)[..., None]
        return values if nothing is None else np.where(values == nothing, np.nan, values.astype(np.float64))

    height, width = hdu.shape[-2:]
    return ReadRows(height, width, 1, read)


def _dtype(hdu: Any) -> np.dtype[Any]:
    """Whole numbers become floats, or the flux would be rounded away."""
    return np.dtype("float32" if hdu.header["BITPIX"] in (8, 16, -32) else "float64")


def _refuse(path: Path, header: Any, labels: bool) -> None:
    keyword = next((key for key in header if _PLATE.match(key)), None)
    if keyword:
        raise UnreadableImage(
            path, f"its coordinates are those of a photographic plate ({keyword} ...); fit a WCS first"
        )
    keyword = next((key for key in header if _LOOKUP.match(key)), None)
    if keyword:
        raise UnreadableImage(path, f"its distortions are a table ({keyword}), which cannot be enlarged")
    if any(str(header.get(f"CTYPE{axis}", "")).endswith("-TAB") for axis in (1, 2)):
        raise UnreadableImage(path, "its coordinates are a table (-TAB), which cannot be enlarged")
    if header["BITPIX"] == 64 and not labels:
        raise UnreadableImage(path, "its numbers are whole with 64 bits, which no float holds")


def _frame(path: Path, header: Any, height: int, width: int) -> Frame:
    if not _is_placed(header):
        return nowhere(height, width)
    try:
        wcs = _wcs(header)
        wcs.all_pix2world(np.ones((1, wcs.naxis)), 1)
    except Exception as error:  # wcslib has an error for each kind of fault
        raise UnreadableImage(path, f"its coordinates cannot be read: {' '.join(str(error).split())[:120]}") from error
    return WcsFrame(wcs) if wcs.naxis >= 2 else nowhere(height, width)


def _is_placed(header: Any) -> bool:
    return any(key in header for key in _PLACED)


def _wcs(header: Any) -> WCS:
    with _quiet():
        return WCS(header, fix=False)


def _is_counted(hdu: Any) -> bool:
    """Whether it holds sums over a pixel, which its parts share, by its unit; images that name none hold counts."""
    text = str(hdu.header.get("BUNIT", "")).strip()
    if _KEPT.match(hdu.name.upper()):
        return False
    if not text:
        return True
    words = re.split(r"[^a-zA-Z0-9-]+", text.lower())
    if any(re.fullmatch(rf"{word}\^?\**-?2?s?", each) for word in _PER_AREA for each in words) or _MAGNITUDES.fullmatch(
        words[0]
    ):
        return False
    if (_COUNTED | _FLUXES) & set(words) or any(each in text.lower() for each in _PIXEL):
        return True
    try:
        unit: Any = units.Unit(text)
    except ValueError:
        return False
    fluxes = (units.W, units.Jy, units.W / units.m**2, units.photon / units.s / units.m**2, units.W / units.m**3)
    return any(unit.is_equivalent(flux) for flux in fluxes)


def _write(file: BinaryIO, hdu: Any, number: int, results: list[Enlarged]) -> list[str]:
    """One image, band by band, and after it the flags of what saw filled values."""
    first = results[0]
    header = _header(hdu, number, first)
    file.write(header.tostring().encode("ascii"))
    written = sum(_write_rows(file, result, result.plane) for result in results)
    file.write(b"\0" * (-written % _BLOCK))
    if any(result.tally.rim for result in results):
        _write_rim(file, first, len(results), results)
    if first.plane.labels:
        return [f"the classes of {hdu.name} are copied"]
    flux = "counts are shared among the parts of a pixel" if first.plane.counts else "surface brightness is kept"
    if _KEPT.match(hdu.name.upper()):
        flux = f"the numbers of {hdu.name} are kept"
    named = str(hdu.header.get("BUNIT", "")).strip() or "no unit is named"
    became = [f"whole numbers became {first.plane.dtype.name}"] if hdu.header["BITPIX"] > 0 else []
    return [f"{flux} ({named})", *became]


def _constant(hdu: Any, result: Enlarged) -> Any:
    """The header of an image of one number, as large as the image that it belongs to has become."""
    header = hdu.header.copy()
    header["NPIX1"], header["NPIX2"] = result.shape.width, result.shape.height
    if _is_counted(hdu) and not _CLASSES.match(hdu.name.upper()):
        header["PIXVALUE"] /= math.prod(result.factors)
    return header


def _write_rows(file: BinaryIO, rows: Any, plane: Plane) -> int:
    size = plane.dtype.itemsize
    dtype = ">u1" if plane.dtype == np.uint8 else f">{'f' if plane.dtype.kind == 'f' else 'i'}{size}"
    written = 0
    for _, band in bands(rows):
        values = band[..., 0] - plane.dtype.type(_offset(plane)) if _offset(plane) else band[..., 0]
        written += file.write(values.astype(dtype).tobytes())
    return written


def _offset(plane: Plane) -> int:
    """What is added to numbers that FITS stores with a sign, or without one, where they are otherwise."""
    kind, bits = plane.dtype.kind, 8 * plane.dtype.itemsize
    return 2 ** (bits - 1) if kind == "u" and bits > 8 else -128 if kind == "i" and bits == 8 else 0


def _write_rim(file: BinaryIO, first: Enlarged, count: int, results: list[Enlarged]) -> None:
    shape = first.shape
    flags = fits.ImageHDU(np.zeros((1, 1), np.uint8), name=RIM).header
    flags["NAXIS"], flags["NAXIS1"], flags["NAXIS2"] = 3, shape.width, shape.height
    flags.set("NAXIS3", count, after="NAXIS2")
    flags["COMMENT"] = "1: measured, but near enough to missing pixels to have seen filled values"
    file.write(flags.tostring().encode("ascii"))
    for result in results:
        for y in range(0, shape.height, 256):
            file.write(result.rim(y, min(y + 256, shape.height)).astype(np.uint8).tobytes())
    file.write(b"\0" * (-count * shape.pixels % _BLOCK))


def _header(hdu: Any, number: int, result: Enlarged) -> Any:
    header = scaled_header(hdu.header, result.grid)
    for key in _STALE:
        header.remove(key, ignore_missing=True, remove_all=True)
    bits = 8 * result.plane.dtype.itemsize
    header["BITPIX"] = -bits if result.plane.dtype.kind == "f" else bits
    header["NAXIS1"], header["NAXIS2"] = result.shape.width, result.shape.height
    header["HISTORY"] = f"enlarged by subpixel: {result.plan.describe() if result.plan else 'nearest'}"
    result_hdu = fits.PrimaryHDU(header=header) if number == 0 else fits.ImageHDU(header=header)
    kept = result_hdu.header.copy()
    kept["BITPIX"], kept["NAXIS"] = header["BITPIX"], len(hdu.shape)
    for axis, length in enumerate((result.shape.width, result.shape.height, *hdu.shape[-3::-1]), 1):
        kept.set(f"NAXIS{axis}", length, after=f"NAXIS{axis - 1}" if axis > 1 else "NAXIS")
    if offset := _offset(result.plane):
        kept["BSCALE"], kept["BZERO"] = 1, offset
    return kept
