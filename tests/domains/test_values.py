"""Laws, what is missing and how it is filled, and planes against computations on the whole."""

from __future__ import annotations

import numpy as np
import pytest

from subpixel import Upscaler
from subpixel.domains.frames import AffineFrame, Grid, nowhere, verify
from subpixel.domains.planes import Enlarged, Plane
from subpixel.domains.values import FilledRows, ValidRows, in_memory, normalisation, rim
from subpixel.errors import BadRequest, UnwritableImage
from subpixel.inference.window import Window

RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.sin(np.arange(24) / 4), np.cos(np.arange(20) / 5))


def enlarged(values: np.ndarray, model: str = "espcn-x2", tile: int = 0, **about: object) -> np.ndarray:
    plane = Plane(nowhere(24, 20), in_memory(values), about.pop("dtype", values.dtype), **about)  # type: ignore[arg-type]
    result = Enlarged(plane, Upscaler(model, scale=2, tile=tile))
    step = tile + 3 if tile else result.shape.height
    return np.concatenate([result.rows(y, min(y + step, result.shape.height)) for y in range(0, 48, step)])[..., 0]


@pytest.mark.parametrize("law", ["affine", "asinh"])
def test_laws_are_undone_exactly(law: str) -> None:
    values = 1e4 + 300 * RNG.standard_normal(5000)
    values[:3] += 1e5
    made = normalisation(values, law)  # type: ignore[arg-type]
    stretched = made.apply(values)
    assert np.quantile(stretched, 0.001) == pytest.approx(0, abs=0.01)
    np.testing.assert_allclose(made.undo(stretched), values, rtol=2e-6)
    assert bool(stretched.max() <= 1.001) is (law == "asinh")


def test_a_flat_plane_has_a_law() -> None:
    assert normalisation(np.full(9, 7.0), "asinh").undo(np.zeros(1))[0] == 7
    assert normalisation(np.zeros(0), "affine").span == 1


def test_missing_is_the_nearest_value_then_the_constant() -> None:
    values = in_memory(np.array([[5.0, np.nan, np.nan, np.nan, np.nan, np.nan, 7.0]]))
    filled = FilledRows(values, ValidRows(values), 2, 9.0).rows(0, 1)[0, :, 0]
    assert filled.tolist() == [5, 5, 5, 9, 7, 7, 7]


def test_filled_in_bands_as_the_whole() -> None:
    values = RNG.random((40, 30))
    values[RNG.random((40, 30)) < 0.8] = np.nan
    rows = FilledRows(in_memory(values), ValidRows(in_memory(values)), 5, 0.0)
    whole = rows.rows(0, 40)
    np.testing.assert_array_equal(np.concatenate([rows.rows(y, y + 4) for y in range(0, 40, 4)]), whole)


def test_the_rim_is_what_lies_near() -> None:
    values = np.ones((20, 20))
    values[10, 12] = np.nan
    expected = np.zeros((20, 20), bool)
    expected[7:14, 9:16] = True
    expected[10, 12] = False
    valid = ValidRows(in_memory(values))
    np.testing.assert_array_equal(rim(valid, 0, 20, 3), expected)
    np.testing.assert_array_equal(rim(valid, 9, 12, 3), expected[9:12])


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
def test_any_type_and_range_keeps_its_means(dtype: str) -> None:
    values = (SMOOTH * 50 + 110).astype(dtype) if dtype == "uint8" else (SMOOTH * 5000 + 15000).astype(dtype)
    got = enlarged(values)
    assert got.dtype == dtype
    off = np.abs(got.astype(float).reshape(24, 2, 20, 2).mean((1, 3)) - values).max()
    assert off <= (0.5 if values.dtype.kind != "f" else 1e-3)


@pytest.mark.parametrize("law", ["affine", "asinh"])
def test_in_tiles_and_bands_as_the_whole(law: str) -> None:
    values = SMOOTH.astype(np.float64) * 1000
    values[5:9, 3:7] = np.nan
    whole, parts = (enlarged(values, tile=tile, law=law) for tile in (0, 16))
    np.testing.assert_allclose(parts, whole, atol=1e-3)


def test_masks_stay_and_values_never_become_them() -> None:
    values = (SMOOTH * 2).astype(np.int16)  # full of numbers near the one that means nothing
    mask = in_memory(values != 0)
    got = enlarged(values, mask=mask, nodata=(0.0, 0.0))
    np.testing.assert_array_equal(got == 0, np.kron(values == 0, np.ones((2, 2), bool)))
    holes = SMOOTH.copy()
    holes[3, 4], holes[6, 6] = np.nan, -np.inf
    np.testing.assert_array_equal(enlarged(holes)[[6, 12], [9, 13]], [np.nan, -np.inf])
    assert np.isfinite(enlarged(holes)).sum() == 48 * 40 - 8


@pytest.mark.parametrize("nodata", [(-3.0, 3.0), (-32768.0, -900.0), (900.0, 32767.0), (40000.0, 70000.0)])
def test_no_measured_value_enters_a_range_that_means_nothing(nodata: tuple[float, float]) -> None:
    values = np.where(SMOOTH > 0, 1000, -1000).astype(np.int16)
    missing = (values >= nodata[0]) & (values <= nodata[1])
    got = enlarged(values, "bicubic", mask=in_memory(~missing), nodata=nodata)
    inside = (got >= nodata[0]) & (got <= nodata[1])
    np.testing.assert_array_equal(inside, np.kron(missing, np.ones((2, 2), bool)))


def test_a_float_is_moved_from_the_number_that_means_nothing() -> None:
    values = np.full((24, 20), 7, np.float32)
    got = enlarged(values, "nearest", nodata=(7.0, 7.0))
    np.testing.assert_array_equal(got, np.nextafter(np.float32(7), np.float32(np.inf)))


_MOST = float(np.finfo("f4").max)


@pytest.mark.parametrize(
    ("dtype", "bits", "low", "high"),
    [("uint16", 12, 0, 4095), ("int16", 12, -2048, 2047), ("uint8", None, 0, 255), ("float32", 16, -65504, 65504),
     ("float32", None, -_MOST, _MOST)],
)  # fmt: skip
def test_what_the_file_cannot_hold_is_clipped_and_counted(
    dtype: str, bits: int | None, low: float, high: float
) -> None:
    values = np.where(np.arange(20) % 8 < 4, low, high).astype(dtype)[None].repeat(24, 0)  # the kernel goes beyond both
    upscaler = Upscaler("bicubic", scale=2)
    kept = Enlarged(Plane(nowhere(24, 20), in_memory(values), values.dtype, bits=bits), upscaler)
    free = Enlarged(Plane(nowhere(24, 20), in_memory(values.astype("f8")), np.dtype("f8")), upscaler).rows(0, 48)
    got, wanted = kept.rows(0, 48), free if dtype == "float32" else np.floor(free + 0.5)
    np.testing.assert_allclose(got.astype(float), wanted.clip(low, high), rtol=1e-6, atol=1e-6 * high)
    assert kept.tally.clipped == np.count_nonzero((wanted < low) | (wanted > high)) > 0


def test_labels_are_copied_and_counts_are_shared() -> None:
    labels = RNG.integers(0, 2**40, (24, 20))
    np.testing.assert_array_equal(enlarged(labels, labels=True), np.kron(labels, np.ones((2, 2), int)))
    got = enlarged(SMOOTH + 5, counts=True)
    np.testing.assert_allclose(got.reshape(24, 2, 20, 2).sum((1, 3)), SMOOTH + 5, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["complex64", "int64", "uint64", "bool"])
def test_numbers_that_cannot_be_kept_are_refused(dtype: str) -> None:
    with pytest.raises(BadRequest, match=dtype):
        enlarged(SMOOTH.astype(dtype))


def test_auto_takes_a_network_but_for_stars() -> None:
    for law, expected in (("asinh", "lanczos"), ("affine", "swift-x2")):
        plane = Plane(nowhere(24, 20), in_memory(SMOOTH), SMOOTH.dtype, law=law)  # type: ignore[arg-type]
        plan = Enlarged(plane, Upscaler(scale=2)).plan
        assert plan is not None
        assert plan.networks == expected
    assert Upscaler("swift", scale=2).with_default("lanczos").factor == 2


def test_counts_need_a_whole_factor_and_nothing_shrinks() -> None:
    plane = Plane(nowhere(24, 20), in_memory(SMOOTH), SMOOTH.dtype, counts=True)
    with pytest.raises(BadRequest, match="whole factors"):
        Enlarged(plane, Upscaler("bicubic", scale=1.5))
    with pytest.raises(BadRequest, match="enlarged only"):
        Enlarged(plane, Upscaler("bicubic", scale=0.5))


def test_coordinates_that_are_off_are_found() -> None:
    frame = AffineFrame.of((10, 20, 30), (0.3, 0.1, 0), (0.1, -0.3, 0.2))
    grid = Grid(Window(0, 0, 60, 50), 150, 120)
    verify("a", frame, frame.scaled((3, 2)), grid)
    for wrong in (frame, AffineFrame(frame.origin + 1e-5, frame.across / 2, frame.down / 3)):
        with pytest.raises(UnwritableImage, match="off by"):
            verify("a", frame, wrong, grid)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("absurd", [-np.finfo("f4").max, np.float32(1e20), np.float32(9.96921e36)])
@pytest.mark.parametrize("corner", [4, 40])
def test_numbers_that_no_sensor_measures_are_missing(absurd: np.float32, corner: int) -> None:
    """Programs write them where they measured nothing; the rest is as if they were not there."""
    values = 0.3 + 0.05 * np.random.default_rng(0).standard_normal((90, 90), np.float32)
    hidden = values.copy()
    hidden[:corner, :corner] = absurd
    result, missing = enlarged(hidden), enlarged(np.where(hidden == absurd, np.float32(np.nan), hidden))
    assert (result[: 2 * corner, : 2 * corner] == absurd).all()
    kept = ~np.isnan(missing)
    assert kept.sum() == 180 * 180 - 4 * corner**2
    assert np.array_equal(result[kept], missing[kept])


@pytest.mark.filterwarnings("error")
def test_a_few_numbers_far_from_all_others_do_not_drown_them() -> None:
    """Values around 150, and 0.2 % of 60,000: away from these they are nearly what they are without."""
    rng = np.random.default_rng(0)
    calm = np.rint(150 + 6 * rng.standard_normal((200, 200))).astype(np.uint16)
    hot = calm.copy()
    hot[tuple(rng.integers(0, 60, (2, 80)))] = 60000
    without, result = (enlarged(plane)[:, 200:].astype(np.float64) for plane in (calm, hot))
    assert np.abs(result - without).mean() < 3  # 26 where 0.1 % and 99.9 % become 0 and 1
    assert np.abs(result.reshape(200, 2, 100, 2).mean((1, 3)) - calm[:, 100:]).max() <= 0.5


def test_float64_takes_what_esri_writes_for_nothing() -> None:
    values = 0.3 + 0.05 * np.random.default_rng(0).standard_normal((40, 40))
    values[:9, :9] = -np.finfo("f8").max
    result = enlarged(values)
    assert (result[:18, :18] == -np.finfo("f8").max).all()
    assert 0 < result[18:].min() < result[18:].max() < 0.6
