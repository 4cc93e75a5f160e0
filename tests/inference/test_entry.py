"""One entry for everything that is an image: equal values give equal results, in whatever way they come."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import subpixel
from subpixel.analysis import inspect
from subpixel.errors import BadRequest, SubpixelError
from subpixel.images import Encoding, Image, open_image, read, write
from subpixel.inference.file import upscale_file
from subpixel.inference.plan import Plan
from subpixel.inference.upscaler import Upscaler
from subpixel.runtimes import Execution

LEVELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
MODELS = ("nearest", "bicubic", "espcn", "auto")


@pytest.fixture(scope="module", params=MODELS)
def upscale(request: pytest.FixtureRequest) -> Upscaler:
    return Upscaler(request.param, scale=2, execution=Execution(precision="f32"))


def values(dtype: str) -> np.ndarray:
    """The levels in a dtype: whole numbers over its range, floats in [0, 1]."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return (LEVELS / 255).astype(kind)
    return LEVELS.astype(kind) * (257 if kind.itemsize == 2 else 1)


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Fortran": np.asfortranarray,
    "every second": lambda a: np.repeat(np.repeat(a, 2, 0), 2, 1)[::2, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "BGR": lambda a: np.ascontiguousarray(a[..., ::-1])[..., ::-1],
    "planes": lambda a: np.ascontiguousarray(a.transpose(2, 0, 1)).transpose(1, 2, 0),
    "unaligned": lambda a: _unaligned(a),
    "read-only": lambda a: _frozen(a),
}


def _unaligned(array: np.ndarray) -> np.ndarray:
    raw = np.frombuffer(b"x" + array.tobytes(), np.uint8)[1:]
    return raw.view(array.dtype).reshape(array.shape)


def _frozen(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("dtype", ["u1", "u2", "f2", "f4", "f8"])
def test_equal_values_give_equal_results(upscale: Upscaler, dtype: str) -> None:
    plain = values(dtype)
    right = upscale(plain)
    assert (right.shape, right.dtype) == ((24, 20, 3), plain.dtype)
    for (name, layout), order in product(LAYOUTS.items(), "<>"):
        given = layout(plain.astype(plain.dtype.newbyteorder(order)))
        result = upscale(given)
        assert result.dtype == given.dtype, (name, order)
        assert np.array_equal(result, right), (name, order)
        assert np.array_equal(given, plain), (name, order)  # it was not written to


def test_depths_agree(upscale: Upscaler) -> None:
    eight = upscale(values("u1")).astype(float) / 255
    for dtype, tolerance in (("u2", 0.6 / 255), ("f4", 0.6 / 255), ("f8", 0.6 / 255), ("f2", 1.6 / 255)):
        result = upscale(values(dtype)).astype(float) / (65535 if dtype == "u2" else 1)
        assert np.abs(result - eight).max() <= tolerance, dtype


SHAPES = [(0, 5, 3), (5, 0, 3), (5, 5, 0), (0, 0, 3), (0, 5), (5, 0), (0,), (5,), (5, 5, 5), ()]
OTHERS = [
    *(np.zeros((4, 4, 3), dtype) for dtype in ("?", "i4", "u4", "i1", "c8", "U1", "O", "M8[s]")),
    np.full((4, 4, 3), np.nan), np.full((4, 4, 3), np.inf), np.full((4, 4, 3), 255.0), np.full((4, 4, 3), -0.1),
    [[0]], 7, None, "", object(),
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4", "f8"])
def test_what_is_no_image_is_refused_at_once(upscale: Upscaler, shape: tuple[int, ...], dtype: str) -> None:
    with pytest.raises(BadRequest) as caught:
        upscale(np.zeros(shape, dtype))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("given", OTHERS, ids=lambda given: str(getattr(given, "dtype", type(given))))
def test_other_values_are_refused_in_one_line(upscale: Upscaler, given: Any) -> None:
    with pytest.raises(SubpixelError) as caught:
        upscale(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(0, 4), (4, 0), (0, 0)])
def test_an_empty_pillow_image_is_refused(upscale: Upscaler, size: tuple[int, int]) -> None:
    with pytest.raises(SubpixelError):
        upscale(PIL.Image.new("RGB", size))


def test_paths_bytes_and_open_files_are_one(upscale: Upscaler, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write(path, Image.from_array(LEVELS))
    right = upscale(path)
    content = path.read_bytes()
    with path.open("rb") as file:
        for given in (str(path), content, io.BytesIO(content), file):
            assert np.array_equal(upscale(given).to_array(), right.to_array())
    target = io.BytesIO()
    with path.open("rb") as file:
        upscale_file(file, target, upscale)
    assert np.array_equal(read(target.getvalue()).to_array(), right.to_array())


class Cancelled(Exception):
    pass


def test_a_file_tells_its_progress_and_can_be_cancelled(upscale: Upscaler, tmp_path: Path) -> None:
    source = tmp_path / "a.png"
    write(source, Image.from_array(LEVELS))
    told = list[int]()
    upscale_file(source, tmp_path / "b.png", upscale, on_progress=lambda plan, rows: told.append(rows))
    assert (told[0], told[-1]) == (0, 24)
    assert told == sorted(told)

    def cancel(plan: Plan, rows: int) -> None:
        if rows:
            raise Cancelled

    with pytest.raises(Cancelled):
        upscale_file(source, tmp_path / "c.png", upscale, on_progress=cancel)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("scale", [np.float32(2), np.float64(2), np.int64(2), np.uint8(2)])
def test_a_number_of_numpy_is_a_scale(scale: Any) -> None:
    assert np.array_equal(Upscaler("nearest", scale=scale)(LEVELS), LEVELS.repeat(2, 0).repeat(2, 1))


def test_a_matrix_is_an_image() -> None:
    gray = LEVELS[..., 0]
    found = Upscaler("bicubic", scale=2)(gray.view(np.matrix))
    assert np.array_equal(found, Upscaler("bicubic", scale=2)(gray))


@pytest.mark.parametrize(
    "call",
    [
        lambda: Upscaler(None),  # type: ignore[arg-type]
        lambda: Upscaler(b"swift"),  # type: ignore[arg-type]
        lambda: Upscaler("nearest", restoration="strong"),  # type: ignore[arg-type]
        lambda: Upscaler("nearest", execution="f32"),  # type: ignore[arg-type]
        lambda: Upscaler("nearest", size="9x9", fit=1),  # type: ignore[arg-type]
        lambda: Upscaler("nearest", size="9x9", fit=None),  # type: ignore[arg-type]
        lambda: Upscaler("nearest", consistent=3),  # type: ignore[arg-type]
        lambda: read(None),  # type: ignore[arg-type]
        lambda: read(3),  # type: ignore[arg-type]
        lambda: inspect(io.StringIO("a.png")),  # type: ignore[arg-type]
        lambda: Upscaler("nearest")(io.StringIO("a.png")),
        lambda: write("a.png", LEVELS),  # type: ignore[arg-type]
        lambda: write(None, Image.from_array(LEVELS)),  # type: ignore[arg-type]
        lambda: write(io.StringIO(), Image.from_array(LEVELS)),  # type: ignore[arg-type]
    ],
)
def test_a_wrong_type_is_named_in_one_line(call: Callable[[], object]) -> None:
    with pytest.raises(BadRequest) as error:
        call()
    assert "\n" not in str(error.value)


def test_a_file_opened_as_text_is_told_apart_from_a_damaged_one(tmp_path: Path) -> None:
    write(tmp_path / "a.png", Image.from_array(LEVELS))
    with (tmp_path / "a.png").open() as file, pytest.raises(BadRequest, match="'rb'"):
        read(file)  # type: ignore[arg-type]


@pytest.mark.parametrize("tile", [1, 15, -1, True, False, 16.0, "16", None])
def test_a_tile_is_no_smaller_than_its_halo_wants(tile: Any) -> None:
    with pytest.raises(BadRequest) as error:
        Upscaler("swift", scale=2, tile=tile)
    assert str(error.value) == f"tile {tile!r}; expected auto, 0 for the whole image, or 16 or more"


@pytest.mark.parametrize("bands", [3, "1", None, {1}, (0,), (-1,), ("a",), (1.5,), (True,), (None,), np.array([1])])
def test_bands_are_numbers_from_1(bands: Any) -> None:
    with pytest.raises(BadRequest, match=r"^bands ") as error:
        Upscaler("bicubic", scale=2, bands=bands)
    assert "\n" not in str(error.value)


def test_bands_of_a_list_and_of_numpy_are_those_of_a_tuple() -> None:
    for given in ((4, 2), [4, 2], (np.int64(4), np.uint8(2))):
        found = Upscaler("bicubic", scale=2, bands=given).bands  # type: ignore[arg-type]
        assert (found, [type(band) for band in found]) == ((4, 2), [int, int])


@pytest.mark.parametrize("of_file", [upscale_file, subpixel.upscale_file])
def test_a_file_is_enlarged_by_an_upscaler_that_tells_a_function(
    of_file: Callable[..., object], tmp_path: Path
) -> None:
    source, target, upscaler = tmp_path / "a.png", tmp_path / "b.png", Upscaler("nearest")
    write(source, Image.from_array(LEVELS))
    for arguments, words in (
        (("nearest",), "the upscaler is of type str; expected Upscaler"),
        ((upscaler, "png"), "the encoding is of type str; expected Encoding"),
        ((upscaler, Encoding(), 3), "on_progress is of type int; expected a function of a Plan and a number of rows"),
    ):
        with pytest.raises(BadRequest) as error:
            of_file(source, target, *arguments)
        assert str(error.value) == words
    with pytest.raises(BadRequest, match="the encoding is of type str"):
        write(target, Image.from_array(LEVELS), "png")  # type: ignore[arg-type]
    assert not target.exists()


CLOSED = io.BytesIO()
CLOSED.close()


@pytest.mark.parametrize(
    "call",
    [read, open_image, inspect, Upscaler("nearest"), lambda file: upscale_file(file, "b.png", Upscaler("nearest"))],
)
def test_a_file_that_cannot_be_read_is_told_apart_from_a_damaged_one(
    call: Callable[[Any], object], tmp_path: Path
) -> None:
    with pytest.raises(BadRequest, match="a file that is closed; open it as binary, with mode 'rb'"):
        call(CLOSED)
    with (tmp_path / "a.png").open("wb") as file, pytest.raises(BadRequest, match="not opened to read it"):
        call(file)


def test_a_result_goes_into_an_open_file_that_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="a file that is closed; open it as binary, with mode 'wb'"):
        write(CLOSED, Image.from_array(LEVELS))
    write(tmp_path / "a.png", Image.from_array(LEVELS))
    with (tmp_path / "a.png").open("rb") as file, pytest.raises(BadRequest, match="not opened to write it"):
        write(file, Image.from_array(LEVELS))


def test_a_masked_array_and_a_tile_of_numpy() -> None:
    array = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(BadRequest, match="the array has a mask"):
        Upscaler("bicubic", scale=2)(np.ma.masked_array(array, mask=False))
    assert Upscaler("bicubic", scale=2, tile=np.int64(64)).tile == 64  # pyright: ignore[reportArgumentType]
