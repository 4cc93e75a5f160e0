"""Adversarial losses of the discriminator's logits for real and for generated images, N 1 each -> a scalar."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from subpixel.losses import Kind


def discriminator_loss(kind: Kind, real: Tensor, fake: Tensor) -> Tensor:
    """What the discriminator minimises: high logits for real images, low ones for generated images; of any shape.

    nonsaturating: Goodfellow et al. 2014, as logits. relativistic: each against the mean of the others
    (Jolicoeur-Martineau 2018, RaGAN; ESRGAN's). least-squares: Mao et al. 2017, towards 1 and 0.
    """
    if kind == "relativistic":
        return (F.softplus(fake.mean() - real).mean() + F.softplus(fake - real.mean()).mean()) / 2
    if kind == "least-squares":
        return (((real - 1) ** 2).mean() + (fake**2).mean()) / 2
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(kind: Kind, real: Tensor, fake: Tensor) -> Tensor:
    """What the generator minimises: high logits, of any shape, for its images (SRGAN, equation 6)."""
    if kind == "relativistic":
        return (F.softplus(real - fake.mean()).mean() + F.softplus(real.mean() - fake).mean()) / 2
    if kind == "least-squares":
        return ((fake - 1) ** 2).mean() / 2
    return F.softplus(-fake).mean()
