"""Where the frames of a DICOM file lie, and all it says in pixels: read, and made true of the result.

Source: DICOM PS3.3, sections C.7.6.2 (image plane), C.7.6.16 (functional groups), C.8.5.5 (ultrasound regions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np
from pydicom.dataset import Dataset

from subpixel.domains.frames import AffineFrame, Factors, nowhere

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")
_STEPS = (*_SPACINGS, "ObjectPixelSpacingInCenterOfBeam")
_PLACES = {
    f"{kind}{edge}Edge": (axis,)
    for kind in ("Shutter", "Collimator")
    for edge, axis in (("LeftVertical", 1), ("RightVertical", 1), ("UpperHorizontal", 0), ("LowerHorizontal", 0))
} | {
    f"{what}{kind}": axes
    for kind in ("Shutter", "Collimator")
    for what, axes in (("CenterOfCircular", (0, 1)), ("RadiusOfCircular", (1,)), ("VerticesOfThePolygonal", (0, 1)))
}
"""What a shutter or collimator covers, in pixels, with the axes of `Factors` that the numbers take turns on."""
_WHERE = ("Position", "Orientation")
_FINE = 2**15
"""The largest number of a ratio of factors: of the sides of an image."""


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


def _detector(data: Dataset, number: int) -> Dataset:
    """What says where a frame lies that no functional group places: its detector, in nuclear medicine, or the image."""
    detectors = data.get("DetectorInformationSequence") or []
    if "ImagePositionPatient" in data or not detectors:
        return data
    of_frames = np.atleast_1d(data.get("DetectorVector") or 1)
    return detectors[min(int(of_frames[min(number, len(of_frames) - 1)]), len(detectors)) - 1]


def _placed(data: Dataset, number: int, what: str) -> tuple[Dataset, str]:
    """What says where a frame lies, and the name it has there, of the patient or of a volume of ultrasound.

    what: Position or Orientation.
    """
    if volume := _groups(data, number, f"Plane{what}VolumeSequence"):
        return volume, f"Image{what}Volume"
    return _groups(data, number, f"Plane{what}Sequence") or _detector(data, number), f"Image{what}Patient"


def frame_of(data: Dataset, number: int) -> AffineFrame:
    """Coordinates of the patient or the volume in mm where the file has them, else the plane of the spacing."""
    spacing = _groups(data, number, "PixelMeasuresSequence") or data
    step = next((spacing.get(name) for name in _SPACINGS if spacing.get(name)), None)
    if step is None:
        return nowhere(data.Rows, data.Columns)
    down, across = map(float, step)
    origin, cosines = (place.get(name) for place, name in (_placed(data, number, w) for w in _WHERE))
    if not origin or not cosines:
        return AffineFrame.of((0, 0), (across, 0), (0, down))
    along, below = (np.array(list(map(float, cosines[k : k + 3]))) for k in (0, 3))
    first = np.array(list(map(float, origin))) - along * across / 2 - below * down / 2  # the centre, to the corner
    return AffineFrame.of(first, along * across, below * down)


def rescale(data: Dataset, source: Dataset, factors: Factors) -> None:
    """Lets a data set say of its result what its source said in pixels of its own."""
    for number in range(int(data.get("NumberOfFrames", 1) or 1)):
        _move(data, frame_of(source, number), number, factors)
    for part in _walk(data):
        _scale(part, factors)
        _scale_places(part, factors)
        if kinds := part.get("FrameType"):
            part.FrameType = ["DERIVED", *kinds[1:]]
    for region in data.get("SequenceOfUltrasoundRegions") or []:
        _scale_region(region, factors)
    for mask in [*(data.get("MaskSubtractionSequence") or []), *_walk(data)]:
        if shift := mask.get("MaskSubPixelShift"):
            mask.MaskSubPixelShift = [by * factor for by, factor in zip(shift, factors, strict=True)]
    if (ratio := data.get("PixelAspectRatio")) and factors[0] != factors[1]:
        sides = Fraction(int(ratio[0]), int(ratio[1])) * Fraction(factors[1] / factors[0]).limit_denominator(_FINE)
        data.PixelAspectRatio = [*sides.as_integer_ratio()]


def _walk(data: Dataset) -> Iterator[Dataset]:
    """The data set and its functional groups, which may say where frames lie and what covers them."""
    yield data
    for name in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for macros in data.get(name) or []:
            yield from (item for element in macros if element.VR == "SQ" for item in element.value or [])


def _move(data: Dataset, frame: AffineFrame, number: int, factors: Factors) -> None:
    """The position is that of the centre of the first pixel."""
    place, name = _placed(data, number, "Position")
    if len(frame.origin) == 3:
        (centre,) = frame.world(np.array([[0.5 / factors[1], 0.5 / factors[0]]]))
        _set(place, name, centre)


def _scale(data: Dataset, factors: Factors) -> None:
    for name in _STEPS:
        if data.get(name):
            _set(data, name, [float(s) / f for s, f in zip(data[name].value, factors, strict=True)])


def _set(data: Dataset, name: str, values: Iterable[float]) -> None:
    """Numbers of the kind that an element has: text, or floats."""
    is_text = data[name].VR == "DS"
    setattr(data, name, [_decimal(float(value)) if is_text else float(value) for value in values])


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
        for name in (f"DopplerSampleVolume{axis}Position", f"TMLinePosition{axis}0", f"TMLinePosition{axis}1"):
            if name in region:
                setattr(region, name, round(factor * (region[name].value + 0.5) - 0.5))


def _scale_places(data: Dataset, factors: Factors) -> None:
    for name, axes in _PLACES.items():
        if data.get(name) is not None:
            numbers = np.atleast_1d(data[name].value)
            setattr(data, name, [round(n * factors[axes[k % len(axes)]]) for k, n in enumerate(numbers)])
