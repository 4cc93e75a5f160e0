"""What TIFF files say in tags that rasterio and tifffile do not pass on: kept, or named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from doubled import Doubled, smooth

from subpixel.errors import UnwritableImage

rasterio = pytest.importorskip("rasterio")
tifffile = pytest.importorskip("tifffile")
pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning"),
]

PLACE = [(33550, "d", 3, (10.0, 10.0, 0.0), True), (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 4e6, 0.0), True)]
MAP = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
SINCE = (1, 1, 1, 5, 1024, 0, 1, 2, 1025, 0, 1, 1, 2048, 0, 1, 9000, 2054, 0, 1, 9102, 5120, 34736, 1, 0)


def values(kind: str = "uint16") -> np.ndarray:
    return (smooth() * 30 + 100).astype(kind)


def of_tags(path: Path, *tags: Any) -> Path:
    tifffile.imwrite(path, values(), metadata=None, software=False, extratags=[*PLACE, *tags])
    return path


def test_tags_that_are_lost_are_named(tmp_path: Path, doubled: Doubled) -> None:
    tags = [(271, "s", 0, "DJI", True), (274, "H", 1, 3, True), (65000, "s", 0, "ours", True)]
    source = of_tags(tmp_path / "a.tif", (34735, "H", len(MAP), MAP, True), *tags)
    assert doubled(source, tmp_path / "b.tif") == "left out: the orientation, the tag 0xfde8, the tag Make"
    plain = of_tags(tmp_path / "c.tif", (34735, "H", len(MAP), MAP, True))
    assert doubled(plain, tmp_path / "d.tif") is None


def test_the_epoch_of_moving_ground_is_named(tmp_path: Path, doubled: Doubled) -> None:
    since = [(34735, "H", len(SINCE), SINCE, True), (34736, "d", 1, 2021.3, True)]
    note = doubled(of_tags(tmp_path / "a.tif", *since), tmp_path / "b.tif")
    assert note == "left out: the epoch of its coordinates"


def test_a_reference_system_without_room_is_refused(tmp_path: Path, doubled: Doubled) -> None:
    source = of_tags(tmp_path / "a.tif")
    turned = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +to_meter=0.0174532925199433"
    with rasterio.open(source, "r+") as file:
        file.crs = turned  # which GDAL writes into a file beside it
    with rasterio.open(source) as file:
        assert file.crs
    with pytest.raises(UnwritableImage, match="no room in a GeoTIFF"):
        doubled(source, tmp_path / "b.tif")


def test_colours_that_are_multiplied_by_alpha_stay_so(tmp_path: Path, doubled: Doubled) -> None:
    about = {"driver": "GTiff", "count": 4, "height": 24, "width": 20, "dtype": "uint8", "crs": "EPSG:32633"}
    place = rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)
    with rasterio.open(tmp_path / "a.tif", "w", **about, transform=place, photometric="RGB", ALPHA="YES") as file:
        file.write(np.stack([values("uint8")] * 4))
    for alpha, number in (("PREMULTIPLIED", 1), ("YES", 2)):
        with rasterio.open(tmp_path / "a.tif", "w", **about, transform=place, photometric="RGB", ALPHA=alpha) as file:
            file.write(np.stack([values("uint8")] * 4))
        doubled(tmp_path / "a.tif", tmp_path / "b.tif")
        with tifffile.TiffFile(tmp_path / "b.tif") as made:
            assert made.pages[0].extrasamples == (number,)


def test_ome_tiff_keeps_its_bits_and_its_profile(tmp_path: Path, doubled: Doubled) -> None:
    step = np.where(np.arange(20) < 10, 0, 4095).astype("uint16") + np.zeros((24, 1), "uint16")
    tifffile.imwrite(tmp_path / "a.ome.tif", step, ome=True, metadata={"axes": "YX", "SignificantBits": 12})
    note = doubled(tmp_path / "a.ome.tif", tmp_path / "b.ome.tif")
    assert tifffile.imread(tmp_path / "b.ome.tif").max() == 4095
    assert note is not None
    assert "clipped" in note
    colours, profile = np.stack([values("uint8")] * 3, -1), bytes(range(128))
    about = {"metadata": {"axes": "YXS"}, "photometric": "rgb", "iccprofile": profile}
    tags = [(271, "s", 0, "Maker", True)]
    tifffile.imwrite(tmp_path / "c.ome.tif", colours, ome=True, extratags=tags, **about)
    assert doubled(tmp_path / "c.ome.tif", tmp_path / "d.ome.tif") == "left out: the tag Make"
    with tifffile.TiffFile(tmp_path / "d.ome.tif") as made:
        assert made.pages[0].iccprofile == profile
