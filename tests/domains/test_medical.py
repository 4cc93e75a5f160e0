"""DICOM and NIfTI, read back by pydicom and nibabel, against the standards' own equations."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, blocks, smooth

from subpixel import Upscaler
from subpixel.domains import upscale_file
from subpixel.errors import UnreadableImage, UnwritableImage

pydicom = pytest.importorskip("pydicom")
nib = pytest.importorskip("nibabel")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

COSINES = [0.8, 0.6, 0.0, 0.0, 0.0, -1.0]


def dicom(path: Path, values: np.ndarray, **more: Any) -> Path:
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = CTImageStorage, "1.2.3.4"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(path, {}, file_meta=meta, preamble=b"\0" * 128)
    frames, height, width, samples = values.shape
    about: dict[str, Any] = {
        "SOPClassUID": CTImageStorage, "SOPInstanceUID": "1.2.3.4", "SeriesInstanceUID": "1.2.3", "Modality": "CT",
        "Rows": height, "Columns": width, "SamplesPerPixel": samples, "BitsAllocated": values.itemsize * 8,
        "BitsStored": values.itemsize * 8, "HighBit": values.itemsize * 8 - 1,
        "PixelRepresentation": int(values.dtype.kind == "i"), "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PhotometricInterpretation": "RGB" if samples == 3 else "MONOCHROME2", "PixelSpacing": [0.7, 0.5],
        "ImagePositionPatient": [-120.5, 33.25, 7.125], "ImageOrientationPatient": COSINES, "RescaleSlope": "2",
        "RescaleIntercept": "-1024", "WindowCenter": "40", "WindowWidth": "400", "PixelData": values.tobytes(),
    }  # fmt: skip
    about |= {"PlanarConfiguration": 0} if samples == 3 else {}
    about |= {"NumberOfFrames": frames} if frames > 1 else {}
    for name, value in (about | more).items():
        setattr(data, name, value)
    data["PixelData"].VR = "OW"
    data.save_as(path, enforce_file_format=True)
    return path


def slice_() -> np.ndarray:
    return (smooth() * 300 + 100).astype("int16")[None, ..., None]


def patient(data: Any, row: float, column: float) -> np.ndarray:
    """PS3.3, equation C.7.6.2.1-1, for the centre of a pixel."""
    origin, cosines, spacing = (np.array(list(map(float, data[name].value))) for name in
                                ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"))  # fmt: skip
    return origin + cosines[:3] * spacing[1] * column + cosines[3:] * spacing[0] * row


@pytest.mark.parametrize("scale", [2, 3])
def test_dicom_lies_where_it_lay(scale: int, tmp_path: Path, doubled: Doubled) -> None:
    source = dicom(tmp_path / "a.dcm", slice_())
    assert doubled(source, tmp_path / "b.dcm", Upscaler("swift", scale=scale)) == "not for diagnosis"
    before, after = pydicom.dcmread(source), pydicom.dcmread(tmp_path / "b.dcm")
    for row, column in ((0, 0), (23, 0), (0, 19), (11, 7)):
        own = [scale * (n + 0.5) - 0.5 for n in (row, column)]
        np.testing.assert_allclose(patient(after, *own), patient(before, row, column), atol=1e-9)
    shift = (1 / scale - 1) / 2 * (np.array(COSINES[:3]) * 0.5 + np.array(COSINES[3:]) * 0.7)
    np.testing.assert_allclose(np.array(after.ImagePositionPatient) - before.ImagePositionPatient, shift, atol=1e-12)
    values = after.pixel_array.reshape(24, scale, 20, scale).mean((1, 3))
    assert np.abs(values - before.pixel_array).max() <= 0.5
    for name in ("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "StudyInstanceUID"):
        assert before.get(name) == after.get(name)


def test_dicom_says_what_it_is(tmp_path: Path, doubled: Doubled) -> None:
    source = dicom(tmp_path / "a.dcm", slice_())
    for name in ("b.dcm", "c.dcm"):
        doubled(source, tmp_path / name)
    made, again = (pydicom.dcmread(tmp_path / name) for name in ("b.dcm", "c.dcm"))
    assert made.ImageType == ["DERIVED", "PRIMARY", "AXIAL"]
    assert made.SourceImageSequence[0].ReferencedSOPInstanceUID == "1.2.3.4"
    assert "not for diagnosis" in made.DerivationDescription
    assert len({made.SOPInstanceUID, "1.2.3.4", made.SeriesInstanceUID, "1.2.3"}) == 4
    assert made.file_meta.MediaStorageSOPInstanceUID == made.SOPInstanceUID == again.SOPInstanceUID


def test_dicom_frames_colours_padding_and_functional_groups(tmp_path: Path, doubled: Doubled) -> None:
    from pydicom.dataset import Dataset

    def item(**values: Any) -> Any:
        made = Dataset()
        for name, value in values.items():
            setattr(made, name, value)
        return made

    frames = np.concatenate([slice_(), slice_() + 9])
    shared = item(PixelMeasuresSequence=[item(PixelSpacing=[0.7, 0.5])],
                  PlaneOrientationSequence=[item(ImageOrientationPatient=COSINES)])  # fmt: skip
    own = [item(PlanePositionSequence=[item(ImagePositionPatient=[1, 2, z])]) for z in (3.0, 8.0)]
    groups = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": own}
    source = dicom(tmp_path / "a.dcm", frames, PixelPaddingValue=int(frames[0, 3, 4, 0]), **groups)
    doubled(source, tmp_path / "b.dcm")
    made = pydicom.dcmread(tmp_path / "b.dcm")
    assert made.pixel_array.shape == (2, 48, 40)
    np.testing.assert_array_equal(made.pixel_array[0, 6:8, 8:10], np.full((2, 2), frames[0, 3, 4, 0]))
    assert made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0].PixelSpacing == [0.35, 0.25]
    shift = -0.25 * (np.array(COSINES[:3]) * 0.5 + np.array(COSINES[3:]) * 0.7)
    for z, group in zip((3.0, 8.0), made.PerFrameFunctionalGroupsSequence, strict=True):
        np.testing.assert_allclose(
            group.PlanePositionSequence[0].ImagePositionPatient, np.array([1, 2, z]) + shift, atol=1e-12
        )
    colours = (np.stack([smooth() * k + 120 for k in (10, 20, 30)], -1)[None]).astype("uint8")
    doubled(dicom(tmp_path / "c.dcm", colours), tmp_path / "d.dcm")
    got = pydicom.dcmread(tmp_path / "d.dcm").pixel_array
    assert np.abs(blocks(got.transpose(2, 0, 1)) - colours[0].transpose(2, 0, 1)).max() <= 0.5


def test_medical_images_take_no_network_that_invents(tmp_path: Path, doubled: Doubled) -> None:
    source = dicom(tmp_path / "a.dcm", slice_())
    with pytest.raises(UnreadableImage, match="invent"):
        doubled(source, tmp_path / "b.dcm", Upscaler("srgan", scale=4))
    for wrong, words in (
        ({"Modality": "SEG"}, "segmentation"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "palette"),
        ({"PhotometricInterpretation": "HSV"}, "its colours are HSV"),
        ({"BitsStored": 12, "HighBit": 15}, "do not begin at the lowest one"),
    ):
        with pytest.raises(UnreadableImage, match=words):
            doubled(dicom(tmp_path / "c.dcm", slice_(), **wrong), tmp_path / "b.dcm")
    source.write_bytes(source.read_bytes()[:-700])
    with pytest.raises(UnreadableImage):
        doubled(source, tmp_path / "b.dcm")


def test_dicom_says_how_it_is_compressed_as_a_whole(tmp_path: Path, doubled: Doubled) -> None:
    from pydicom.uid import DeflatedExplicitVRLittleEndian

    data = pydicom.dcmread(dicom(tmp_path / "a.dcm", slice_()))
    data.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data.save_as(tmp_path / "a.dcm")
    with pytest.raises(UnreadableImage, match="deflated"):
        doubled(tmp_path / "a.dcm", tmp_path / "b.dcm")


def test_dicom_keeps_to_its_bits_and_says_what_it_clipped(tmp_path: Path, doubled: Doubled) -> None:
    steps = np.where(np.arange(20) % 8 < 4, 0, 4095).astype("uint16")[None].repeat(24, 0)[None, ..., None]
    note = doubled(dicom(tmp_path / "a.dcm", steps, BitsStored=12, HighBit=11), tmp_path / "b.dcm", Upscaler("bicubic"))
    values = pydicom.dcmread(tmp_path / "b.dcm").pixel_array
    doubled(dicom(tmp_path / "c.dcm", steps + 20000), tmp_path / "d.dcm", Upscaler("bicubic"))  # bits to spare
    free = pydicom.dcmread(tmp_path / "d.dcm").pixel_array.astype(int) - 20000
    np.testing.assert_array_equal(values, free.clip(0, 4095))
    assert f"{np.count_nonzero((free < 0) | (free > 4095))} of 1,920 numbers clipped" in str(note)


@pytest.mark.parametrize("kind", ["SS", "US"])
def test_dicom_padding_is_kept_however_its_number_is_written(kind: str, tmp_path: Path, doubled: Doubled) -> None:
    values = slice_()
    values[:, :5] = -2000
    data = pydicom.dcmread(dicom(tmp_path / "a.dcm", values))
    data.add_new("PixelPaddingValue", kind, -2000 if kind == "SS" else 65536 - 2000)
    data.save_as(tmp_path / "a.dcm")
    assert "saw filled values" in str(doubled(tmp_path / "a.dcm", tmp_path / "b.dcm"))
    made = pydicom.dcmread(tmp_path / "b.dcm").pixel_array
    np.testing.assert_array_equal(made == -2000, np.arange(48)[:, None] < np.full(40, 10))


def test_dicom_moves_all_that_is_stated_in_pixels_or_of_a_detector(tmp_path: Path, doubled: Doubled) -> None:
    from pydicom.dataset import Dataset

    first, second, mask, kind, shared = (Dataset() for _ in range(5))
    for detector, x in ((first, 5.0), (second, 50.0)):
        detector.ImagePositionPatient, detector.ImageOrientationPatient = [x, 0, 0], [1, 0, 0, 0, 1, 0]
    mask.MaskSubPixelShift, kind.FrameType = [1.5, -0.5], ["ORIGINAL", "PRIMARY"]
    shared.CTImageFrameTypeSequence = [kind]
    source = dicom(
        tmp_path / "a.dcm", np.concatenate([slice_()] * 3), DetectorVector=[2, 1, 2], MaskSubtractionSequence=[mask],
        DetectorInformationSequence=[first, second], CenterOfCircularShutter=[12, 10], RadiusOfCircularShutter=8,
        VerticesOfThePolygonalShutter=[1, 2, 3, 4, 5, 6], CollimatorRightVerticalEdge=19,
        SharedFunctionalGroupsSequence=[shared], DigitalSignaturesSequence=[Dataset()],
    )  # fmt: skip
    data = pydicom.dcmread(source)
    del data.ImagePositionPatient, data.ImageOrientationPatient
    data.save_as(source)
    assert "left out: digital signatures" in str(doubled(source, tmp_path / "b.dcm"))
    made = pydicom.dcmread(tmp_path / "b.dcm")
    places = [list(detector.ImagePositionPatient) for detector in made.DetectorInformationSequence]
    assert places == [[5 - 0.25 * 0.5, -0.25 * 0.7, 0], [50 - 0.25 * 0.5, -0.25 * 0.7, 0]]
    assert made.MaskSubtractionSequence[0].MaskSubPixelShift == [3, -1]
    assert (made.CenterOfCircularShutter, made.RadiusOfCircularShutter) == ([24, 20], 16)
    assert made.VerticesOfThePolygonalShutter == [2, 4, 6, 8, 10, 12]
    assert (made.CollimatorRightVerticalEdge, "DigitalSignaturesSequence" in made) == (38, False)
    assert made.SharedFunctionalGroupsSequence[0].CTImageFrameTypeSequence[0].FrameType == ["DERIVED", "PRIMARY"]


def test_a_wrong_position_leaves_nothing(tmp_path: Path, doubled: Doubled, monkeypatch: pytest.MonkeyPatch) -> None:
    from subpixel.domains import dicom_places as module

    monkeypatch.setattr(module, "_move", lambda *_: None)
    with pytest.raises(UnwritableImage, match="off by"):
        doubled(dicom(tmp_path / "a.dcm", slice_()), tmp_path / "b.dcm")


AFFINE = np.array([[-1.9, 0.3, 0.1, 90.0], [0.2, 2.1, -0.2, -126.0], [0.0, 0.25, 2.0, -72.0], [0, 0, 0, 1]])


def volume(path: Path, values: np.ndarray, **about: Any) -> Path:
    image = nib.Nifti1Image(values, None)
    image.set_sform(AFFINE, 1)
    image.set_qform(nib.affines.from_matvec(np.diag([-1.9, 2.1, 2.0]), [90, -126, -72]), 2)
    for name, value in about.items():
        image.header[name] = value
    image.to_filename(path)
    return path


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_lies_where_it_lay(ending: str, tmp_path: Path, doubled: Doubled) -> None:
    values = np.stack([smooth() * 1000 + k for k in range(3)], -1).astype("int16")
    source = volume(tmp_path / f"a{ending}", values, intent_code=0)
    assert doubled(source, tmp_path / f"b{ending}") is None
    before, after = nib.load(source), nib.load(tmp_path / f"b{ending}")
    assert after.shape == (48, 40, 3)
    voxels = np.random.default_rng(0).uniform(-0.5, 19.5, (20, 3))
    own = voxels.copy()
    own[:, :2] = 2 * (own[:, :2] + 0.5) - 0.5
    for name in ("sform", "qform"):
        low, high = (getattr(image, f"get_{name}")() for image in (before, after))
        assert int(before.header[f"{name}_code"]) == int(after.header[f"{name}_code"])
        np.testing.assert_allclose(
            nib.affines.apply_affine(high, own), nib.affines.apply_affine(low, voxels), atol=1e-4
        )
    np.testing.assert_allclose(after.header.get_zooms(), np.array(before.header.get_zooms()) / (2, 2, 1), rtol=1e-6)
    got = np.asanyarray(after.dataobj)
    assert np.abs(blocks(got.transpose(2, 0, 1)) - values.transpose(2, 0, 1)).max() <= 0.5


def test_nifti_keeps_slope_and_classes_and_time(tmp_path: Path, doubled: Doubled) -> None:
    scaled = volume(tmp_path / "a.nii", np.stack([smooth()] * 2, -1)[..., None].astype("float64"))
    image = nib.Nifti1Image(np.asarray(nib.load(scaled).dataobj), AFFINE)
    image.set_data_dtype("int16")  # nibabel chooses a slope
    image.to_filename(tmp_path / "b.nii")
    doubled(tmp_path / "b.nii", tmp_path / "c.nii")
    before, after = nib.load(tmp_path / "b.nii"), nib.load(tmp_path / "c.nii")
    assert after.get_data_dtype() == np.int16
    assert (after.dataobj.slope, after.dataobj.inter) == (before.dataobj.slope, before.dataobj.inter)
    difference = blocks(after.get_fdata()[:, :, 0, 0]) - before.get_fdata()[:, :, 0, 0]
    assert np.quantile(np.abs(difference), 0.9) <= before.dataobj.slope  # it fills its range: some are clipped
    classes = np.random.default_rng(0).integers(0, 2000, (12, 10, 2)).astype("int32")
    doubled(volume(tmp_path / "d.nii", classes, intent_code=1002), tmp_path / "e.nii")
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "e.nii").dataobj), classes.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("version", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nifti_is_known_without_its_name(version: Any, ending: str, tmp_path: Path, doubled: Doubled) -> None:
    values = np.random.default_rng(0).integers(0, 1000, (12, 10, 3)).astype("int16")
    nib.save(version(values, AFFINE), tmp_path / f"a{ending}")
    nameless = (tmp_path / f"a{ending}").rename(tmp_path / "upload")
    doubled(nameless, tmp_path / "b.nii")
    after = nib.load(tmp_path / "b.nii")
    assert type(after) is version
    assert np.abs(blocks(np.asarray(after.dataobj).transpose(2, 0, 1)) - values.transpose(2, 0, 1)).max() <= 0.5


def test_a_header_that_claims_planes_without_end_is_refused(tmp_path: Path, doubled: Doubled) -> None:
    header = nib.Nifti1Header()
    header.set_data_shape((2, 2, 30_000, 30_000))
    header["magic"], header["vox_offset"] = b"n+1", 352
    with gzip.open(tmp_path / "a.nii.gz", "wb") as file:
        header.write_to(file)
    with pytest.raises(UnreadableImage, match="it claims 900,000,000 planes; no more than 262,144 are read"):
        doubled(tmp_path / "a.nii.gz", tmp_path / "b.nii")


def test_nifti_refusals(tmp_path: Path, doubled: Doubled) -> None:
    colours = np.zeros((4, 5, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    nib.Nifti1Image(colours, AFFINE).to_filename(tmp_path / "a.nii")
    with pytest.raises(UnreadableImage, match="colours"):
        doubled(tmp_path / "a.nii", tmp_path / "b.nii")
    source = volume(tmp_path / "c.nii", smooth()[..., None].astype("float32"))
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(UnreadableImage) as caught:
        doubled(source, tmp_path / "b.nii")
    assert "\n" not in str(caught.value)


def test_frames_and_slices_are_not_held_together(tmp_path: Path) -> None:
    """80 of them, of an eighth of a MiB: the results of all are 40 MiB."""
    values = np.tile((np.arange(256) * 7 % 300).astype("int16")[None, :, None, None], (80, 1, 256, 1))
    scan = dicom(tmp_path / "scan.dcm", values)
    volume = tmp_path / "volume.nii.gz"
    nib.save(nib.Nifti1Image(np.ascontiguousarray(values[..., 0].transpose(1, 2, 0)), np.eye(4)), volume)
    peaks = list[float]()
    with Upscaler("nearest", scale=2) as upscaler:
        for source, target in ((scan, tmp_path / "o.dcm"), (volume, tmp_path / "o.nii.gz")):
            tracemalloc.start()
            upscale_file(source, target, upscaler)
            peaks.append(tracemalloc.get_traced_memory()[1] / 2**20)
            tracemalloc.stop()
    assert max(peaks) < 32, peaks
    np.testing.assert_array_equal(pydicom.dcmread(tmp_path / "o.dcm").pixel_array[39, ::2, ::2], values[39, ..., 0])
    np.testing.assert_array_equal(np.asarray(nib.load(tmp_path / "o.nii.gz").dataobj)[::2, ::2, 7], values[7, ..., 0])


def test_more_rows_than_dicom_counts_are_refused_at_once(
    tmp_path: Path, doubled: Doubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subpixel.domains.dicom._SIDE", 47)
    with pytest.raises(UnreadableImage, match="40 x 48 pixels; DICOM holds 47 in a row or column"):
        doubled(dicom(tmp_path / "a.dcm", slice_()), tmp_path / "b.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]
