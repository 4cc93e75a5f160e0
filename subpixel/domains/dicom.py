"""DICOM, by pydicom: spacing and position of every frame, new identities, and where the result comes from.

Source: DICOM PS3.3, sections C.7.6.2 (image plane), C.7.6.16 (functional groups), C.8.5.5 (ultrasound regions).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.utils import pixel_array
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, generate_uid

from subpixel import archs
from subpixel.domains.frames import AffineFrame, Factors, nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.source import Enlarge
from subpixel.domains.values import ReadRows
from subpixel.errors import BadRequest, UnreadableImage

FAULTS = (InvalidDicomError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, OSError)
WARNING = "not for diagnosis"
_REFUSED = {"SEG": "a segmentation", "PR": "a presentation state", "SR": "a report", "SM": "tiles of a slide"}
_STALE = (
    "IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue", "SmallestPixelValueInSeries",
    "LargestPixelValueInSeries", "PixelDataProviderURL", "ExtendedOffsetTable", "ExtendedOffsetTableLengths",
)  # fmt: skip
_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_DEFERRED = 2**16
"""Bytes of an element from which on it is read when it is asked for."""
_EDGES = {"Left": 1, "Right": 1, "Upper": 0, "Lower": 0}


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
        missing = ReadRows(height, width, 1, lambda *part: ~padding(self._frame(number)[part])) if padding else None
        return Plane(
            _frame(data, number),
            ReadRows(height, width, channels, lambda *part: self._frame(number)[part]),
            dtype,
            missing,
            nodata=float(data.PixelPaddingValue) if padding else None,
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
        _no_invention(first)
        with _quiet(), part.with_name("pixels").open("w+b") as pixels:
            for number, plane in enumerate(self.planes):
                pixels.write(self._frame_bytes(enlarge(plane) if number else first))
            pixels.write(b"\0" * (pixels.tell() % 2))
            pixels.seek(0)
            data, lost = _described(self._data, first)
            data.PixelData = pixels
            data["PixelData"].VR = "OW" if data.BitsAllocated > 8 else "OB"
            data["PixelData"].is_undefined_length = False
            data.save_as(part, enforce_file_format=True)
        return [WARNING, *([f"left out: {', '.join(lost)}"] if lost else [])]

    def _frame_bytes(self, result: Enlarged) -> bytes:
        """All rows of a frame, within the bits that are stored."""
        data, values = self._data, result.rows(0, result.shape.height)
        bits = int(data.BitsStored)
        if values.dtype.kind != "f":
            low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if values.dtype.kind == "i" else (0, 2**bits - 1)
            values = np.clip(values, low, high)
        return values.astype(values.dtype.newbyteorder("<")).tobytes()

    def close(self) -> None:
        pass


open_ = Dicom


def _quiet() -> Any:
    """pydicom warns of values that are no full standard; they are kept as they are."""
    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _refuse(path: Path, data: Dataset) -> None:
    if not any(name in data for name in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise UnreadableImage(path, "it is DICOM without an image")
    kind = str(data.get("Modality", ""))
    why = ""
    if kind in _REFUSED:
        why = f"it is {_REFUSED[kind]}, which is not enlarged"
    elif "PixelData" not in data:
        why = "its pixels are floats, which few programs read; convert them first"
    elif "PALETTE" in str(data.get("PhotometricInterpretation", "")):
        why = "its colours are a palette, between whose entries there is nothing; convert it first"
    elif data.get("BitsAllocated") not in (8, 16, 32):
        why = f"its pixels have {data.get('BitsAllocated')} bits; expected 8, 16 or 32"
    elif not data.file_meta.get("TransferSyntaxUID", ImplicitVRLittleEndian).is_little_endian:
        why = "its bytes are in big-endian order, which DICOM has given up; convert it first"
    elif "file_meta" not in data.__dict__ or "SOPInstanceUID" not in data:
        why = "it lacks what names it (SOPInstanceUID)"
    if why:
        raise UnreadableImage(path, why)


def _no_invention(result: Enlarged) -> None:
    """Raises: BadRequest for networks that were, or may have been, trained to invent detail."""
    for step in result.plan.steps if result.plan else ():
        if step.card.arch == "srgan" or step.card.arch not in archs.NAMES:
            raise BadRequest(f"{step.card.name} may invent detail; medical images take swift, or a kernel")


def _padding(data: Dataset) -> Any:
    """What tells the pixels that were never measured; None where nothing says so."""
    if "PixelPaddingValue" not in data or data.SamplesPerPixel > 1:
        return None
    ends = sorted((int(data.PixelPaddingValue), int(data.get("PixelPaddingRangeLimit", data.PixelPaddingValue))))
    return lambda frame: (frame >= ends[0]) & (frame <= ends[1])


def _groups(data: Dataset, number: int, name: str) -> Dataset | None:
    """A functional group of a frame: its own, or that of all."""
    for macros in (
        (data.get("PerFrameFunctionalGroupsSequence") or [])[number : number + 1],
        data.get("SharedFunctionalGroupsSequence") or [],
    ):
        for macro in macros:
            if macro.get(name):
                return macro[name][0]
    return None


def _frame(data: Dataset, number: int) -> AffineFrame:
    """Patient coordinates in mm where the file has them, else the plane of the spacing."""
    position = _groups(data, number, "PlanePositionSequence") or data
    orientation = _groups(data, number, "PlaneOrientationSequence") or data
    spacing = _groups(data, number, "PixelMeasuresSequence") or data
    step = next((spacing.get(name) for name in _SPACINGS if spacing.get(name)), None)
    if step is None:
        return nowhere(data.Rows, data.Columns)
    down, across = map(float, step)
    origin, cosines = position.get("ImagePositionPatient"), orientation.get("ImageOrientationPatient")
    if not origin or not cosines:
        return AffineFrame.of((0, 0), (across, 0), (0, down))
    along, below = (np.array(list(map(float, cosines[k : k + 3]))) for k in (0, 3))
    first = np.array(list(map(float, origin))) - along * across / 2 - below * down / 2  # the centre, to the corner
    return AffineFrame.of(first, along * across, below * down)


def _described(source: Dataset, result: Enlarged) -> tuple[Dataset, list[str]]:
    """The data set of the result, and what of the source it lacks."""
    data, factors = pydicom.dcmread(source.filename, defer_size=_DEFERRED), result.factors
    lost = sorted({f"overlay {element.tag.group:04x}" for element in data if _is_overlay(element)})
    for tag in [element.tag for element in data if _is_overlay(element)]:
        del data[tag]
    for name in _STALE:
        if name in data:
            del data[name]
    for number in range(int(data.get("NumberOfFrames", 1) or 1)):
        _move(data, _frame(source, number), number, factors)
    for part in _walk(data):
        _scale(part, factors)
    for region in data.get("SequenceOfUltrasoundRegions") or []:
        _scale_region(region, factors)
    _scale_shutter(data, factors)
    data.Rows, data.Columns = result.shape.height, result.shape.width
    _name(data, result)
    return data, lost


def _is_overlay(element: Any) -> bool:
    return element.tag.group & 0xFF01 == 0x6000


def _walk(data: Dataset) -> Iterator[Dataset]:
    """The data set and its functional groups, which may say where frames lie."""
    yield data
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for macros in data.get(name) or []:
            yield from (item for element in macros if element.VR == "SQ" for item in element.value or [])


def _move(data: Dataset, frame: AffineFrame, number: int, factors: Factors) -> None:
    """The position is that of the centre of the first pixel."""
    place = _groups(data, number, "PlanePositionSequence") or data
    if len(frame.origin) == 3:
        (centre,) = frame.world(np.array([[0.5 / factors[1], 0.5 / factors[0]]]))
        place.ImagePositionPatient = [_decimal(float(value)) for value in centre]


def _scale(data: Dataset, factors: Factors) -> None:
    for name in _SPACINGS:
        if data.get(name):
            setattr(data, name, [_decimal(float(s) / f) for s, f in zip(data[name].value, factors, strict=True)])


def _decimal(value: float) -> str:
    """At most 16 characters, as DICOM's decimal strings have."""
    return next(text for digits in range(16, 0, -1) if len(text := f"{value:.{digits}g}") <= 16)


def _scale_region(region: Dataset, factors: Factors) -> None:
    for axis, factor in (("X", factors[1]), ("Y", factors[0])):
        low, high = f"RegionLocationMin{axis}0", f"RegionLocationMax{axis}1"
        if low in region and high in region:
            setattr(region, low, round(region[low].value * factor))
            setattr(region, high, round((region[high].value + 1) * factor) - 1)
        if f"PhysicalDelta{axis}" in region:
            setattr(region, f"PhysicalDelta{axis}", region[f"PhysicalDelta{axis}"].value / factor)
        if f"ReferencePixel{axis}0" in region:
            value = factor * (region[f"ReferencePixel{axis}0"].value + 0.5) - 0.5
            setattr(region, f"ReferencePixel{axis}0", round(value))


def _scale_shutter(data: Dataset, factors: Factors) -> None:
    for edge, axis in _EDGES.items():
        name = f"Shutter{edge}{'Vertical' if axis else 'Horizontal'}Edge"
        if name in data:
            setattr(data, name, round(data[name].value * factors[axis]))


def _name(data: Dataset, result: Enlarged) -> None:
    """New identities, the same for the same request, and what the image was derived from."""
    how = result.plan.describe() if result.plan else "nearest"
    old, asked = str(data.SOPInstanceUID), f"subpixel {result.factors} {how}"
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = data.SOPClassUID, old
    data.SourceImageSequence = Sequence([reference])
    data.DerivationDescription = f"Enlarged by subpixel: {how}; {WARNING}"[:1024]
    kinds = list(data.get("ImageType") or ["ORIGINAL", "PRIMARY"])
    data.ImageType = ["DERIVED", *kinds[1:]]
    data.SOPInstanceUID = generate_uid(entropy_srcs=[old, asked])
    data.SeriesInstanceUID = generate_uid(entropy_srcs=[str(data.get("SeriesInstanceUID", old)), asked])
    data.SeriesDescription = f"{data.get('SeriesDescription', '')} enlarged, {WARNING}".strip()[:64]
    data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    if data.SamplesPerPixel == 3:
        data.PhotometricInterpretation, data.PlanarConfiguration = "RGB", 0
