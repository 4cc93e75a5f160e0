"""What a NIfTI header says besides its transforms, read back by nibabel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, smooth

from subpixel.errors import UnreadableImage

nib = pytest.importorskip("nibabel")


def volume(path: Path, **header: Any) -> Path:
    image = nib.Nifti1Image(np.stack([smooth() * 20 + 50] * 3, -1).astype("i2"), np.diag([2.0, 3.0, 4.0, 1.0]))
    for name, value in header.items():
        image.header[name] = value
    nib.save(image, path)
    return path


def test_times_of_slices_hold_along_the_axis_that_is_not_enlarged(tmp_path: Path, doubled: Doubled) -> None:
    times = {"slice_start": 0, "slice_code": 1, "slice_duration": 0.5}
    across = volume(tmp_path / "a.nii", dim_info=1 << 4, slice_end=23, **times)
    assert doubled(across, tmp_path / "b.nii") == "left out: the times of its slices"
    along = volume(tmp_path / "c.nii", dim_info=3 << 4, slice_end=2, **times)
    assert doubled(along, tmp_path / "d.nii") is None
    made = [nib.load(tmp_path / name).header for name in ("b.nii", "d.nii")]
    assert [(int(h["slice_end"]), int(h["slice_code"]), float(h["slice_duration"])) for h in made] == [
        (0, 0, 0.0), (2, 1, 0.5),
    ]  # fmt: skip


def test_lists_are_no_volumes_and_names_of_regions_are_classes(tmp_path: Path, doubled: Doubled) -> None:
    with pytest.raises(UnreadableImage, match="a list of points"):
        doubled(volume(tmp_path / "a.nii", intent_code=1008), tmp_path / "b.nii")
    named = volume(tmp_path / "c.nii", intent_code=1005)
    doubled(named, tmp_path / "d.nii")
    before, after = (np.asarray(nib.load(path).dataobj) for path in (named, tmp_path / "d.nii"))
    np.testing.assert_array_equal(after, before.repeat(2, 0).repeat(2, 1))


def test_extensions_may_speak_of_voxels_and_are_named(tmp_path: Path, doubled: Doubled) -> None:
    image = nib.load(volume(tmp_path / "a.nii"))
    image.header.extensions.append(nib.nifti1.Nifti1Extension("afni", b"<AFNI_attributes/>"))
    nib.save(image, tmp_path / "b.nii")
    assert doubled(tmp_path / "b.nii", tmp_path / "c.nii") == "1 extensions are copied as they are"
