"""GeoTIFF, read back by rasterio itself."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, blocks, smooth

from subpixel import Upscaler
from subpixel.domains import formats, upscale_file
from subpixel.errors import BadRequest, UnreadableImage, UnwritableImage
from subpixel.inference.file import upscale_file as upscale_photo

rasterio = pytest.importorskip("rasterio")
pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),  # rasterio's own bounds
]

TRANSFORM = rasterio.Affine(8.0, 1.5, 400000.0, 2.5, -9.0, 5100000.0)  # turned and sheared


def written(path: Path, values: np.ndarray, **profile: Any) -> Path:
    values = values if values.ndim == 3 else values[None]
    count, height, width = values.shape
    about = {"crs": "EPSG:32633", "transform": TRANSFORM, "count": count, "height": height, "width": width}
    with rasterio.open(path, "w", driver="GTiff", **(about | {"dtype": values.dtype.name} | profile)) as file:
        file.write(values)
    return path


def test_the_place_stays_to_the_last_bit(tmp_path: Path, doubled: Doubled) -> None:
    source = written(tmp_path / "a.tif", (smooth() * 3000 + 9000).astype("uint16"), nodata=65535, compress="lzw")
    with rasterio.open(source, "r+") as file:
        file.update_tags(SENSOR="MSI", TIFFTAG_DATETIME="2026:01:02 03:04:05")
        file.update_tags(1, wavelength="665")
        file.update_tags(1, STATISTICS_MEAN="3")
        file.descriptions, file.units, file.scales, file.offsets = ("red",), ("reflectance",), (1e-4,), (0.5,)
    assert doubled(source, tmp_path / "b.tif") is None
    with rasterio.open(source) as before, rasterio.open(tmp_path / "b.tif") as after:
        for corner in ((0, 0), (1, 0), (0, 1), (1, 1)):
            places = [f.transform @ (corner[0] * f.width, corner[1] * f.height) for f in (before, after)]
            assert places[0] == places[1]
        for same in ("crs", "nodata", "dtypes", "descriptions", "units", "scales", "offsets", "bounds", "compression"):
            assert getattr(before, same) == getattr(after, same), same
        assert after.tags() == before.tags()
        assert after.tags(1) == {"wavelength": "665"}
        assert np.abs(blocks(after.read(1)) - before.read(1)).max() <= 0.5


def test_twenty_bands_of_16_bits_in_tiles_as_the_whole(tmp_path: Path, doubled: Doubled) -> None:
    values = np.random.default_rng(0).integers(0, 60000, (20, 40, 36), "uint16")
    source = written(tmp_path / "a.tif", values)
    doubled(source, tmp_path / "tiles.tif", Upscaler("espcn-x2", tile=16))
    doubled(source, tmp_path / "whole.tif", Upscaler("espcn-x2", tile=0))
    with rasterio.open(tmp_path / "tiles.tif") as tiles, rasterio.open(tmp_path / "whole.tif") as whole:
        assert tiles.count == 20
        difference = np.abs(tiles.read().astype(int) - whole.read())
    assert difference.max() <= 1  # rounding


def test_colours_go_together_and_others_alone(tmp_path: Path, doubled: Doubled) -> None:
    values = np.stack([smooth() * k + 100 for k in (10, 20, 30, 40)]).astype("uint8")
    source = written(tmp_path / "a.tif", values, photometric="RGB")
    with rasterio.open(source, "r+") as file:
        file.colorinterp = [*file.colorinterp[:3], rasterio.enums.ColorInterp.undefined]
    doubled(source, tmp_path / "b.tif")
    together = Upscaler("espcn-x2", consistent="none")(values[:3].transpose(1, 2, 0))
    with rasterio.open(tmp_path / "b.tif") as after:
        got = after.read()
        assert [kind.name for kind in after.colorinterp] == ["red", "green", "blue", "undefined"]
    assert np.abs(got[:3].transpose(1, 2, 0).astype(int) - together).max() <= 6
    assert np.abs(blocks(got) - values).max() <= 0.5


def test_bands_are_chosen_with_what_is_said_of_them(tmp_path: Path) -> None:
    values = np.stack([smooth() * k + 500 for k in (10, 20, 30, 40)]).astype("uint16")
    source = written(tmp_path / "a.tif", values)
    with rasterio.open(source, "r+") as file:
        file.descriptions = tuple("abcd")
        file.update_tags(4, wavelength="865")
    upscale_file(source, tmp_path / "b.tif", Upscaler("espcn-x2", bands=(4, 2)))
    with rasterio.open(tmp_path / "b.tif") as after:
        assert (after.descriptions, after.tags(1)) == (("d", "b"), {"wavelength": "865"})
        assert np.abs(blocks(after.read()) - values[[3, 1]]).max() <= 0.5
    for wrong in ((5,), (1, 1)):
        with pytest.raises(UnreadableImage, match="expected some of 1 to 4"):
            upscale_file(source, tmp_path / "c.tif", Upscaler("espcn-x2", bands=wrong))
    with pytest.raises(BadRequest, match="GeoTIFF alone"):
        upscale_file(tmp_path / "a.png", tmp_path / "c.png", Upscaler("espcn-x2", bands=(1,)))


def test_missing_values_and_masks_stay(tmp_path: Path, doubled: Doubled) -> None:
    values = smooth().astype("float32")
    values[4:7, 5:9] = np.nan
    assert "saw filled values" in str(doubled(written(tmp_path / "a.tif", values, nodata=np.nan), tmp_path / "b.tif"))
    with rasterio.open(tmp_path / "b.tif") as after:
        np.testing.assert_array_equal(np.isnan(after.read(1)), np.kron(np.isnan(values), np.ones((2, 2), bool)))
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        source = written(tmp_path / "c.tif", (smooth() * 50 + 120).astype("uint8"))
        mask = (smooth() > 0.2).astype("uint8") * 255
        with rasterio.open(source, "r+") as file:
            file.write_mask(mask)
    doubled(source, tmp_path / "d.tif")
    with rasterio.open(tmp_path / "d.tif") as after:
        assert rasterio.enums.MaskFlags.per_dataset in after.mask_flag_enums[0]
        np.testing.assert_array_equal(after.read_masks(1), np.kron(mask, np.ones((2, 2), "uint8")))


def test_classes_are_copied(tmp_path: Path, doubled: Doubled) -> None:
    values = np.random.default_rng(0).integers(0, 9, (12, 10), "uint8")
    colours = {k: (k, 2 * k, 3 * k, 255) for k in range(9)}
    source = written(tmp_path / "a.tif", values, photometric="palette")
    with rasterio.open(source, "r+") as file:
        file.write_colormap(1, colours)
    doubled(source, tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as after:
        np.testing.assert_array_equal(after.read(1), np.kron(values, np.ones((2, 2), "uint8")))
        assert {k: after.colormap(1)[k] for k in range(9)} == colours


def test_control_points_and_polynomials_grow_along(tmp_path: Path, doubled: Doubled) -> None:
    point = rasterio.control.GroundControlPoint
    points = [point(r, c, 10 + c * 0.1, 50 - r * 0.2) for r, c in ((0, 0), (24, 0), (0, 20), (12.5, 7.25))]
    source = written(tmp_path / "a.tif", (smooth() * 50 + 120).astype("uint8"), transform=None, crs=None)
    numbers = [1.0] + [0.0] * 19
    line, sample = [0, 0, -1, *[0.0] * 17], [0, 1, 0, *[0.0] * 17]
    rpc = rasterio.rpc.RPC(0.0, 50.0, 50.0, 0.1, numbers, line, 12.0, 12.0, 10.0, 0.1, numbers, sample, 10.0, 10.0)
    with rasterio.open(source, "r+") as file:
        file.gcps, file.rpcs = (points, rasterio.CRS.from_epsg(4326)), rpc
    doubled(source, tmp_path / "b.tif")
    with rasterio.open(tmp_path / "b.tif") as after:
        got, system = after.gcps
        assert system == rasterio.CRS.from_epsg(4326)
        assert [(p.row, p.col, p.x, p.y) for p in got] == [(2 * p.row, 2 * p.col, p.x, p.y) for p in points]
        with rasterio.transform.RPCTransformer(rpc) as old, rasterio.transform.RPCTransformer(after.rpcs) as new:
            for x, y in ((10.01, 50.02), (9.95, 49.99)):
                before, behind = (np.array(t.rowcol(x, y, op=lambda v: v)) for t in (old, new))
                np.testing.assert_allclose(behind, 2 * before, atol=1e-6)  # both count from the corner


def test_a_cog_becomes_a_cog_and_overviews_are_rebuilt(tmp_path: Path, doubled: Doubled) -> None:
    plain = written(tmp_path / "plain.tif", np.tile((smooth(64, 64) * 50 + 120).astype("uint8"), (5, 5)))
    rasterio.shutil.copy(plain, tmp_path / "a.tif", driver="COG")
    doubled(tmp_path / "a.tif", tmp_path / "b.tif", Upscaler("bicubic", scale=2))
    with rasterio.open(tmp_path / "b.tif") as after:
        assert after.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert after.overviews(1)[0] == 2
        assert after.transform == TRANSFORM @ rasterio.Affine.scale(0.5)
    with rasterio.open(plain, "r+") as file:
        file.build_overviews([2, 4], rasterio.enums.Resampling.average)
    doubled(plain, tmp_path / "c.tif", Upscaler("bicubic", scale=2))
    with rasterio.open(tmp_path / "c.tif") as after:
        assert after.overviews(1) == [2, 4]
        half = after.read(1, out_shape=(320, 320))
        assert np.abs(half - blocks(after.read(1))).max() <= 1


def test_a_wrong_place_leaves_nothing(tmp_path: Path, doubled: Doubled, monkeypatch: pytest.MonkeyPatch) -> None:
    from subpixel.domains import geotiff_places

    source = written(tmp_path / "a.tif", (smooth() * 50 + 120).astype("uint8"))
    monkeypatch.setattr(geotiff_places, "scaled", lambda transform, _: transform)
    with pytest.raises(UnwritableImage, match="off by"):
        doubled(source, tmp_path / "b.tif")
    assert not (tmp_path / "b.tif").exists()


def test_what_cannot_be_kept_is_refused_in_one_line(tmp_path: Path, doubled: Doubled) -> None:
    cases = {"complex64": (smooth() + 1j).astype("complex64"), "int64": np.ones((9, 9), "int64")}
    for name, values in cases.items():
        with pytest.raises(UnreadableImage, match=name):
            doubled(written(tmp_path / f"{name}.tif", values), tmp_path / "b.tif")
    source = written(tmp_path / "a.tif", (smooth() * 50 + 120).astype("uint8"))
    with pytest.raises(UnwritableImage, match=r"becomes of GeoTIFF ends in .tif or .tiff; name it so"):
        doubled(source, tmp_path / "b.png")
    source.write_bytes(source.read_bytes()[:-500])
    with pytest.raises(UnreadableImage, match=r"^cannot read .*a\.tif: it is damaged: a\.tif, band 1: ") as caught:
        doubled(source, tmp_path / "b.tif")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "b.tif").exists()


def test_without_the_extra_it_is_refused_by_both_roads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path / "a.tif", (smooth() * 50 + 120).astype("uint8"))
    with pytest.raises(UnreadableImage, match=r"pip install 'subpixel\[geo\]'"):
        upscale_photo(source, tmp_path / "b.tif", Upscaler("bicubic"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UnreadableImage, match=r"pip install 'subpixel\[geo\]'"):
        formats.format_of(source)


def test_the_command_line_keeps_the_place(tmp_path: Path) -> None:
    source = written(tmp_path / "scene.tif", (smooth() * 50 + 120).astype("uint8"))
    command = [sys.executable, "-m", "subpixel", "upscale", str(source), "-m", "espcn-x2"]
    subprocess.run(command, check=True, capture_output=True)
    with rasterio.open(tmp_path / "scene_x2.tif") as after:
        assert after.crs == rasterio.CRS.from_epsg(32633)
        assert after.transform == TRANSFORM @ rasterio.Affine.scale(0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in other ways elsewhere")
def test_memory_follows_from_the_width_not_from_the_scene(tmp_path: Path) -> None:
    """A child process enlarges 1,536 x 4,000 numbers of 16 bits (49 MB as results) below 400 MB in all."""
    profile = {"height": 1536, "width": 4000, "count": 1, "dtype": "uint16", "tiled": True, "compress": "deflate"}
    row = (np.sin(np.arange(4000) / 9) * 900 + 2000).astype("uint16")
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", transform=TRANSFORM, crs="EPSG:32633", **profile) as f:
        for y in range(0, 1536, 256):
            window = rasterio.windows.Window(0, y, 4000, 256)
            f.write(np.tile(row, (window.height, 1))[None], window=window)
    code = (
        "import sys; from subpixel import Upscaler, upscale_file;"
        "upscale_file(sys.argv[1], sys.argv[2], Upscaler('bicubic', scale=2));"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "a.tif"), str(tmp_path / "b.tif")]
    peak = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert peak < 400_000, f"{peak} KiB"


def test_floats_of_64_bits_stay_what_they_are_wherever_they_lie(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(300, 40, (2, 12, 10))
    profile = {"driver": "GTiff", "width": 10, "height": 12, "count": 2, "dtype": "float64"}
    with warnings.catch_warnings(action="ignore"), rasterio.open(tmp_path / "a.tif", "w", **profile) as file:
        file.write(values)
    upscale_file(tmp_path / "a.tif", tmp_path / "b.tif", Upscaler("bicubic", scale=2))
    with warnings.catch_warnings(action="ignore"), rasterio.open(tmp_path / "b.tif") as file:
        found = file.read()
    assert found.dtype == np.float64
    np.testing.assert_allclose(found.reshape(2, 12, 2, 10, 2).mean((2, 4)), values, rtol=1e-6)
