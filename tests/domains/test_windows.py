"""Windows of scenes: they lie where they lay, and are equal to that part of the enlarged whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import smooth

from subpixel import Request, upscale_file
from subpixel.domains.frames import Grid, nowhere
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.values import in_memory
from subpixel.errors import BadRequest, UnreadableImage
from subpixel.inference.window import Window

RNG = np.random.default_rng(7)
SCENE = (smooth(96, 120) * 900 + 4000 + RNG.normal(0, 40, (96, 120))).astype("uint16")
WINDOWS = ["40,30,50x36", "0,0,30x20", "71,50,49x46", "0,0,120x96", "5,90,1x1"]
"""Inside, in a corner, in the other, the whole, and one pixel."""
REQUEST = {"model": "espcn-x2", "scale": 2}


def part_of(whole: np.ndarray, window: Window, factor: int = 2) -> np.ndarray:
    """That of the last two axes."""
    rows, columns = (slice(s.start * factor, s.stop * factor) for s in (window.rows, window.columns))
    return whole[..., rows, columns]


def enlarged(
    values: np.ndarray, window: str | None = None, about: dict[str, Any] | None = None, **asked: Any
) -> np.ndarray:
    plane = Plane(nowhere(*values.shape), in_memory(values), values.dtype, **(about or {}))
    result = Enlarged(plane, Request(**(REQUEST | asked), window=window).upscaler())
    return result.rows(0, result.shape.height)[..., 0]


@pytest.mark.parametrize("window", WINDOWS)
def test_a_window_is_that_part_of_the_whole(window: str) -> None:
    values = SCENE.astype("float32")
    values[20:44, 60:90] = np.nan  # wider than what is filled, and across the border of a window
    got = enlarged(values, window)
    np.testing.assert_array_equal(got, part_of(enlarged(values), Window.parse(window)))
    assert not np.array_equal(got, enlarged(np.ascontiguousarray(values[Window.parse(window).rows]), None)[: len(got)])


@pytest.mark.parametrize(
    ("asked", "about"),
    [
        ({"model": "swift"}, {}),
        ({"model": "swift", "scale": 4}, {}),
        ({"model": "bicubic", "scale": 3}, {}),
        ({"model": "auto"}, {"law": "asinh"}),
        ({"consistent": "none"}, {}),
        ({"model": "nearest"}, {"counts": True}),
        ({}, {"labels": True}),
    ],
    ids=str,
)
def test_whatever_is_asked_for(asked: dict[str, Any], about: dict[str, Any]) -> None:
    window = Window(61, 40, 30, 24)
    for values in (SCENE, SCENE.astype("float64")):
        whole, got = enlarged(values, about=about, **asked), enlarged(values, str(window), about, **asked)
        np.testing.assert_array_equal(got, part_of(whole, window, int(asked.get("scale", 2))))


@pytest.mark.parametrize("consistent", ["bicubic", "sigma=0.7"])
def test_sums_of_many_numbers_differ_in_the_last_bits_of_a_double(consistent: str) -> None:
    window = Window(61, 40, 30, 24)
    whole, got = (enlarged(SCENE.astype("float64"), text, consistent=consistent) for text in (None, str(window)))
    np.testing.assert_allclose(got, part_of(whole, window), rtol=1e-14)


def test_other_factors_see_what_is_around_where_their_pixels_meet() -> None:
    got = enlarged(SCENE.astype("float64"), "40,30,50x36", model="bicubic", scale=1.5)
    whole = enlarged(SCENE.astype("float64"), model="bicubic", scale=1.5)
    np.testing.assert_allclose(got, whole[45:99, 60:135], rtol=1e-12)
    assert enlarged(SCENE, "40,30,47x31", model="bicubic", scale=2.7).shape == (84, 127)
    assert enlarged(SCENE, "40,30,47x31", model="bicubic", scale=None, size="100x").shape == (66, 100)


def test_what_is_around_a_window() -> None:
    whole = Window(3, 10, 20, 30)
    assert whole.widened(8, (1, 1), (45, 100)) == Window(0, 2, 31, 43)
    assert whole.widened(8, (3, 5), (45, 100)) == Window(3, 1, 30, 42)  # steps of 5 do not fit before column 3
    assert whole.widened(8, (9, 9), (45, 100)) == whole
    assert Grid(whole, 45, 54).units == (2, 10)
    assert Grid(whole, 60, 40).counted(7, 5) == (14, 10)


@pytest.mark.parametrize(
    "text", ["", "1,2", "1,2,3", "-1,0,5x5", "0,0,0x5", "1.5,0,5x5", "0,0,5x", "0;0;5x5", "٣,0,5x5"]
)
def test_what_is_no_window_is_one_line(text: str) -> None:
    with pytest.raises(BadRequest, match="expected X,Y,WIDTHxHEIGHT") as caught:
        Request.parse({"window": text})
    assert "\n" not in str(caught.value)


def test_a_window_must_lie_within() -> None:
    for window in ("0,0,121x1", "120,0,1x1", "0,96,1x1", "30,60,10x37"):
        with pytest.raises(BadRequest, match=f"window {window} does not lie within its 120 x 96 pixels"):
            enlarged(SCENE, window)


def test_photos_and_what_says_no_place_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match=r"a\.png: a window is enlarged of GeoTIFF, FITS, OME-Zarr alone"):
        upscale_file(tmp_path / "a.png", tmp_path / "b.png", Request(window="0,0,5x5").upscaler())


# GeoTIFF

rasterio = pytest.importorskip("rasterio")
pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
TRANSFORM = rasterio.Affine(8.0, 1.5, 400000.0, 2.5, -9.0, 5100000.0)  # turned and sheared


def written(path: Path, values: np.ndarray, **profile: Any) -> Path:
    count, height, width = values.shape
    about = {"count": count, "height": height, "width": width, "dtype": values.dtype.name, "nodata": 0}
    about |= {"crs": "EPSG:32633", "transform": TRANSFORM} | profile
    with rasterio.open(path, "w", driver="GTiff", **about) as file:
        file.write(values)
    return path


@pytest.mark.parametrize("window", WINDOWS)
def test_two_hundred_points_lie_where_they_lay(tmp_path: Path, window: str) -> None:
    values = np.stack([SCENE, SCENE // 2])
    values[:, 33:36, 45:52] = 0
    source, part = written(tmp_path / "a.tif", values), Window.parse(window)
    upscale_file(source, tmp_path / "part.tif", Request(**REQUEST, window=window).upscaler())
    upscale_file(source, tmp_path / "whole.tif", Request(**REQUEST).upscaler())
    with rasterio.open(tmp_path / "part.tif") as got, rasterio.open(tmp_path / "whole.tif") as whole:
        points = RNG.random((200, 2)) * (part.width, part.height) + (part.x, part.y)
        for x, y in points:
            behind = ~got.transform @ (TRANSFORM @ (x, y))
            assert behind == pytest.approx((2 * (x - part.x), 2 * (y - part.y)), abs=1e-6)
        assert got.transform @ (0, 0) == TRANSFORM @ (part.x, part.y)
        assert (got.crs, got.nodata, got.tags()) == (whole.crs, whole.nodata, whole.tags())
        np.testing.assert_array_equal(got.read(), part_of(whole.read(), part))


def test_control_points_polynomials_and_masks_move_along(tmp_path: Path) -> None:
    point = rasterio.control.GroundControlPoint
    points = [point(r, c, 10 + c * 0.1, 50 - r * 0.2) for r, c in ((0, 0), (96, 0), (0, 120), (12.5, 7.25))]
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = written(tmp_path / "a.tif", SCENE[None], transform=None, crs=None, nodata=None)
        numbers = [1.0] + [0.0] * 19
        line, sample = [0, 0, -1, *[0.0] * 17], [0, 1, 0, *[0.0] * 17]
        rpc = rasterio.rpc.RPC(0.0, 50.0, 50.0, 0.1, numbers, line, 12.0, 12.0, 10.0, 0.1, numbers, sample, 10.0, 10.0)
        mask = (RNG.random(SCENE.shape) > 0.3).astype("uint8") * 255
        with rasterio.open(source, "r+") as file:
            file.gcps, file.rpcs = (points, rasterio.CRS.from_epsg(4326)), rpc
            file.write_mask(mask)
    upscale_file(source, tmp_path / "b.tif", Request(**REQUEST, window="40,30,50x36").upscaler())
    with rasterio.open(tmp_path / "b.tif") as after:
        got = [(p.row, p.col, p.x, p.y) for p in after.gcps[0]]
        assert got == [(2 * (p.row - 30), 2 * (p.col - 40), p.x, p.y) for p in points]
        with rasterio.transform.RPCTransformer(rpc) as old, rasterio.transform.RPCTransformer(after.rpcs) as new:
            for x, y in ((10.01, 50.02), (9.95, 49.99)):
                before, behind = (np.array(t.rowcol(x, y, op=lambda v: v)) for t in (old, new))
                np.testing.assert_allclose(behind, 2 * (before - (30, 40)), atol=1e-6)  # both count from the corner
        np.testing.assert_array_equal(after.read_masks(1), np.kron(mask[30:66, 40:90], np.ones((2, 2), "uint8")))


def test_a_part_of_a_cog_is_one_and_overviews_fit(tmp_path: Path) -> None:
    plain = written(tmp_path / "plain.tif", np.tile(SCENE, (8, 7))[None])
    with rasterio.open(plain, "r+") as file:
        file.build_overviews([2, 4, 32], rasterio.enums.Resampling.average)
    rasterio.shutil.copy(plain, tmp_path / "cog.tif", driver="COG")
    bicubic = Request(model="bicubic", scale=2, window="300,200,12x9").upscaler()
    for name in ("plain", "cog"):
        upscale_file(tmp_path / f"{name}.tif", tmp_path / "b.tif", bicubic)
        with rasterio.open(tmp_path / "b.tif") as after:
            assert after.shape == (18, 24)
            assert (after.tags(ns="IMAGE_STRUCTURE").get("LAYOUT") == "COG") is (name == "cog")
            assert name == "cog" or after.overviews(1) == [2, 4]


def test_a_window_that_is_outside_names_the_file(tmp_path: Path) -> None:
    source = written(tmp_path / "a.tif", SCENE[None])
    with pytest.raises(UnreadableImage, match=r"a\.tif: window 100,0,64x64 does not lie within"):
        upscale_file(source, tmp_path / "b.tif", Request(**REQUEST, window="100,0,64x64").upscaler())
    assert not (tmp_path / "b.tif").exists()


def test_the_command_line_names_windows_apart_and_knows_them_again(tmp_path: Path) -> None:
    source = written(tmp_path / "scene.tif", SCENE[None])
    command = [sys.executable, "-m", "subpixel", "upscale", "-m", "bicubic", "-s", "2", "--window"]
    for window in ("40,30,50x36", "0,0,20x20"):
        subprocess.run([*command, window, str(source)], check=True, capture_output=True)
    names = {"scene.tif", "scene_x2+40+30+50x36.tif", "scene_x2+0+0+20x20.tif"}
    assert {path.name for path in tmp_path.iterdir()} == names
    again = subprocess.run([*command, "0,0,20x20", str(tmp_path)], check=True, capture_output=True, text=True)
    assert {path.name for path in tmp_path.iterdir()} == names, again.stderr


def test_windows_in_a_folder_do_not_take_each_others_place(tmp_path: Path) -> None:
    source, made = written(tmp_path / "scene.tif", SCENE[None]), tmp_path / "parts"
    command = [sys.executable, "-m", "subpixel", "upscale", "-m", "bicubic", "-s", "2", "-o", str(made), "--window"]
    for window in ("40,30,50x36", "0,0,20x24", "0,0,20x24"):
        subprocess.run([*command, window, str(source)], check=True, capture_output=True)
    parts = {path.name: rasterio.open(path).shape for path in made.iterdir()}
    assert parts == {"scene_x2+40+30+50x36.tif": (72, 100), "scene_x2+0+0+20x24.tif": (48, 40)}


# FITS and OME-Zarr


def test_a_part_of_a_sky_keeps_its_stars_and_counts(tmp_path: Path) -> None:
    fits = pytest.importorskip("astropy.io.fits")
    from astropy.wcs import WCS

    header = fits.Header()
    header.update(CTYPE1="RA---TAN", CTYPE2="DEC--TAN", CRVAL1=150.1, CRVAL2=2.2, CRPIX1=9.3, CRPIX2=14.8)
    header.update(CD1_1=-7e-5, CD1_2=2e-5, CD2_1=1.5e-5, CD2_2=8e-5)
    header.update(LTV1=3.0, LTM1_1=0.5, DATASEC="[11:120,1:96]", BIASSEC="[1:10,1:96]")
    fits.writeto(tmp_path / "a.fits", SCENE.astype("float32"), header)
    for name, window in (("part", "40,30,50x36"), ("whole", None)):
        upscale_file(tmp_path / "a.fits", tmp_path / f"{name}.fits", Request(scale=2, window=window).upscaler())
    got, after = fits.getdata(tmp_path / "part.fits", header=True)
    np.testing.assert_array_equal(got, part_of(fits.getdata(tmp_path / "whole.fits"), Window(40, 30, 50, 36)))
    places = RNG.random((200, 2)) * (50, 36) + (40, 30)
    sky = WCS(header).all_pix2world(places + 0.5, 1)
    there = WCS(after).all_world2pix(sky, 1, tolerance=1e-10) - 0.5
    np.testing.assert_allclose(there, 2 * (places - (40, 30)), atol=1e-6)
    assert after["LTV1"] == 2 * (3.0 - 0.5 - 40) + 0.5
    assert after["DATASEC"] == "[1:100,1:72]"
    assert "BIASSEC" not in after


def test_a_part_of_a_zarr_is_translated(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w", zarr_format=2)
    group.create_array("0", shape=(2, 96, 120), dtype="uint16", chunks=(1, 64, 64))[:] = np.stack([SCENE, SCENE // 2])
    moves = [{"type": "scale", "scale": [3.0, 0.5, 0.25]}, {"type": "translation", "translation": [1.0, 10.0, 20.0]}]
    axes = [{"name": name, "type": "space"} for name in "zyx"]
    level = {"path": "0", "coordinateTransformations": moves}
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": [level]}]
    for name, window in (("part", "40,30,50x36"), ("whole", None)):
        asked = Request(**REQUEST, window=window).upscaler()
        upscale_file(tmp_path / "a.ome.zarr", tmp_path / f"{name}.ome.zarr", asked)
    got, whole = (zarr.open_group(str(tmp_path / f"{name}.ome.zarr"), mode="r") for name in ("part", "whole"))
    np.testing.assert_array_equal(got["0"][:], part_of(whole["0"][:], Window(40, 30, 50, 36)))
    scale, translation = got.attrs["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"] == [3.0, 0.25, 0.125]
    assert translation["translation"] == [1.0, 10 + 0.5 * 30 - 0.125, 20 + 0.25 * 40 - 0.0625]
