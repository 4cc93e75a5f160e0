"""DICOM, by pydicom: spacing and position of every frame, new identities, and where the result comes from."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from subpixel import archs
from subpixel.domains import dicom_places as places
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.source import Enlarge
from subpixel.domains.values import ReadRows
from subpixel.errors import BadRequest, UnreadableImage

FAULTS = (InvalidDicomError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError)
WARNING = "not for diagnosis"
_REFUSED = {"SEG": "a segmentation", "PR": "a presentation state", "SR": "a report", "SM": "tiles of a slide"}
_STALE = (
    "IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries", "PixelDataProviderURL",
)  # fmt: skip
_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
_DEFERRED = 2**16
"""Bytes of an element from which on it is read when it is asked for."""
_SIGNATURES = ("DigitalSignaturesSequence", "MACParametersSequence")
_SIDE = 2**16 - 1
"""Rows and columns that DICOM can count."""
_COLOURS = ("MONOCHROME1", "MONOCHROME2", "RGB", "YBR_")


class Dicom:
    """An opened DICOM file."""

    def __init__(self, path: Path) -> None:
        with _quiet():
            self._data = pydicom.dcmread(path, defer_size=_DEFERRED)
            _refuse(path, self._data)
        self._path, self._decoded = path, (-1, np.empty(0))
        frames = int(self._data.get("NumberOfFrames", 1) or 1)
        dtype = self._frame(0).dtype
        self.planes = [self._plane(number, dtype) for number in range(frames)]

    def _plane(self, number: int, dtype: np.dtype[Any]) -> Plane:
        data, padding = self._data, _padding(self._data)
        height, width, channels = data.Rows, data.Columns, data.SamplesPerPixel

        def measured(*part: slice) -> NDArray[Any]:
            frame, (first, last) = self._frame(number)[part], padding or (0, 0)
            return (frame < first) | (frame > last)

        return Plane(
            places.frame_of(data, number),
            ReadRows(height, width, channels, lambda *part: self._frame(number)[part]),
            dtype,
            ReadRows(height, width, 1, measured) if padding else None,
            nodata=padding,
            bits=int(data.BitsStored),
            name=f"frame {number + 1}",
        )

    def _frame(self, number: int) -> NDArray[Any]:
        """One frame, H W C, in the numbers of the file; the last one that was decoded is held."""
        if self._decoded[0] != number:
            self._decoded = number, self._decode(number)
        return self._decoded[1]

    def _decode(self, number: int) -> NDArray[Any]:
        data = self._data
        try:
            with _quiet():
                frame = pixel_array(self._path, index=number)
            return frame.reshape(data.Rows, data.Columns, data.SamplesPerPixel)
        except (RuntimeError, AttributeError, ValueError, TypeError, KeyError) as error:  # of pydicom's decoders
            raise UnreadableImage(
                self._path, f"its pixels cannot be decoded: {' '.join(str(error).split())[:160]}"
            ) from error

    def create(self, part: Path, enlarge: Enlarge) -> list[str]:
        first = enlarge(self.planes[0])
        if max(first.shape.height, first.shape.width) > _SIDE:
            size = f"{first.shape.width} x {first.shape.height} pixels"
            raise BadRequest(f"it would have {size}; DICOM holds {_SIDE:,} in a row or column")
        _no_invention(first)
        with _quiet(), part.with_name("pixels").open("w+b") as pixels:
            for number, plane in enumerate(self.planes):
                result = enlarge(plane) if number else first
                pixels.write(_little_endian(result.rows(0, result.shape.height)).tobytes())
            pixels.write(b"\0" * (pixels.tell() % 2))
            pixels.seek(0)
            data, lost = _described(self._data, first)
            data.PixelData = pixels
            data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
            data["PixelData"].is_undefined_length = False
            data.save_as(part, enforce_file_format=True)
        return [WARNING, *([f"left out: {', '.join(lost)}"] if lost else [])]

    def close(self) -> None:
        pass


open_ = Dicom


def _quiet() -> Any:
    """pydicom warns of values that are no full standard; they are kept as they are."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _refuse(path: Path, data: Dataset) -> None:
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableImage(path, "it is DICOM without an image")
    kind, why = str(data.get("Modality", "")), _why_no_numbers(data)
    syntax = data.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian)
    if kind in _REFUSED:
        why = f"it is {_REFUSED[kind]}, which is not enlarged"
    elif syntax == DeflatedExplicitVRLittleEndian:
        why = "it is compressed as a whole (deflated); convert it to explicit little endian first"
    elif not syntax.is_little_endian:
        why = "its bytes are in big-endian order, which DICOM has given up; convert it first"
    elif "file_meta" not in data.__dict__ or "SOPInstanceUID" not in data:
        why = "it lacks what names it (SOPInstanceUID)"
    if why:
        raise UnreadableImage(path, why)


def _why_no_numbers(data: Dataset) -> str:
    """Why its pixels are nothing that can be enlarged; empty where they are."""
    colours, bits = str(data.get("PhotometricInterpretation", "")), data.get("BitsStored", 0)
    if "PixelData" not in data:
        return "its pixels are floats, which few programs read; convert them first"
    if "PALETTE" in colours:
        return "its colours are a palette, between whose entries there is nothing; convert it first"
    if not colours.startswith(_COLOURS):
        return f"its colours are {colours or 'not named'}; expected gray, RGB or YBR"
    if data.get("BitsAllocated") not in (8, 16, 32):
        return f"its pixels have {data.get('BitsAllocated')} bits; expected 8, 16 or 32"
    if data.get("HighBit", bits - 1) != bits - 1:
        return f"its {bits} bits do not begin at the lowest one (HighBit {data.HighBit}); shift them first"
    return ""


def _no_invention(result: Enlarged) -> None:
    """Raises: BadRequest for networks that were, or may have been, trained to invent detail."""
    for step in result.plan.steps if result.plan else ():
        if step.card.arch == "srgan" or step.card.arch not in archs.NAMES:
            raise BadRequest(f"{step.card.name} may invent detail; medical images take swift, or a kernel")


def _little_endian(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(values.dtype.newbyteorder("<"))


def _padding(data: Dataset) -> tuple[float, float] | None:
    """The numbers, from and to, of pixels that were never measured; None where nothing says so.

    Files whose pixels have a sign may state these numbers as if they had none.
    """
    if "PixelPaddingValue" not in data or data.SamplesPerPixel > 1:
        return None
    ends = (int(data.PixelPaddingValue), int(data.get("PixelPaddingRangeLimit", data.PixelPaddingValue)))
    half = 2 ** (data.BitsAllocated - 1)
    first, last = sorted(end - 2 * half if data.PixelRepresentation and end >= half else end for end in ends)
    return first, last


def _described(source: Dataset, result: Enlarged) -> tuple[Dataset, list[str]]:
    """The data set of the result, and what of the source it lacks."""
    data, factors = pydicom.dcmread(source.filename, defer_size=_DEFERRED), result.factors
    lost = sorted({f"overlay {element.tag.group:04x}" for element in data if _is_overlay(element)})
    for tag in [element.tag for element in data if _is_overlay(element)]:
        del data[tag]
    lost += ["digital signatures"] * any(name in data for name in _SIGNATURES)
    lost += sorted({*_STALE} & set(data.dir()))
    for name in {*_STALE, *_OFFSETS, *_SIGNATURES} & set(data.dir()):
        del data[name]
    places.rescale(data, source, factors)
    data.Rows, data.Columns = result.shape.height, result.shape.width
    _name(data, result)
    return data, lost


def _is_overlay(element: Any) -> bool:
    return element.tag.group & 0xFF01 == 0x6000


def _name(data: Dataset, result: Enlarged) -> None:
    """New identities, the same for the same request, and what the image was derived from."""
    how = result.plan.describe() if result.plan else "nearest"
    old, asked = str(data.SOPInstanceUID), f"subpixel {result.factors} {how}"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = data.SOPClassUID, old
    data.SourceImageSequence = Sequence([reference, *(data.get("SourceImageSequence") or [])])
    before = filter(None, [data.get("DerivationDescription")])
    data.DerivationDescription = "; before: ".join([f"Enlarged by subpixel: {how}; {WARNING}", *before])[:1024]
    kinds = list(data.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    data.ImageType = ["DERIVED", *kinds[1:]]
    data.SOPInstanceUID = generate_uid(entropy_srcs=[old, asked])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[str(data.get("SeriesInstanceUID", old)), asked])
    data.SeriesDescription = f"{data.get('SeriesDescription', '')} enlarged, {WARNING}".strip()[:64]
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if data.SamplesPerPixel == 3:
        data.PhotometricInterpretation, data.PlanarConfiguration = "RGB", 0
