"""What GeoTIFF states in rare tags, or in files beside it, read back by rasterio and tifffile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, smooth

from subpixel import Upscaler
from subpixel.errors import UnwritableImage

rasterio = pytest.importorskip("rasterio")
tifffile = pytest.importorskip("tifffile")
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
