"""Every small file that the libraries themselves are tested with is enlarged whole, or refused in one line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subpixel import Upscaler
from subpixel.domains import upscale_file
from subpixel.domains.formats import format_of
from subpixel.errors import SubpixelError
from subpixel.images import split_ending

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore:.*:astropy.utils.exceptions.AstropyWarning"),
]
_LARGEST = 60_000
"""Bytes of a file that is tried here."""
_UNTRUE = {
    "EXTEND",
    "PCOUNT",
    "GCOUNT",
    "CHECKSUM",
    "DATASUM",
    "DATAMIN",
    "DATAMAX",
    "BSCALE",
    "BZERO",
    "BLANK",
    "ZHECKSUM",
    "ZDATASUM",
}
_MOVED = {
    "dim", "pixdim", "srow_x", "srow_y", "srow_z", "qoffset_x", "qoffset_y", "qoffset_z", "quatern_b", "quatern_c",
    "quatern_d", "descrip", "vox_offset",
}  # fmt: skip


def files(package: str, folder: str, *endings: str) -> list[Path]:
    place = Path(pytest.importorskip(package).__file__).parent
    found = (path for path in place.glob(f"{folder}/**/*") if path.is_file() and path.stat().st_size <= _LARGEST)
    return sorted(path for path in found if path.name.lower().endswith(endings))


def enlarged(paths: list[Path], place: Path) -> Iterator[tuple[Path, Path, str]]:
    """Each that was not refused, with its result and the note."""
    with Upscaler("bicubic", scale=2) as upscaler:
        for path in paths:
            try:
                found = format_of(path)
                own = split_ending(path.name)[1].lower()
                ending = own if found is None or own in found.endings else found.endings[0]
                note = upscale_file(path, place / f"result{ending}", upscaler)
            except SubpixelError as error:
                lines, left = str(error).count("\n") + 1, list(place.iterdir())
            else:
                lines, left = 1, []
                yield path, place / f"result{ending}", note or ""
                (place / f"result{ending}").unlink()
            assert (lines, left) == (1, []), path


def test_dicom(tmp_path: Path) -> None:
    pydicom = pytest.importorskip("pydicom")
    count = 0
    for path, result, note in enlarged(files("pydicom", "data/test_files", ".dcm"), tmp_path):
        source, made = pydicom.dcmread(path), pydicom.dcmread(result)
        lost = {element.keyword for element in source if element.tag not in made and element.tag.element}
        stale = {"IconImageSequence", "SmallestImagePixelValue", "LargestImagePixelValue", "DataSetTrailingPadding"}
        assert {name for name in lost - stale if name not in note} <= {""}, path
        assert made.pixel_array.size == 4 * source.pixel_array.size, path
        count += 1
    assert count >= 20


def test_fits(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    count = 0
    for path, result, _ in enlarged(files("astropy", "io/fits/tests/data", ".fits"), tmp_path):
        with fits.open(path) as source, fits.open(result) as made:
            assert len(made) >= len(source), path
            for before, after in zip(source, made, strict=False):
                lost = {card for card in before.header if card not in after.header}
                assert lost <= _UNTRUE, path
        count += 1
    assert count >= 5


def test_nifti(tmp_path: Path) -> None:
    nib: Any = pytest.importorskip("nibabel")
    count = 0
    for path, result, _ in enlarged(files("nibabel", "tests/data", ".nii", ".nii.gz"), tmp_path):
        before, after = nib.load(path), nib.load(result)
        changed = {key for key in before.header if str(before.header[key]) != str(after.header[key])}
        assert changed <= _MOVED, path
        np.testing.assert_array_equal(after.header["pixdim"][3:], before.header["pixdim"][3:], str(path))
        assert len(before.header.extensions) == len(after.header.extensions), path
        assert before.dataobj.slope == after.dataobj.slope, path
        assert after.shape == (2 * before.shape[0], 2 * before.shape[1], *before.shape[2:]), path
        count += 1
    assert count >= 3
