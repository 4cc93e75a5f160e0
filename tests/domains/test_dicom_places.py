"""What a DICOM file says in pixels, beside the plain position and spacing of `test_medical`, read back by pydicom."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled
from test_medical import COSINES, dicom, slice_

from subpixel import Upscaler

pydicom = pytest.importorskip("pydicom")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


def item(**values: Any) -> Any:
    made = pydicom.Dataset()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def test_frames_of_a_volume_of_ultrasound_lie_where_they_lay(tmp_path: Path, doubled: Doubled) -> None:
    shared = item(
        PixelMeasuresSequence=[item(PixelSpacing=[0.7, 0.5])],
        PlaneOrientationVolumeSequence=[item(ImageOrientationVolume=COSINES)],
    )
    own = [item(PlanePositionVolumeSequence=[item(ImagePositionVolume=[1.0, 2.0, z])]) for z in (3.0, 8.0)]
    groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": own}
    source = dicom(tmp_path / "a.dcm", np.concatenate([slice_(), slice_()]), **groups)
    doubled(source, tmp_path / "b.dcm")
    made = pydicom.dcmread(tmp_path / "b.dcm")
    shift = -0.25 * (np.array(COSINES[:3]) * 0.5 + np.array(COSINES[3:]) * 0.7)
    for z, group in zip((3.0, 8.0), made.PerFrameFunctionalGroupsSequence, strict=True):
        moved = group.PlanePositionVolumeSequence[0].ImagePositionVolume
        np.testing.assert_allclose(moved, np.array([1, 2, z]) + shift, atol=1e-12)


def test_sizes_of_pixels_that_are_no_text_and_their_shape(tmp_path: Path, doubled: Doubled) -> None:
    about = {"ObjectPixelSpacingInCenterOfBeam": [0.5, 0.25], "PixelAspectRatio": [3, 4]}
    source = dicom(tmp_path / "a.dcm", slice_(), **about)
    doubled(source, tmp_path / "b.dcm", Upscaler("bicubic", size="40x72"))
    made = pydicom.dcmread(tmp_path / "b.dcm")
    np.testing.assert_allclose(made.ObjectPixelSpacingInCenterOfBeam, [0.5 / 3, 0.25 / 2], rtol=1e-6)
    assert made.PixelAspectRatio == [1, 2]  # as high as 3 / 3, as wide as 4 / 2


def test_what_an_image_was_derived_from_before_stays(tmp_path: Path, doubled: Doubled) -> None:
    old = item(ReferencedSOPClassUID="1.2.840.10008.5.1.4.1.1.2", ReferencedSOPInstanceUID="1.9")
    about = {"SourceImageSequence": [old], "DerivationDescription": "mean of two", "LargestImagePixelValue": 500}
    note = doubled(dicom(tmp_path / "a.dcm", slice_(), **about), tmp_path / "b.dcm")
    made = pydicom.dcmread(tmp_path / "b.dcm")
    assert [image.ReferencedSOPInstanceUID for image in made.SourceImageSequence] == ["1.2.3.4", "1.9"]
    assert made.DerivationDescription.endswith("not for diagnosis; before: mean of two")
    assert "LargestImagePixelValue" not in made
    assert note == "not for diagnosis; left out: LargestImagePixelValue"


def test_places_within_regions_and_shifts_of_single_frames_are_counted_in_new_pixels(
    tmp_path: Path, doubled: Doubled
) -> None:
    region = item(
        DopplerSampleVolumeXPosition=10, DopplerSampleVolumeYPosition=4, TMLinePositionX0=3, TMLinePositionY1=7,
    )  # fmt: skip
    frames = [item(FramePixelShiftSequence=[item(MaskSubPixelShift=[1.5, -2.0 * k])]) for k in (1, 2)]
    about = {"SequenceOfUltrasoundRegions": [region], "PerFrameFunctionalGroupsSequence": frames}
    doubled(dicom(tmp_path / "a.dcm", np.concatenate([slice_(), slice_()]), **about), tmp_path / "b.dcm")
    made = pydicom.dcmread(tmp_path / "b.dcm")
    place = made.SequenceOfUltrasoundRegions[0]
    # the centre of pixel n lies at n + 1/2, and at 2 n + 1 of the pixels that are half as large: between two of them
    assert place.DopplerSampleVolumeXPosition in (20, 21)
    assert place.DopplerSampleVolumeYPosition in (8, 9)
    assert (place.TMLinePositionX0 in (6, 7), place.TMLinePositionY1 in (14, 15)) == (True, True)
    shifts = [group.FramePixelShiftSequence[0].MaskSubPixelShift for group in made.PerFrameFunctionalGroupsSequence]
    assert shifts == [[3.0, -4.0], [3.0, -8.0]]
