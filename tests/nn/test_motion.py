"""Motion that is known is found, and what was seen is carried along it."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from subpixel.nn import motion
from subpixel.nn.motion import Alignment, flow, places


def waves(height: int, width: int, right: float = 0.0, down: float = 0.0) -> Tensor:
    """A smooth pattern in [0, 1], moved by so many pixels."""
    y, x = torch.meshgrid(torch.arange(height) - down, torch.arange(width) - right, indexing="ij")
    total = torch.zeros(height, width)
    for k, angle in enumerate((0.3, 1.4, 2.2, 2.9)):
        total += torch.sin((x * math.cos(angle) + y * math.sin(angle)) * (0.25 + 0.11 * k) + k)
    return (0.5 + total / 8)[None, None]


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.5, 0.0), (-0.3, 0.8), (2.5, -1.25), (5.0, 3.0)])
def test_the_flow_is_the_shift(moved: tuple[float, float]) -> None:
    right, down = moved
    found = flow(waves(60, 70, right, down), waves(60, 70))[..., 12:-12, 12:-12]
    expected = torch.tensor([-right, -down]).view(1, 2, 1, 1)  # what is here now was there before
    assert (found - expected).norm(dim=1).median() < 0.06


def test_where_nothing_is_to_be_seen_nothing_moves() -> None:
    blank = torch.full((1, 1, 33, 41), 0.4)
    assert flow(blank, blank).abs().max() < 1e-6


def test_what_lies_beyond_its_reach_does_not_change_it() -> None:
    near, far = torch.rand(2, 1, 1, 24, 2 * motion.REACH + 40), torch.rand(2, 1, 1, 24, 2 * motion.REACH + 40)
    far[..., 20 : 2 * motion.REACH + 20] = near[..., 20 : 2 * motion.REACH + 20]
    here = slice(motion.REACH + 20, motion.REACH + 21)
    torch.testing.assert_close(flow(*far)[..., here], flow(*near)[..., here], atol=1e-3, rtol=0)
    assert (flow(*far)[..., 25] - flow(*near)[..., 25]).abs().max() > 0.01


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (17, 30)])
def test_any_size_has_a_flow(size: tuple[int, int]) -> None:
    found = flow(torch.rand(2, 1, *size), torch.rand(2, 1, *size))
    assert found.shape == (2, 2, *size)
    assert found.isfinite().all()


def test_no_flow_leads_to_the_same_place() -> None:
    image = torch.rand(2, 3, 7, 9)
    grid = places(torch.zeros(2, 2, 7, 9))
    torch.testing.assert_close(F.grid_sample(image, grid, align_corners=False), image, atol=1e-5, rtol=0)


def test_a_pixel_to_the_right_is_sampled_there() -> None:
    image, shift = torch.rand(1, 1, 6, 8), torch.zeros(1, 2, 6, 8)
    shift[:, 0] = 1
    sampled = F.grid_sample(image, places(shift), align_corners=False)
    torch.testing.assert_close(sampled[..., :-1], image[..., 1:], atol=1e-5, rtol=0)


def test_what_stands_still_is_carried_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bicubic at the middle of a pixel is that pixel; by phases, less the frame."""
    monkeypatch.setattr(motion, "flow", lambda now, _: torch.zeros(1, 2, *now.shape[2:]))
    low, enlarged, kept = torch.rand(1, 1, 5, 6), torch.rand(1, 1, 15, 18), torch.rand(1, 2, 5, 6)
    carried = Alignment(3, 2)(low, low, enlarged, kept)
    torch.testing.assert_close(carried[:, :9], F.pixel_unshuffle(enlarged, 3) - low, atol=1e-5, rtol=0)
    torch.testing.assert_close(carried[:, 9:11], kept, atol=1e-5, rtol=0)
    assert torch.equal(carried[:, 11:], torch.ones(1, 1, 5, 6))


def test_an_enlarged_frame_is_carried_along_the_motion() -> None:
    """Moved by 1.5 pixels, the frame before says what lies between the pixels of this one."""
    fine = [waves(96, 112, 2 * right) for right in (0.0, 1.5)]
    carried = Alignment(2, 1)(_coarse(fine[1]), _coarse(fine[0]), fine[0], torch.zeros(1, 1, 48, 56))
    found = F.pixel_shuffle(carried[:, :4] + _coarse(fine[1]), 2)[..., 12:-12, 12:-12]
    error = (found - fine[1][..., 12:-12, 12:-12]).abs()
    still = (fine[0] - fine[1])[..., 12:-12, 12:-12].abs()
    assert error.mean() < still.mean() / 10


def _coarse(fine: Tensor) -> Tensor:
    return F.avg_pool2d(fine, 2)
