"""Which networks a target needs, against hand-made decisions."""

from __future__ import annotations

import pytest

from subpixel.errors import BadRequest
from subpixel.inference.target import LARGEST, MOST, Target, chain

SWIFT = {2: "swift-x2", 3: "swift-x3", 4: "swift-x4"}


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.5, ()), (1, ()), (1.01, (2,)), (2, (2,)), (2.001, (3,)), (3, (3,)), (3.5, (4,)), (4, (4,)),
        (5, (3, 2)), (6, (3, 2)), (7, (4, 2)), (8, (4, 2)), (9, (3, 3)), (12, (4, 3)), (16, (4, 4)),
        (17, (3, 3, 2)), (64, (4, 4, 4)),
    ],
)  # fmt: skip
def test_family_takes_the_nearest_sufficient_model_then_the_shortest_chain(
    scale: float, expected: tuple[int, ...]
) -> None:
    sides = Target(scale).sides(500, 1000, 2)
    assert chain(500, 1000, sides, SWIFT) == expected


def test_one_model_chains_with_itself_and_a_kernel_does_the_rest() -> None:
    assert chain(10, 10, (80, 80), [2]) == (2, 2, 2)
    assert chain(10, 10, (70, 71), [2]) == (2, 2, 2)
    assert chain(1, 1, (LARGEST, LARGEST), [2]) == (2,) * 20


def test_a_network_that_restores_runs_once_and_a_kernel_does_the_rest() -> None:
    assert chain(10, 20, (10, 20), [1]) == (1,)
    assert chain(10, 20, (30, 60), [1]) == (1,)


def test_no_result_has_more_pixels_than_a_disk_holds() -> None:
    assert Target(size=f"{LARGEST}x{MOST // LARGEST}").sides(9, 9, 2) == (MOST // LARGEST, LARGEST)
    for too_large in (Target(3000), Target(size=f"{LARGEST}x{MOST // LARGEST + 1}")):
        with pytest.raises(BadRequest, match="more than the limit of 4,294,967,296 in all"):
            too_large.sides(140, 160, 2)


def test_the_longer_demand_decides() -> None:
    assert chain(100, 100, (50, 390), SWIFT) == (4,)


@pytest.mark.parametrize(
    ("target", "sides"),
    [
        (Target(), (200, 400)),
        (Target(2.7), (270, 540)),
        (Target(0.001), (1, 1)),
        (Target(size="4096x"), (2048, 4096)),
        (Target(size="x1080"), (1080, 2160)),
        (Target(size="1920x1080"), (1080, 1920)),
        (Target(size="1920X1080", fit=True), (960, 1920)),
        (Target(size="1920x500", fit=True), (500, 1000)),
        (Target(size="1x", fit=True), (1, 1)),
    ],
)
def test_targets(target: Target, sides: tuple[int, int]) -> None:
    assert target.sides(100, 200, 2) == sides


def test_sides_are_rounded_to_the_nearest_pixel() -> None:
    assert Target(2.5).sides(101, 333, 2) == (253, 833)  # 252.5 -> 253, 832.5 -> 833
    assert Target(2.7).sides(333, 1, 2) == (899, 3)  # 899.1, 2.7


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf"), True])
def test_impossible_scales(scale: float) -> None:
    with pytest.raises(BadRequest, match="expected a positive number"):
        Target(scale)


@pytest.mark.parametrize("size", ["", "x", "1920", "0x10", "10x0", "-1x5", "axb", "1.5x2", "1x2x3", "9999999999x"])
def test_unreadable_sizes(size: str) -> None:
    with pytest.raises(BadRequest, match="expected WIDTHxHEIGHT"):
        Target(size=size)


def test_one_target_only_and_not_too_large() -> None:
    with pytest.raises(BadRequest, match="one of the two"):
        Target(2, "4096x")
    for target in (Target(1e6), Target(1e300), Target(size="1048577x")):
        with pytest.raises(BadRequest, match="1,048,576"):
            target.sides(100, 100, 2)


@pytest.mark.parametrize("scale", [None, 2])
def test_nothing_to_fit_into_is_told(scale: float | None) -> None:
    with pytest.raises(BadRequest, match="there is no size to lie inside"):
        Target(scale, fit=True)
