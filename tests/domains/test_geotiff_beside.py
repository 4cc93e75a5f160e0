"""What GeoTIFF states in rare tags, or in files beside it, read back by rasterio and tifffile."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, smooth

from subpixel import Upscaler
from subpixel.domains import upscale_file
from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.images import Image, write
from subpixel.jobs.staging import fetched

rasterio = pytest.importorskip("rasterio")
tifffile = pytest.importorskip("tifffile")
from rasterio.control import GroundControlPoint  # noqa: E402
from rasterio.crs import CRS  # noqa: E402

PLACE = rasterio.Affine(10, 0, 400000, 0, -10, 5000000)
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

GRAY = (smooth() * 50 + 110).astype("uint8")
XMP = b'<?xpacket begin="" id="W5M0"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="c"/></x:xmpmeta><?xpacket end="w"?>'
WORLD = "10\n0\n0\n-10\n400005\n4999995\n"
PAM = "<PAMDataset><SRS>EPSG:32633</SRS><GeoTransform>4e5,10,0,5e6,0,-10</GeoTransform></PAMDataset>"
_COUNTS = {"LINE_OFF": 12, "SAMP_OFF": 10, "LAT_OFF": 45, "LONG_OFF": 10, "HEIGHT_OFF": 100,
           "LINE_SCALE": 12, "SAMP_SCALE": 10, "LAT_SCALE": 0.1, "LONG_SCALE": 0.1, "HEIGHT_SCALE": 500}  # fmt: skip
_COEFFICIENTS = {
    f"{kind}_COEFF_{k}": k / 20 for kind in ("LINE_NUM", "LINE_DEN", "SAMP_NUM", "SAMP_DEN") for k in range(1, 21)
}
RPC = "\n".join(f"{name}: {value}" for name, value in (_COUNTS | _COEFFICIENTS).items())


def written(path: Path, values: np.ndarray = GRAY, **about: Any) -> Path:
    bands = values if values.ndim == 3 else values[None]
    size = {"count": bands.shape[0], "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with rasterio.open(path, "w", driver="GTiff", **size, **about) as file:
        file.write(bands)
    return path


def corners(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return np.array([file.transform @ (x * file.width, y * file.height) for x in (0, 1) for y in (0, 1)])


@pytest.mark.parametrize(("name", "text"), [("a.tfw", WORLD), ("a.TFW", WORLD), ("a.tif.aux.xml", PAM)])
def test_a_place_beside_the_file_stays(name: str, text: str, tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif")
    (tmp_path / name).write_text(text)
    doubled(source, tmp_path / "b.tif")
    np.testing.assert_array_equal(corners(tmp_path / "b.tif"), corners(source))
    with rasterio.open(source) as before, rasterio.open(tmp_path / "b.tif") as after:
        assert (before.crs, after.shape) == (after.crs, (48, 40))


def polynomials(path: Path) -> dict[str, Any]:
    with rasterio.open(path) as file:
        return file.rpcs.to_dict()


@pytest.mark.parametrize("beside", [True, False])
def test_polynomials_are_a_place_where_nothing_else_is(beside: bool, tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif")
    (tmp_path / "a_RPC.TXT").write_text(RPC)
    expected = polynomials(source)
    if not beside:
        with rasterio.open(source) as file, rasterio.open(tmp_path / "c.tif", "w", **file.profile) as other:
            other.write(file.read())
            other.rpcs = file.rpcs
        source = tmp_path / "c.tif"
    doubled(source, tmp_path / "b.tif")
    (tmp_path / "a_RPC.TXT").unlink()
    expected |= {"line_off": 24.5, "samp_off": 20.5, "line_scale": 24.0, "samp_scale": 20.0}  # 2 (x + 1/2) - 1/2
    for name, value in polynomials(tmp_path / "b.tif").items():
        assert expected[name] is None or value == pytest.approx(expected[name]), name


def test_pixels_that_are_units_are_a_place(tmp_path: Path, doubled: Doubled) -> None:
    unit = (0x85D8, "d", 16, np.eye(4).ravel().tolist(), True)
    system = (0x87AF, "H", 16, [1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633], True)
    tifffile.imwrite(tmp_path / "a.tif", GRAY, extratags=[unit, system], metadata=None)
    doubled(tmp_path / "a.tif", tmp_path / "b.tif")
    np.testing.assert_array_equal(corners(tmp_path / "b.tif"), [[0, 0], [0, 24], [20, 0], [20, 24]])


def test_profile_xmp_and_white_that_is_0_stay(tmp_path: Path, doubled: Doubled) -> None:
    place = [(0x830E, "d", 3, [10.0, 10.0, 0.0], True), (0x8482, "d", 6, [0.0, 0, 0, 4e5, 5e6, 0], True)]
    extra = [*place, (700, 1, len(XMP), XMP, True), (34675, 7, 5, b"a\0b\0c", True)]
    tifffile.imwrite(tmp_path / "a.tif", GRAY, extratags=extra, metadata=None, photometric="miniswhite")
    assert doubled(tmp_path / "a.tif", tmp_path / "b.tif") is None
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        tags, page = file.pages[0].tags, file.pages[0]
        assert (tags[700].value, tags[34675].value, page.photometric) == (XMP, b"a\0b\0c", tifffile.PHOTOMETRIC(0))
        assert np.abs(page.asarray().reshape(24, 2, 20, 2).mean((1, 3)) - GRAY).max() <= 0.5


@pytest.mark.parametrize("stated", ["<CategoryNames><Category>wood</Category></CategoryNames>",
                                    '<GDALRasterAttributeTable tableType="thematic"/>'])  # fmt: skip
def test_bands_whose_numbers_have_names_are_copied(stated: str, tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif", np.stack([GRAY, GRAY]), crs="EPSG:32633")
    text = f'<PAMDataset><PAMRasterBand band="2">{stated}</PAMRasterBand></PAMDataset>'
    (tmp_path / "a.tif.aux.xml").write_text(text)
    assert "left out: " in str(doubled(source, tmp_path / "b.tif"))
    with rasterio.open(tmp_path / "b.tif") as file:
        copied = [np.array_equal(band, np.kron(GRAY, np.ones((2, 2)))) for band in file.read()]
    assert copied == [False, True]


def test_colours_that_become_others_are_told(tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif", np.stack([GRAY] * 4), photometric="CMYK", crs="EPSG:32633")
    assert "CMYK became RGB" in str(doubled(source, tmp_path / "b.tif"))


@pytest.mark.parametrize(("what", "words"), [("moved", "control points"), ("scaled_rpc", "polynomials")])
def test_points_and_polynomials_are_read_again(
    what: str, words: str, tmp_path: Path, doubled: Doubled, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rasterio.control import GroundControlPoint

    from subpixel.domains import geotiff_places

    points = [GroundControlPoint(*place, *place) for place in ((0, 0), (0, 20))]  # too few for a plane
    source = written(tmp_path / "a.tif", gcps=points, crs="EPSG:4326")
    (tmp_path / "a_RPC.TXT").write_text(RPC)
    true, calls = getattr(geotiff_places, what), list[object]()

    def first_wrong(given: Any, grid: Any) -> Any:
        calls.append(given)
        return given if len(calls) <= (2 if what == "moved" else 1) else true(given, grid)

    monkeypatch.setattr(geotiff_places, what, first_wrong)
    with pytest.raises(UnwritableImage, match=words):
        doubled(source, tmp_path / "b.tif", Upscaler("bicubic"))


def test_bands_that_miss_different_numbers_are_refused_but_one_by_one(tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif", np.stack([GRAY, GRAY + 1]), transform=PLACE)
    bands = "".join(f'<PAMRasterBand band="{k}"><NoDataValue>{100 + k}</NoDataValue></PAMRasterBand>' for k in (1, 2))
    (tmp_path / "a.tif.aux.xml").write_text(f"<PAMDataset>{bands}</PAMDataset>")
    with pytest.raises(UnreadableImage, match=r"different numbers for what is missing: 101\.0, 102\.0; .*--bands"):
        doubled(source, tmp_path / "b.tif")
    assert "left out" not in str(doubled(source, tmp_path / "b.tif", Upscaler("bicubic", bands=(2,))))
    with rasterio.open(source) as before, rasterio.open(tmp_path / "b.tif") as after:
        assert after.nodata == 102
        np.testing.assert_array_equal(np.kron(before.read_masks(2), np.ones((2, 2))), after.read_masks(1))


@pytest.mark.parametrize("name", ["b.tif.aux.xml", "b.tif.ovr", "b.tif.msk"])
def test_what_told_of_the_image_before_goes(name: str, tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif", transform=PLACE, crs="EPSG:32633")
    (tmp_path / name).write_text(PAM.replace("4e5", "1") if name.endswith("xml") else "of another image")
    doubled(source, tmp_path / "b.tif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tif", "b.tif"]
    np.testing.assert_array_equal(corners(tmp_path / "b.tif"), corners(source))


def test_control_points_without_a_system_stay(tmp_path: Path, doubled: Doubled) -> None:
    points = [GroundControlPoint(y, x, 400 + 10 * x, 500 - 10 * y) for y, x in ((0, 0), (0, 20), (24, 0), (24, 20))]
    source = written(tmp_path / "a.tif")
    with rasterio.open(source, "r+") as file:
        file.gcps = points, CRS()
    doubled(source, tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as made:
        assert [(p.row, p.col, p.x, p.y) for p in made.gcps[0]] == [(2 * p.row, 2 * p.col, p.x, p.y) for p in points]


@pytest.mark.parametrize("stated", ["<Scale>2</Scale>", "<UnitType>m</UnitType>", "<Description>height</Description>"])
def test_what_its_numbers_mean_beside_the_file_stays(stated: str, tmp_path: Path, doubled: Doubled) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, metadata=None)
    (tmp_path / "a.tif.aux.xml").write_text(
        f'<PAMDataset><PAMRasterBand band="1">{stated}</PAMRasterBand></PAMDataset>'
    )
    assert doubled(tmp_path / "a.tif", tmp_path / "b.tif") is None
    with rasterio.open(tmp_path / "a.tif") as before, rasterio.open(tmp_path / "b.tif") as after:
        for what in ("scales", "units", "descriptions"):
            assert getattr(before, what) == getattr(after, what), what


def test_a_mask_beside_the_file_stays(tmp_path: Path, doubled: Doubled) -> None:
    tifffile.imwrite(tmp_path / "a.tif", GRAY, metadata=None)
    mask = np.full(GRAY.shape, 255, np.uint8)
    mask[3:9, 4:8] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(tmp_path / "a.tif", "r+") as file:
        file.write_mask(mask)
    assert (tmp_path / "a.tif.msk").exists()
    doubled(tmp_path / "a.tif", tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as after:
        np.testing.assert_array_equal(after.read_masks(1), np.kron(mask, np.ones((2, 2))))


def test_what_lies_beside_it_comes_out_of_an_archive(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "scene.tif", GRAY, metadata=None)
    with zipfile.ZipFile(tmp_path / "s.zip", "w") as packed:
        packed.write(tmp_path / "scene.tif", "deep/scene.tif")
        packed.writestr("deep/scene.tfw", WORLD)
        packed.writestr("deep/scene.tif.aux.xml", PAM.replace("<GeoTransform>4e5,10,0,5e6,0,-10</GeoTransform>", ""))
        packed.writestr("scene.tfw", "1\n0\n0\n1\n0\n0\n")
    with fetched(f"{tmp_path}/s.zip/deep/scene.tif") as copy:
        np.testing.assert_array_equal(corners(copy)[0], (400000, 5000000))
        with rasterio.open(copy) as file:
            assert file.crs.to_epsg() == 32633
        left = copy.parent
    assert not left.exists()


def test_jpeg_2000_with_coordinates_is_refused_and_a_photo_with_a_world_file_told(tmp_path: Path) -> None:
    about = {"driver": "JP2OpenJPEG", "height": 24, "width": 20, "count": 1, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.jp2", "w", **about, crs="EPSG:32633", transform=PLACE) as file:
        file.write(GRAY, 1)
    with pytest.raises(UnreadableImage, match="coordinates on earth, which JPEG 2000 would lose"):
        upscale_file(tmp_path / "a.jp2", tmp_path / "b.png", Upscaler("bicubic"))
    write(tmp_path / "map.png", Image.from_array(GRAY))
    assert upscale_file(tmp_path / "map.png", tmp_path / "b.png", Upscaler("bicubic")) is None
    (tmp_path / "map.pgw").write_text(WORLD)
    note = upscale_file(tmp_path / "map.png", tmp_path / "b.png", Upscaler("bicubic"))
    assert note == "left out: where it lies, by map.pgw"


def test_coordinates_of_what_comes_in_a_pipe_are_not_blamed_on_a_missing_extra(tmp_path: Path) -> None:
    source = written(tmp_path / "a.tif", transform=PLACE, crs="EPSG:32633")
    with pytest.raises(UnreadableImage, match="whose coordinates are kept in files; save it as one"):
        upscale_file(source.read_bytes(), tmp_path / "b.tif", Upscaler("bicubic"))
