"""Losses by hand, and the content loss against an independent forward pass."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from subpixel.errors import BadWeights, UnknownName
from subpixel.losses import adversarial, content, pixel
from subpixel.metrics.protocol import Protocol
from subpixel.metrics.psnr import psnr


def test_pixel_losses_by_hand() -> None:
    output, target = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]]), torch.tensor([[[[0.0, 0.5], [0.5, 0.25]]]])
    assert pixel.l1(output, target).item() == pytest.approx(0.75 / 4)
    assert pixel.l2(output, target).item() == pytest.approx((0.25 + 0.0625) / 4)
    expected = (2 * 1e-3 + math.sqrt(0.25 + 1e-6) + math.sqrt(0.0625 + 1e-6)) / 4
    assert pixel.charbonnier(output, target).item() == pytest.approx(expected)
    assert pixel.total_variation(output).item() == pytest.approx((1.0 + 0.0 + 0.5 + 0.5) / 4)


def test_low_pass_sees_means_alone() -> None:
    target = torch.full((1, 1, 8, 16), 0.5)
    checked = target + 0.25 * (-1.0) ** torch.arange(16)
    assert pixel.low_pass(checked, target).item() == 0
    checked[..., 8:] += 0.1
    assert pixel.low_pass(checked, target).item() == pytest.approx(0.05)


def test_lattice_sees_what_repeats_every_four_pixels_alone() -> None:
    target = torch.rand(1, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    assert pixel.lattice(target + 0.25, target).item() == pytest.approx(0, abs=1e-7)
    assert pixel.lattice(target + 0.25 * (-1.0) ** torch.arange(64)[:, None], target).item() == pytest.approx(0.25)
    every_third = target + 0.1 * (torch.arange(32) % 3 == 0)
    assert pixel.lattice(every_third, target).item() == pytest.approx(0.1 * 6 / 128)  # 3, 2, 3 and 3 of 8 columns
    dotted = target.clone()
    dotted[:, 1, 32::4, ::4] += 0.16  # one phase of 16, one channel of 3, one block of 2: |15 / 16| + 15 |1 / 16|
    assert pixel.lattice(dotted, target).item() == pytest.approx(0.16 * (30 / 16) / 16 / 3 / 2)
    assert pixel.lattice(dotted[..., :19, :13], target[..., :19, :13]).item() == pytest.approx(0, abs=1e-7)


def test_the_psnr_that_is_raised_is_the_mean_of_the_images_in_tens_of_dB() -> None:
    output, target = torch.zeros(2, 1, 1, 2), torch.tensor([[[[0.1, 0.1]]], [[[0.1, 0.3]]]])
    expected = -(20 + 10 * math.log10(1 / 0.05)) / 2 / 10
    assert pixel.psnr(output, target).item() == pytest.approx(expected, abs=1e-4)
    assert pixel.psnr(target, target).item() == pytest.approx(-math.log10(12 * 255**2))


def test_the_psnr_of_the_luma_is_that_of_the_tables() -> None:
    random = np.random.default_rng(0)
    output, target = random.random((2, 2, 9, 8, 3), np.float32)
    protocol = Protocol(shave=0, round8="none")
    tables = [psnr(*protocol.prepare(o, t, 1)) for o, t in zip(output, target, strict=True)]
    output_nchw, target_nchw = (torch.from_numpy(x).permute(0, 3, 1, 2) for x in (output, target))
    expected = -(tables[0] + tables[1]) / 2 / 10
    assert pixel.luma_psnr(output_nchw, target_nchw).item() == pytest.approx(expected, abs=3e-5)  # its floor adds 1e-5


def test_charbonnier_is_smooth_at_zero() -> None:
    output = torch.zeros(1, 1, 2, 2, requires_grad=True)
    pixel.charbonnier(output, torch.zeros(1, 1, 2, 2)).backward()
    assert output.grad is not None
    assert output.grad.abs().max().item() == 0


def test_adversarial_losses_by_hand() -> None:
    real, fake = torch.tensor([[2.0], [0.0]]), torch.tensor([[-1.0], [1.0]])

    def log_sigmoid(x: float) -> float:
        return -math.log(1 + math.exp(-x))

    discriminator = -(log_sigmoid(2) + log_sigmoid(0)) / 2 - (log_sigmoid(1) + log_sigmoid(-1)) / 2
    assert adversarial.discriminator_loss("nonsaturating", real, fake).item() == pytest.approx(discriminator)
    generator = -(log_sigmoid(-1) + log_sigmoid(1)) / 2
    assert adversarial.generator_loss("nonsaturating", real, fake).item() == pytest.approx(generator)
    # mean of real 1, of fake 0: real - 0 = (2, 0), fake - 1 = (-2, 0)
    relativistic = -((log_sigmoid(2) + log_sigmoid(0)) / 2 + (log_sigmoid(2) + log_sigmoid(0)) / 2) / 2
    assert adversarial.discriminator_loss("relativistic", real, fake).item() == pytest.approx(relativistic)
    opposite = -((log_sigmoid(-2) + log_sigmoid(0)) / 2 + (log_sigmoid(-2) + log_sigmoid(0)) / 2) / 2
    assert adversarial.generator_loss("relativistic", real, fake).item() == pytest.approx(opposite)
    assert adversarial.discriminator_loss("least-squares", real, fake).item() == pytest.approx((1 + 1) / 2)
    assert adversarial.generator_loss("least-squares", real, fake).item() == pytest.approx((4 + 0) / 2 / 2)


@pytest.fixture(scope="module")
def random_vgg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three convolutions of VGG19, with random weights."""
    generator = torch.Generator().manual_seed(0)
    weights: dict[str, torch.Tensor] = {}
    for index, (inputs, outputs) in {0: (3, 64), 2: (64, 64), 5: (64, 128)}.items():
        weights[f"features.{index}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=generator) / 30
        weights[f"features.{index}.bias"] = torch.randn(outputs, generator=generator) / 10
    path = tmp_path_factory.mktemp("vgg") / "vgg.safetensors"
    save_file(weights, path)
    return path


def by_hand(path: Path, x: torch.Tensor) -> torch.Tensor:
    """Layer 2_1 of the original network, step by step."""
    w = load_file(path)
    bgr = x[:, [2, 1, 0]] * 255 - torch.tensor([103.939, 116.779, 123.68]).view(1, 3, 1, 1)
    for index in (0, 2):
        bgr = F.relu(F.conv2d(bgr, w[f"features.{index}.weight"], w[f"features.{index}.bias"], padding=1))
    return F.relu(F.conv2d(F.max_pool2d(bgr, 2), w["features.5.weight"], w["features.5.bias"], padding=1))


def test_content_is_the_difference_of_features(random_vgg: Path) -> None:
    loss = content.load(random_vgg, "2_1")
    x, y = torch.rand(2, 3, 10, 14), torch.rand(2, 3, 10, 14)
    expected = ((by_hand(random_vgg, x) - by_hand(random_vgg, y)) ** 2).mean() / 12.75**2
    assert loss(x, y).item() == pytest.approx(expected.item(), rel=1e-4)
    assert loss(x, x).item() == 0
    assert not any(p.requires_grad for p in loss.parameters())


def test_torchvisions_file_is_read_with_its_own_colours(random_vgg: Path, tmp_path: Path) -> None:
    weights = load_file(random_vgg)
    torch.save(weights, tmp_path / "vgg19.pth")
    x = torch.rand(1, 3, 6, 6)
    normal = (x - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(
        1, 3, 1, 1
    )
    feature = F.relu(F.conv2d(normal, weights["features.0.weight"], weights["features.0.bias"], padding=1))
    grey = (torch.full_like(x, 0.4) - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor(
        [0.229, 0.224, 0.225]
    ).view(1, 3, 1, 1)
    other = F.relu(F.conv2d(grey, weights["features.0.weight"], weights["features.0.bias"], padding=1))
    expected = ((feature - other) ** 2).mean().item() / 12.75**2
    loss = content.load(tmp_path / "vgg19.pth", "1_1")
    assert loss(x, torch.full_like(x, 0.4)).item() == pytest.approx(expected, rel=1e-4)


def test_wrong_layers_and_files_are_one_line(random_vgg: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="did you mean '5_4'"):
        content.load(random_vgg, "5_5")
    with pytest.raises(BadWeights, match="features"):
        content.load(random_vgg, "5_4")
    (tmp_path / "x.pth").write_bytes(b"nothing")
    with pytest.raises(BadWeights):
        content.load(tmp_path / "x.pth")
    with pytest.raises(BadWeights):
        content.load(tmp_path / "absent.safetensors")


def test_a_checkpoints_weights_are_those_in_it(random_vgg: Path, tmp_path: Path) -> None:
    torch.save({"state_dict": load_file(random_vgg), "epoch": 3}, tmp_path / "checkpoint.pth")
    torch.save(load_file(random_vgg), tmp_path / "plain.pth")
    x, y = torch.rand(2, 3, 6, 6), torch.rand(2, 3, 6, 6)
    ours, plain = (content.load(tmp_path / f"{name}.pth", "1_1") for name in ("checkpoint", "plain"))
    assert ours(x, y).item() == plain(x, y).item() > 0


@pytest.mark.parametrize(
    "stored", [[1, 2], {"features.0.weight": 3}, {5: torch.ones(1)}, nn.Linear(2, 2), b"hello", b"PK\3\4xx"]
)
def test_files_that_hold_something_else_are_one_line_of_ours(stored: object, tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    if isinstance(stored, bytes):
        path.write_bytes(stored)
    else:
        torch.save(stored, path)
    with pytest.raises(BadWeights, match=r"expected VGG19's") as caught:
        content.load(path)
    assert "weights_only" not in str(caught.value)
    assert len(str(caught.value)) < 200 + len(str(path))


def test_the_real_features_see_blur_more_than_a_shift_of_brightness(shared: Path) -> None:
    loss = content.load(shared / "reference/weights/vgg19_features.safetensors")
    photo = F.interpolate(torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(1)), scale_factor=4)
    blurred = F.avg_pool2d(F.pad(photo, (3, 3, 3, 3), mode="replicate"), 7, 1)
    brighter = photo + (blurred - photo).abs().mean()
    assert loss(blurred, photo) > 3 * loss(brighter, photo)
