"""Parameter counts by hand and beside what was published, receptive fields, and what the layers mean."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import nn

from subpixel import archs
from subpixel.archs.srgan import Discriminator
from subpixel.nn.affine import DIV2K_MEAN
from subpixel.nn.arch import Arch
from subpixel.nn.upsampling import Bicubic


def conv(inputs: int, outputs: int, kernel: int = 3, groups: int = 1) -> int:
    """Weights and biases of a convolution."""
    return kernel**2 * inputs * outputs // groups + outputs


BLOCK = 2 * conv(64, 64)  # 73,856
CASCADE = 3 * BLOCK + conv(128, 64, 1) + conv(192, 64, 1) + conv(256, 64, 1)
MIXES = conv(128, 64, 1) + conv(192, 64, 1) + conv(256, 64, 1)
UPS = conv(64, 256) + conv(64, 576) + 2 * conv(64, 256)  # x2, x3 and x4
UPS_4 = 3 * conv(64, 256, groups=4) + conv(64, 576, groups=4)
LIGHT = 2 * conv(64, 64, groups=4) + conv(64, 64, 1) + MIXES
MDSR_ENDS = conv(3, 64) + 3 * 4 * conv(64, 64, 5) + conv(64, 64) + UPS + conv(64, 3)

COUNTS: list[tuple[str, dict[str, Any], int, int, float | None]] = [
    # name, configuration, by hand, the same as a number, published (in thousands)
    ("srcnn", {}, conv(1, 64, 9) + conv(64, 32, 5) + conv(32, 1, 5), 57_281, 57),
    ("srcnn", {"kernels": (9, 1, 5)}, conv(1, 64, 9) + conv(64, 32, 1) + conv(32, 1, 5), 8_129, 8.129),
    ("vdsr", {}, 9 * 64 * 2 + 18 * 9 * 64**2, 664_704, 665),
    ("edsr", {}, conv(3, 64) + 16 * BLOCK + conv(64, 64) + conv(64, 256) + conv(64, 3), 1_369_859, 1_370),
    ("edsr", {"scale": 3}, 1_369_859 - conv(64, 256) + conv(64, 576), 1_554_499, 1_554),
    ("edsr", {"scale": 4}, 1_369_859 + conv(64, 256), 1_517_571, 1_518),
    ("edsr", {"blocks": 32, "features": 256, "residual_scale": 0.1},
     conv(3, 256) + 65 * conv(256, 256) + conv(256, 1024) + conv(256, 3), 40_729_603, 40_700),
    ("mdsr", {}, MDSR_ENDS + 16 * BLOCK, 3_227_203, 3_200),
    ("mdsr", {"blocks": 80}, MDSR_ENDS + 80 * BLOCK, 7_953_987, 8_000),
    ("carn", {}, conv(3, 64) + 3 * CASCADE + MIXES + UPS + conv(64, 3), 1_591_939, 1_592),
    ("carn", {"groups": 4, "recursive": True},
     conv(3, 64) + 3 * LIGHT + MIXES + UPS_4 + conv(64, 3), 414_787, 412),
    ("srresnet", {}, conv(3, 64, 9) + 1 + 16 * (2 * 9 * 64**2 + 4 * 64 + 1) + 9 * 64**2 + 2 * 64
     + 2 * (conv(64, 256) + 1) + conv(64, 3, 9), 1_547_350, 1_550),
    ("srgan", {}, 1_547_350, 1_547_350, 1_550),
    ("lapsrn", {"scale": 2}, 576 + 11 * 9 * 64**2 + 576 + 16, 406_672, None),
    ("lapsrn", {"scale": 4}, 576 + 2 * (11 * 9 * 64**2 + 576 + 16), 812_768, 813),
    ("lapsrn", {"scale": 4, "kernel": 4}, 812_768 + 2 * (16 - 9) * 64**2, 870_112, None),
    ("mslapsrn", {"scale": 2}, 576 + 6 * 9 * 64**2 + 576 + 16, 222_352, 222),
    ("mslapsrn", {"scale": 8}, 222_352, 222_352, 222),
    ("fsrcnn", {}, conv(1, 56, 5) + conv(56, 12, 1) + 4 * conv(12, 12) + conv(12, 56, 1) + conv(56, 1, 9)
     + 56 + 5 * 12 + 56, 12_809, 12.809),
]  # fmt: skip


def parameters(model: nn.Module) -> int:
    """Numbers that are learned."""
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(("name", "config", "by_hand", "number", "published"), COUNTS)
def test_parameters_are_the_papers(
    name: str, config: dict[str, Any], by_hand: int, number: int, published: float | None
) -> None:
    assert parameters(archs.create(name, config)) == by_hand == number
    if published is not None:
        assert number / 1000 == pytest.approx(published, rel=0.01)


def test_published_counts_without_biases() -> None:
    """SRCNN's 57,184, FSRCNN's 12,464 and CARN-M's 412 K count weights alone."""
    for name, config, weights in [("srcnn", {}, 57_184), ("fsrcnn", {}, 12_464),
                                  ("carn", {"groups": 4, "recursive": True}, 412_032)]:  # fmt: skip
        model = archs.create(name, config)
        assert sum(p.numel() for p in model.parameters() if p.dim() == 4) == weights


def test_the_discriminator_is_the_papers() -> None:
    widths = [64, 64, 128, 128, 256, 256, 512, 512]
    convolutions = sum(9 * a * b + 2 * b for a, b in pairwise(widths))
    by_hand = conv(3, 64) + convolutions + (512 * 6 * 6 + 1) * 1024 + 1024 + 1
    discriminator = Discriminator(Discriminator.Config())
    assert parameters(discriminator) == by_hand == 23_563_649
    small = Discriminator(Discriminator.Config(patch=32, features=4, dense=8))
    assert small(torch.rand(3, 3, 32, 32)).shape == (3, 1)


@pytest.mark.parametrize(("name", "config", "halo"), [
    ("edsr", {}, 36), ("edsr", {"blocks": 32}, 68), ("vdsr", {"scale": 2}, 12), ("fsrcnn", {"scale": 3}, 8),
    ("carn", {}, 21), ("mdsr", {}, 44), ("srcnn", {"scale": 3}, 4),
])  # fmt: skip
def test_halos_of_the_published_sizes(name: str, config: dict[str, Any], halo: int) -> None:
    assert archs.create(name, config).halo == halo


def silent(model: Arch, *layers: nn.Module) -> Arch:
    """The network with some layers giving nothing."""
    for layer in layers:
        for parameter in layer.parameters():
            nn.init.zeros_(parameter)
    return model.eval()


@pytest.mark.parametrize("scale", [2, 3, 5])
def test_vdsr_adds_to_bicubic(scale: int) -> None:
    model, x = archs.create("vdsr", {"scale": scale, "layers": 3}), torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(silent(model, model.body)(x), Bicubic(scale)(x), atol=1e-6, rtol=0)


def test_vdsr_begins_as_bicubic() -> None:
    model, x = archs.create("vdsr", {"scale": 3}), torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        torch.testing.assert_close(model(x), Bicubic(3)(x), atol=1e-6, rtol=0)


def test_the_recursions_of_ms_lapsrn_begin_as_identities() -> None:
    few, many = (archs.create("mslapsrn", {"recursions": n, "features": 8}) for n in (1, 6))
    many.load_state_dict(few.state_dict())
    x = torch.rand(1, 3, 6, 5)
    with torch.no_grad():
        assert torch.equal(few(x), many(x))


@pytest.mark.parametrize("name", ["edsr", "mdsr", "carn"])
def test_a_silent_tail_gives_the_mean_colour(name: str) -> None:
    model = archs.create(name, {"features": 8})
    with torch.no_grad():
        y = silent(model, model.tail)(torch.rand(1, 3, 4, 4))
    torch.testing.assert_close(y[0, :, 3, 3], torch.tensor(DIV2K_MEAN))


@pytest.mark.parametrize(("name", "config"), [
    ("carn", {}), ("carn", {"groups": 8, "recursive": True}), ("srresnet", {"batch_norm": False}), ("srgan", {}),
])  # fmt: skip
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_without_a_skip_to_the_image_begin_as_nearest(name: str, config: dict[str, Any], scale: int) -> None:
    model, x = archs.create(name, {"scale": scale, "features": 16, **config}).eval(), torch.rand(1, 3, 5, 4)
    nearest = x.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    with torch.no_grad():
        torch.testing.assert_close(model(x), nearest, atol=1e-6, rtol=0)


def test_the_network_without_batch_normalisation_is_the_deployed_one() -> None:
    with_norm, without = (archs.create("srresnet", {"scale": 2, "blocks": 2, "batch_norm": b}) for b in (True, False))
    shapes = [{k: v.shape for k, v in model.deploy().state_dict().items()} for model in (with_norm, without)]
    assert shapes[0] == shapes[1]


def test_a_silent_generator_gives_mid_gray() -> None:
    model = archs.create("srresnet", {"blocks": 1, "features": 8})
    with torch.no_grad():
        assert (silent(model, model.tail)(torch.rand(1, 3, 3, 3)) == 0.5).all()


@pytest.mark.parametrize("name", ["lapsrn", "mslapsrn"])
def test_a_silent_pyramid_enlarges_the_luma_bilinearly(name: str) -> None:
    """Bilinear enlargement by two of a ramp, away from the border: steps of half, shifted by a quarter."""
    model = archs.create(name, {"scale": 2, "features": 4})
    ramp = torch.arange(8.0).expand(1, 1, 8, 8) / 8
    with torch.no_grad():
        (y,) = silent(model, model.levels[0].residual).pyramid(ramp)
    torch.testing.assert_close(y[0, 0, 8, 2:14] * 8, torch.arange(12) / 2 + 0.75)


def test_a_pyramid_gives_every_level_to_the_loss() -> None:
    torch.manual_seed(1)
    model, x = archs.create("lapsrn", {"scale": 8, "depth": 1, "features": 4}), torch.rand(1, 3, 5, 6)
    with torch.no_grad():
        outputs = model.outputs(x)
        assert [scale for _, scale in outputs] == [2, 4, 8]
        for y, scale in outputs:  # each is what the smaller network computes
            torch.testing.assert_close(model.at_scale(scale)(x), y)


def test_every_scale_trains_the_shared_trunk_and_its_own_branch() -> None:
    model = archs.create("mdsr", {"blocks": 1, "features": 4})
    model.at_scale(3)(torch.rand(1, 3, 4, 4)).sum().backward()
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert {n for n, _ in model.named_parameters()} - trained == {
        n for n, _ in model.named_parameters() if ".x2." in n or ".x4." in n
    }


def test_a_tail_of_another_scale_does_not_fit() -> None:
    """EDSR x4 starts from x2: every weight of the body has its name there, none of the tail has."""
    x2, x4 = (archs.create("edsr", {"scale": s, "blocks": 1}).state_dict() for s in (2, 4))
    common = {name for name in x2 if name in x4}
    assert common == {name for name in x2 if not name.startswith("tail")}
    assert len(common) == 8
