"""A network with a memory is for videos: every other command says so at once, in one line, and leaves nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from subpixel.images import Image, write

Call = Callable[..., tuple[int, str, str]]
LINE = "subpixel: swift-video-x2 carries what it sees from frame to frame; it is for videos: subpixel video\n"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(2):
        pixels = np.random.default_rng(k).integers(0, 256, (40, 44, 3), dtype=np.uint8)
        write(folder / f"{k}.png", Image.from_array(pixels))
    return folder


def _fits(path: Path) -> Path:
    pytest.importorskip("astropy.io.fits").PrimaryHDU(np.ones((12, 10), np.float32)).writeto(path)
    return path


def _geotiff(path: Path) -> Path:
    rasterio = pytest.importorskip("rasterio")
    place = rasterio.Affine(10, 0, 500_000, 0, -10, 5_000_000)
    how = {"driver": "GTiff", "height": 12, "width": 10, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", crs="EPSG:32633", transform=place, **how) as file:
        file.write(np.ones((12, 10), np.float32), 1)
    return path


@pytest.mark.parametrize("model", ["swift-video", "swift-video-x2"])
def test_photos(model: str, call: Call, photos: Path, tmp_path: Path) -> None:
    assert call("upscale", photos, "-m", model, "-o", tmp_path / "out") == (2, "", LINE)
    assert call("compare", photos / "0.png", "-m", model, "-o", tmp_path / "out.png") == (2, "", LINE)
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize(("make", "ending"), [(_fits, "fits"), (_geotiff, "tif")])
def test_images_of_science(make: Callable[[Path], Path], ending: str, call: Call, tmp_path: Path) -> None:
    source, target = make(tmp_path / f"a.{ending}"), tmp_path / f"b.{ending}"
    assert call("upscale", source, "-m", "swift-video", "-o", target) == (2, "", LINE)
    assert list(tmp_path.iterdir()) == [source]


def test_a_burst_before_a_frame_is_read(call: Call, tmp_path: Path) -> None:
    frames = [tmp_path / "a.png", tmp_path / "b.png"]
    for frame in frames:
        frame.write_bytes(b"no image")
    assert call("burst", *frames, "-m", "swift-video", "-o", tmp_path / "new/out.png") == (2, "", LINE)
    assert sorted(tmp_path.iterdir()) == frames


@pytest.mark.parametrize("to", ["onnx", "openvino", "torchscript", "safetensors", "opencv-pb"])
def test_export(to: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("export", "swift-video-x2", "--to", to) == (2, "", LINE)
    assert not list(tmp_path.iterdir())


def test_a_measurement_names_no_image(call: Call, photos: Path) -> None:
    assert call("eval", "swift-video", "--data", photos) == (2, "", LINE)
