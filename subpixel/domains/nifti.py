"""NIfTI, by nibabel: slice by slice in the plane of the first two axes, both transforms kept.

A' = A diag(1/S, 1/S, 1, 1), and its origin moves by A (1/S - 1)/2: voxels are counted from their centres.
"""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from subpixel.domains import formats
from subpixel.domains.frames import AffineFrame, Factors, nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.source import Enlarge, bands, places
from subpixel.domains.values import ReadRows
from subpixel.errors import UnreadableImage

FAULTS = (ImageFileError, HeaderDataError, OSError, EOFError, zlib.error, ValueError, TypeError)
_LABELS = (1002, 1005)
"""NIfTI's intent codes for an index into a table of classes, and of NeuroNames."""
_LISTS = (1008, 1009, 2001, 2002)
"""Those of points, triangles, and what is said of nodes of a surface, which lie in a line and not in space."""
_SLICES = ("slice_start", "slice_end", "slice_code", "slice_duration")
_CONNECTIONS = range(3000, 3100)
"""Those of CIFTI, which calls its matrices volumes."""
_START = 1024
"""Bytes that hold the header."""
Array = NDArray[Any]


class Nifti:
    """An opened NIfTI file. The numbers are those that are stored: slope and intercept stay in the header."""

    def __init__(self, path: Path) -> None:
        with _opened(path) as file:
            self._image: Any = _image_of(file)
        image = self._image
        if not bytes(image.header["magic"].item()).startswith(b"n+") or len(image.shape) < 2:
            raise UnreadableImage(path, "it is no NIfTI volume in one file")
        header: Any = image.header
        if int(header["intent_code"]) in _CONNECTIONS:
            raise UnreadableImage(path, "it is CIFTI, a matrix of connections or a list of vertices, and no volume")
        self._dtype = header.get_data_dtype()
        if int(header["intent_code"]) in _LISTS:
            raise UnreadableImage(path, "it is a list of points or of nodes of a surface, and no volume")
        if self._dtype.fields:
            raise UnreadableImage(path, "its voxels are colours, which no slope or window fits; convert it to gray")
        self._labels = int(header["intent_code"]) in _LABELS
        frame = self._frame(header)
        outer = places(*image.shape[:1:-1])
        self.planes = [self._plane(frame, number, place) for number, place in enumerate(outer)]
        self._path, self._file = path, _opened(path)
        self._read_slice: tuple[int, Array] = -1, np.empty(0)

    def _frame(self, header: Any) -> AffineFrame:
        codes = int(header["sform_code"]), int(header["qform_code"])
        if not any(codes):
            return nowhere(*self._image.shape[:2])
        affine = header.get_sform() if codes[0] else header.get_qform()
        origin = affine[:3, 3] - affine[:3, 0] / 2 - affine[:3, 1] / 2
        rounding = np.finfo(np.float32).eps * np.abs(affine).max() * max(self._image.shape[:2])
        step = min(np.linalg.norm(affine[:3, axis]) for axis in (0, 1))
        return AffineFrame(origin, affine[:3, 1], affine[:3, 0], float(rounding / step))

    def _plane(self, frame: AffineFrame, number: int, place: tuple[int, ...]) -> Plane:
        """Rows are the first axis. place: the indices of the other axes, the last one first."""
        height, width = self._image.shape[:2]

        def read(rows: slice, columns: slice) -> Array:
            return np.asarray(self._slice(number)[rows, columns], self._dtype.newbyteorder("="))[..., None]

        values = ReadRows(height, width, 1, read)
        return Plane(frame, values, self._dtype.newbyteorder("="), labels=self._labels, name=f"slice {place[::-1]}")

    def _slice(self, number: int) -> Array:
        """One slice; the last one that was read is held. What is compressed is read from its beginning to its end."""
        if self._read_slice[0] != number:
            sides: tuple[int, int] = self._image.shape[:2]
            size = sides[0] * sides[1] * self._dtype.itemsize
            try:
                self._file.seek(int(self._image.dataobj.offset) + number * size)
                content = self._file.read(size)
            except (OSError, EOFError, zlib.error) as error:
                raise UnreadableImage(self._path, f"it is damaged: {error}") from error
            if len(content) < size:
                raise UnreadableImage(self._path, f"it ends within slice {number + 1}")
            self._read_slice = number, np.frombuffer(content, self._dtype).reshape(sides, order="F")
        return self._read_slice[1]

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        first = enlarge(self.planes[0])
        header: Any = self._header(first)
        with gzip.open(part, "wb", 6) if part.suffix == ".gz" else part.open("wb") as file:
            header.write_to(file)
            file.write(b"\0" * (int(header["vox_offset"]) - file.tell()))
            for plane in self.planes:
                self._write(file, first if plane is self.planes[0] else enlarge(plane))
        return self._notes()

    def _notes(self) -> list[str]:
        header: Any = self._image.header
        notes = [f"{len(header.extensions)} extensions are copied as they are"] if header.extensions else []
        return notes + (["left out: the times of its slices"] if _is_timed(header) else [])

    def _write(self, file: Any, result: Enlarged) -> None:
        """A slice, in Fortran's order: whole, for its rows are the fast axis."""
        whole = np.concatenate([band for _, band in bands(result)])[..., 0]
        file.write(whole.astype(self._dtype).tobytes("F"))

    def _header(self, result: Enlarged) -> Any:
        source: Any = self._image.header
        header, factors, shape = source.copy(), result.factors, self._image.shape
        header.set_data_shape((result.shape.height, result.shape.width, *shape[2:]))
        for name in ("sform", "qform"):
            code = int(source[f"{name}_code"])
            if code:
                affine = _scaled(getattr(source, f"get_{name}")(), factors)
                getattr(header, f"set_{name}")(affine, code)
        sides = header["pixdim"]
        sides[3:] = source["pixdim"][3:]  # which a new shape may set to 1
        for axis, factor in enumerate(factors, 1):
            sides[axis] = source["pixdim"][axis] / factor
        if _is_timed(source):
            for name in _SLICES:
                header[name] = 0
        header.set_slope_inter(
            self._image.dataobj.slope, self._image.dataobj.inter
        )  # its own header has forgotten them
        header["descrip"] = (
            (str(source["descrip"].item().decode("latin-1")) + " enlarged").strip()[:79].encode("latin-1")
        )
        return header

    def close(self) -> None:
        self._file.close()


open_ = Nifti


def _opened(path: Path) -> Any:
    """Its bytes, whatever it is called. (.nii.gz is a compressed .nii.)"""
    with path.open("rb") as file:
        compressed = file.read(2) == formats.GZIP
    return gzip.open(path) if compressed else path.open("rb")


def _image_of(file: Any) -> Any:
    """An image of version 1 or 2 whose voxels are not read."""
    kind = nib.Nifti2Image if nib.Nifti2Header.may_contain_header(file.read(_START)) else nib.Nifti1Image
    file.seek(0)
    return kind.from_stream(file)


def _is_timed(header: Any) -> bool:
    """Whether it says when slices were taken that lie across the plane which is enlarged."""
    return header.get_dim_info()[2] in (0, 1) and any(header[name] for name in _SLICES)


def _scaled(affine: Array, factors: Factors) -> Array:
    """factors: of the first and the second axis."""
    shift = np.array([(1 / factors[0] - 1) / 2, (1 / factors[1] - 1) / 2, 0, 1])
    scaled = affine @ np.diag([1 / factors[0], 1 / factors[1], 1, 1])
    scaled[:, 3] = affine @ shift
    return scaled
