"""Whole upscales: targets, kinds of images, alpha, files; with a network whose result is known."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from subpixel import models, resample
from subpixel.errors import BadRequest, OutOfMemory, UnknownName
from subpixel.images import Floats, Image, Metadata, read, write
from subpixel.inference import file, plan, target
from subpixel.inference import upscaler as module
from subpixel.inference.file import upscale_file
from subpixel.inference.rows import Rows
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape


def card(scale: int) -> models.Card:
    numbers = {"scale": scale, "halo": 2, "parameters": 10, "macs": 10.0, "widest": 16}
    return models.Card(name=f"near-x{scale}", arch="near", config={}, licence="", paper="", **numbers)


class Nearest:
    """A runtime that repeats pixels."""

    name, precision, device = "fake", "f32", "cpu"

    def __init__(self, scale: int) -> None:
        self.scale, self.closed = scale, False

    def run(self, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        first = 1 if feeds["low"].dtype == np.uint8 else 2
        return {"high": feeds["low"].repeat(self.scale, axis=first).repeat(self.scale, axis=first + 1)}

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Nearest]:
    """A store of the models near-x2, near-x3 and near-x4, and the runtimes that were opened."""
    runtimes: list[Nearest] = []
    store = {f"near-x{s}": models.Model(Path(f"near-x{s}.onnx"), card(s), b"") for s in (2, 3, 4)}

    def load(name: str) -> models.Model:
        if name not in store:
            raise UnknownName("model", name, store)
        return store[name]

    def open_runtime(model: models.Model, *how: object) -> Nearest:
        runtimes.append(Nearest(model.card.scale))
        return runtimes[-1]

    monkeypatch.setattr(models, "names", lambda: sorted(store))
    monkeypatch.setattr(models, "load", load)
    monkeypatch.setattr(module, "open_runtime", open_runtime)
    monkeypatch.setattr(models.Model, "on_gray", property(lambda model: model))
    return runtimes


def noise(*shape: int) -> Floats:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def repeated(array: Any, scale: int) -> Any:
    return array.repeat(scale, 0).repeat(scale, 1)


# ---- targets -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "factor"), [(2, 2), (3, 3), (4, 4), (6, 6), (8, 8), (16, 16)])
def test_factors_of_the_family_are_exact(scale: float, factor: int) -> None:
    pixels = noise(5, 7, 3)
    result = Upscaler("near", scale=scale)(Image(pixels))
    np.testing.assert_array_equal(result.pixels, repeated(pixels, factor))


def test_the_rest_is_antialiased_bicubic() -> None:
    pixels = noise(20, 30, 3)
    expected = np.clip(resample.resize(repeated(pixels, 3), 54, 81), 0, 1)
    for tile in ("auto", 0, 16):
        got = Upscaler("near", scale=2.7, tile=tile)(Image(pixels)).pixels
        np.testing.assert_allclose(got, expected, atol=3e-6)


@pytest.mark.parametrize("kernel", resample.KERNELS)
@pytest.mark.parametrize("scale", [0.5, 1.0, 1.7, 3.0])
def test_kernels_are_models(kernel: str, scale: float) -> None:
    pixels = noise(20, 30, 3)
    expected = np.clip(resample.resize(pixels, round(20 * scale), round(30 * scale), kernel), 0, 1)
    np.testing.assert_allclose(Upscaler(kernel, scale=scale)(Image(pixels)).pixels, expected, atol=3e-6)


def test_sizes(opened: list[Nearest]) -> None:
    image = Image(noise(10, 20, 3))
    for options, sides in (
        ({"size": "x25"}, (25, 50)),
        ({"size": "33x33"}, (33, 33)),
        ({"size": "33x33", "fit": True}, (17, 33)),
        ({}, (20, 40)),
    ):
        result = Upscaler("near", **options)(image)
        assert (result.height, result.width) == sides
    assert Upscaler("near-x3")(image).height == 30  # a model's own factor
    opened.clear()
    assert Upscaler("near", scale=0.5)(image).height == 5
    assert not opened  # nothing was compiled for what a kernel does


def described(upscaler: Upscaler) -> str:
    return upscaler.prepare(Shape(10, 20, 3)).describe()


def test_description() -> None:
    assert described(Upscaler("near", scale=8)) == (
        "near-x4, then near-x2 to 160x80; near-x4: fake f32 on cpu; near-x2: fake f32 on cpu; tile 20x10; tile 80x40"
    )
    assert described(Upscaler("near-x2", tile=16, tta=True)) == (
        "near-x2 to 40x20; near-x2: fake f32 on cpu; tile 16x16; self-ensemble of 8"
    )
    assert described(Upscaler("lanczos", scale=2)) == "lanczos to 40x20"
    assert described(Upscaler("near", scale=2.7)).startswith("near-x3, then bicubic to 54x27; near-x3: fake")
    assert described(Upscaler("near", scale=1)) == "unchanged to 20x10 (a model only enlarges)"
    assert described(Upscaler("near", scale=0.5)) == "bicubic to 10x5 (a model only enlarges)"


def test_an_unknown_model_is_compared_with_models_families_and_kernels() -> None:
    for wrong, right in (("near-x5", "near-x"), ("neer", "near"), ("bicubik", "bicubic")):
        with pytest.raises(UnknownName, match=f"did you mean '{right}"):
            Upscaler(wrong)


@pytest.mark.parametrize(
    "options", [{"scale": 0}, {"scale": "2"}, {"size": "big"}, {"size": (800, 600)}, {"tile": -1}, {"tile": "large"}]
)
def test_impossible_options(options: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        Upscaler("near", **options)


def test_compiled_models_are_kept_and_closed(opened: list[Nearest]) -> None:
    with Upscaler("near", scale=8) as upscaler:
        for side in (3, 9):
            upscaler(Image(noise(side, side, 3)))
        assert [r.scale for r in opened] == [4, 2]
    assert all(r.closed for r in opened)


# ---- kinds -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 3), (1, 1), (1, 9, 3)])
def test_arrays_come_back_as_they_were(shape: tuple[int, ...], dtype: type) -> None:
    floats = np.dtype(dtype).kind == "f"
    array = (noise(*shape) * (1 if floats else 255)).astype(dtype)
    result = Upscaler("near-x2")(array)
    assert result.dtype == dtype
    np.testing.assert_allclose(result, repeated(array, 2), atol=1e-7 if floats else 0)


@pytest.mark.parametrize("shape", [(0, 5, 3), (5, 0), (0, 0, 1), (5, 5, 0), (5,), (5, 5, 5), (2, 5, 5, 3)])
@pytest.mark.parametrize("dtype", ["u1", ">u2", "f4"])
def test_arrays_that_are_no_images_are_refused_at_once(shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(BadRequest, match="shape"):
        Upscaler("near-x2")(np.zeros(shape, dtype))


def test_arrays_with_alpha() -> None:
    array = (noise(5, 6, 4) * 254 + 1).astype(np.uint8)
    result = Upscaler("near-x2")(array)
    np.testing.assert_array_equal(result[..., :3], repeated(array[..., :3], 2))
    expected = np.clip(np.floor(resample.resize(array[..., 3].astype(np.float64), 10, 12) + 0.5), 0, 255)
    assert np.abs(result[..., 3] - expected).max() <= 1


def test_images_keep_their_metadata() -> None:
    metadata = Metadata(icc=b"profile", dpi=(300.0, 300.0))
    image = Image.from_array((noise(5, 6, 3) * 65535).astype(np.uint16), metadata)
    assert Upscaler("near-x2")(image).metadata == image.metadata


def test_pillow_images_and_paths(tmp_path: Path) -> None:
    array = (noise(5, 6, 3) * 255).astype(np.uint8)
    image = Upscaler("near-x2")(PIL.Image.fromarray(array))
    assert isinstance(image, PIL.Image.Image)
    np.testing.assert_array_equal(np.asarray(image), repeated(array, 2))
    write(tmp_path / "a.png", Image.from_array(array))
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(Upscaler("near-x2")(path).to_array(), repeated(array, 2))


def test_anything_else_is_refused() -> None:
    with pytest.raises(BadRequest, match="type list"):
        Upscaler("near-x2")([1, 2])  # type: ignore[call-overload]


# ---- alpha -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["near", "bicubic", "lanczos"])
@pytest.mark.parametrize("scale", [0.3, 2, 2.5])
def test_alpha_has_no_fringe(model: str, scale: float) -> None:
    """White on black nothing: whatever can be seen of the result is white."""
    alpha = np.zeros((120, 120), np.float32)
    alpha[50:70, 55:75] = 1
    image = Image(np.repeat(alpha[..., None], 3, axis=2), alpha)
    result = Upscaler(model, scale=scale, tile=16)(image)
    assert result.alpha is not None
    visible = result.alpha > 0
    assert visible.any()
    assert not visible.all()
    np.testing.assert_allclose(result.pixels[visible], 1, atol=1e-5)
    assert result.pixels[0, 0, 0] < 1e-5  # far away nothing has changed


def test_alpha_is_enlarged_bicubically() -> None:
    alpha = noise(12, 13)
    result = Upscaler("near", scale=2.5)(Image(noise(12, 13, 1), alpha))
    assert result.alpha is not None
    np.testing.assert_allclose(result.alpha, np.clip(resample.resize(alpha, 30, 33), 0, 1), atol=3e-6)


# ---- files and memory --------------------------------------------------------------------------------------


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_a_file_equals_an_image_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int) -> None:
    monkeypatch.setattr(file, "_ENCODED", 2000)  # bands of some rows
    array = (noise(40, 30, channels) * 65535).astype(np.uint16)
    array[:10, :10, -1] = 0
    write(tmp_path / "a.png", Image.from_array(array, Metadata(dpi=(300.0, 300.0))))
    upscaler = Upscaler("near", scale=2.7, tile=16)
    upscale_file(tmp_path / "a.png", tmp_path / "b.png", upscaler)
    expected, got = upscaler(tmp_path / "a.png"), read(tmp_path / "b.png")
    assert (got.metadata.dpi, got.metadata.depth) == ((300.0, 300.0), 16)
    difference = got.to_array().astype(int) - expected.to_array().astype(int)
    assert np.abs(difference).max() <= 1


def test_a_file_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.png", Image.from_array((noise(40, 30, 3) * 255).astype(np.uint8)))
    monkeypatch.setattr(file, "_ENCODED", 2000)
    calls = iter(range(3))

    def failing(self: Nearest, feeds: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        if next(calls, None) is None:
            raise MemoryError
        return {"high": feeds["low"].repeat(2, axis=1).repeat(2, axis=2)}

    monkeypatch.setattr(Nearest, "run", failing)
    with pytest.raises(OutOfMemory):
        upscale_file(tmp_path / "a.png", tmp_path / "b.png", Upscaler("near-x2", tile=16))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


class Endless:
    """An image that is nowhere in memory."""

    def __init__(self, height: int) -> None:
        self.shape = Shape(height, 200, 3)

    def rows(self, y0: int, y1: int) -> Floats:
        y, x = np.arange(y0, y1)[:, None], np.arange(self.shape.width)
        return np.repeat(((x ^ y) % 256 / np.float32(255))[..., None].astype(np.float32), 3, axis=2)


def peak_of(rows: Rows) -> int:
    """Bytes alive at most while an image is pulled, band by band."""
    tracemalloc.start()
    try:
        for y in range(0, rows.shape.height, 64):
            rows.rows(y, min(y + 64, rows.shape.height))
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("scale", [3, 3.5, 8], ids=str)
def test_the_memory_does_not_grow_with_the_image(monkeypatch: pytest.MonkeyPatch, scale: float) -> None:
    monkeypatch.setattr(plan, "_FEATURES", 2**21)
    monkeypatch.setattr(plan, "_RESULTS", 2**20)
    monkeypatch.setattr("subpixel.inference.rows._BAND", 2**16)
    upscaler = Upscaler("near", scale=scale)
    short, long = (peak_of(upscaler.prepare(Shape(height, 200, 3)).rows(Endless(height))) for height in (200, 800))
    assert long < 1.1 * short
    assert long < 0.2 * 800 * 200 * scale**2 * 3 * 4 + 2**20


def test_a_result_that_does_not_fit_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target, "MOST", 2**40)
    with pytest.raises(OutOfMemory, match="does not fit into memory"):
        Upscaler("nearest", size="1048576x1048576")(Image(noise(1, 1, 3)))
