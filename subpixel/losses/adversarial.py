"""Adversarial losses: what a discriminator's logits for photos and for made images cost either side. N 1, twice."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Kind = Literal["nonsaturating", "relativistic", "least-squares"]


def of_discriminator(kind: Kind, real: Tensor, made: Tensor) -> Tensor:
    """What the discriminator minimises: it wants photos above, made images below.

    nonsaturating: Goodfellow et al. 2014, as logits. relativistic: each against the mean of the others
    (Jolicoeur-Martineau 2018, RaGAN; ESRGAN's). least-squares: Mao et al. 2017, towards 1 and 0.
    """
    if kind == "relativistic":
        return (F.softplus(made.mean() - real).mean() + F.softplus(made - real.mean()).mean()) / 2
    if kind == "least-squares":
        return (((real - 1) ** 2).mean() + (made**2).mean()) / 2
    return F.softplus(-real).mean() + F.softplus(made).mean()


def of_generator(kind: Kind, real: Tensor, made: Tensor) -> Tensor:
    """What the generator minimises: it wants its images taken for photos (SRGAN, equation 6)."""
    if kind == "relativistic":
        return (F.softplus(real - made.mean()).mean() + F.softplus(real.mean() - made).mean()) / 2
    if kind == "least-squares":
        return ((made - 1) ** 2).mean() / 2
    return F.softplus(-made).mean()
