"""A network with a memory: what meets what, by hand, and over the frames of a clip."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from subpixel.archs.recurrent import Config, Recurrent


def network(**changes: int) -> Recurrent:
    torch.manual_seed(3)
    return Recurrent(Config(**({"channels": 8, "layers": 3, "hidden": 2} | changes)))


def test_a_gate_weighs_the_frame_and_what_was_known() -> None:
    """The last layer says the same everywhere: residuals 0.1, gates of sigmoid(3 - 2), features 4, cut to 1."""
    model = network()
    last = model.body[-1]
    assert isinstance(last, nn.Conv2d)
    assert last.bias is not None
    with torch.no_grad():
        last.weight.zero_()
        last.bias[:] = torch.tensor([0.1] * 4 + [3.0] * 4 + [4.0] * 2)
    low, carried = torch.rand(1, 1, 3, 4), torch.zeros(1, 7, 3, 4)
    carried[:, :4] = torch.tensor([0.0, 0.2, 0.4, 0.6]).view(1, 4, 1, 1)
    unknown, _ = model(low, carried)
    torch.testing.assert_close(unknown, F.interpolate(low, scale_factor=2) + 0.1)
    carried[:, -1] = 1
    known, kept = model(low, carried)
    trust = 0.7310586  # of 1
    expected = [0.1 + trust * (before - 0.1) for before in (0.0, 0.2, 0.4, 0.6)]
    torch.testing.assert_close(
        F.pixel_unshuffle(known, 2) - low, torch.tensor(expected).view(1, 4, 1, 1).expand(1, 4, 3, 4)
    )
    assert torch.equal(kept, torch.ones(1, 2, 3, 4))


def test_a_clip_is_its_frames_one_after_the_other() -> None:
    model, clip = network(scale=3), torch.rand(2, 3, 9, 11)
    first, second, third = clip.split(1, 1)
    with torch.no_grad():
        ((found, scale),) = model.outputs(clip)
        one, kept = model(first, torch.zeros(2, 12, 9, 11))
        two, kept = model(second, model.alignment(second, first, one, kept))
        three, _ = model(third, model.alignment(third, second, two, kept))
    assert scale == 3
    torch.testing.assert_close(found, torch.cat([one, two, three], 1))


def test_all_of_it_learns_from_the_last_frame() -> None:
    model, clip = network(), torch.rand(1, 3, 12, 12)
    model.outputs(clip)[0][0][:, 2].sum().backward()
    first = model.body[0]
    assert isinstance(first, nn.Conv2d)
    assert first.weight.grad is not None
    assert (first.weight.grad.abs().sum((0, 2, 3)) > 0).all()
