"""Real-ESRGAN's discriminator: a logit for every pixel, which sees around it, and spectral norms of 1."""

from __future__ import annotations

import torch

from subpixel.nn.unet import UNetDiscriminator


def test_it_has_the_papers_layers():
    """Ten convolutions; at 64 features 4,376,897 weights, as in Real-ESRGAN's published code."""
    assert sum(p.numel() for p in UNetDiscriminator(64).parameters()) == 4_376_897


def test_a_logit_for_every_pixel():
    network = UNetDiscriminator(4).eval()
    x = torch.rand(2, 3, 32, 40)
    logits = network(x)
    assert logits.shape == (2, 1, 32, 40)
    assert (network(x.roll(8, 3))[..., 16:-8] - logits.roll(8, 3)[..., 16:-8]).abs().max() < 0.1 * logits.std()


def test_spectral_norms_are_one():
    network = UNetDiscriminator(8).train()
    for _ in range(60):  # of power iterations
        network(torch.rand(1, 3, 8, 8))
    network.eval()
    for layer in (*network.down, *network.up, *network.last):
        assert abs(torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() - 1) < 0.02
