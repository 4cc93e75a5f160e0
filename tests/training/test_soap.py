"""SOAP against torch's Adam, against its own rotations, and on a problem that Adam cannot solve in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from subpixel.training import soap
from subpixel.training.soap import Soap

Loss = Callable[[Tensor, int], Tensor]
"""Of a weight, in a step."""


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


def minimised(
    loss: Loss, start: Tensor, steps: int, kind: Callable[..., torch.optim.Optimizer], **settings: object
) -> Tensor:
    weight = nn.Parameter(start.clone())
    optimiser = kind([weight], **settings)
    for step in range(steps):
        optimiser.zero_grad()
        loss(weight, step).backward()
        optimiser.step()
    return weight.detach()


def quadratic(outputs: int, inputs: int) -> Loss:
    """Squared errors of a linear map of correlated inputs, each step on other ones, as in a training."""
    mixing = torch.randn(inputs, inputs, dtype=torch.float64) @ torch.diag(0.5 ** torch.arange(inputs).double())
    x = torch.randn(10, 40, inputs, dtype=torch.float64) @ mixing
    y = x @ torch.randn(inputs, outputs, dtype=torch.float64)
    return lambda weight, step: ((x[step % 10] @ weight.reshape(outputs, inputs).T - y[step % 10]) ** 2).mean()


def test_a_bias_is_moved_by_adam() -> None:
    curve = torch.tensor([1.0, 9.0, 100.0], dtype=torch.float64)
    start = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
    settings = {"lr": 0.01, "betas": (0.9, 0.99)}

    def loss(weight: Tensor, step: int) -> Tensor:
        return (curve * weight**2).sum()

    ours = minimised(loss, start, 21, Soap, **settings)
    theirs = minimised(loss, start, 20, torch.optim.Adam, eps=1e-12, **settings)
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)  # our first gradient only looks


def test_turning_the_problem_turns_the_steps() -> None:
    """What Adam lacks: its steps depend on the axes in which a weight happens to be written."""
    loss, start = quadratic(5, 5), torch.randn(5, 5, dtype=torch.float64)
    left, right = (torch.linalg.qr(torch.randn(5, 5, dtype=torch.float64))[0] for _ in range(2))

    def both(kind: Callable[..., torch.optim.Optimizer]) -> tuple[Tensor, Tensor]:
        unrotated = minimised(loss, start, 30, kind, lr=0.05)
        rotated = minimised(lambda w, step: loss(left.T @ w @ right.T, step), left @ start @ right, 30, kind, lr=0.05)
        return unrotated, left.T @ rotated @ right.T

    torch.testing.assert_close(*both(Soap), rtol=1e-6, atol=1e-6)
    unrotated, rotated = both(torch.optim.Adam)
    assert (unrotated - rotated).abs().max() > 0.1


def test_correlated_inputs_are_learned_sooner() -> None:
    loss, start = quadratic(3, 12), torch.zeros(3, 12, dtype=torch.float64)
    ours = loss(minimised(loss, start, 400, Soap, lr=0.02), 0)
    theirs = loss(minimised(loss, start, 400, torch.optim.Adam, lr=0.02), 0)
    assert ours < theirs / 100


def test_a_convolution_is_the_matrix_of_its_outputs() -> None:
    loss, start = quadratic(2, 18), torch.randn(2, 18, dtype=torch.float64)
    flat = minimised(loss, start, 25, Soap, lr=0.01)
    kernel = minimised(loss, start.reshape(2, 2, 3, 3), 25, Soap, lr=0.01)
    assert torch.equal(kernel.reshape(2, 18), flat)


def test_a_long_side_keeps_its_axes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both sides too long: Adam again, as for a bias."""
    loss, start = quadratic(2, 5), torch.randn(2, 5, dtype=torch.float64)
    monkeypatch.setattr(soap, "MAX_SIDE", 1)
    ours = minimised(loss, start, 11, Soap, lr=0.01)
    theirs = minimised(
        lambda w, step: loss(w, step + 1), start, 10, torch.optim.Adam, lr=0.01, betas=(0.95, 0.95), eps=1e-12
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_gradients_that_all_but_vanish_leave_a_step_finite() -> None:
    """Of channels that hardly ever see anything: their correlations underflow."""
    for _ in range(20):
        gradient = torch.randn(16, 192) * 10 ** -torch.linspace(3, 18, 192)
        gradient[:, ::4] = 0
        moved = minimised(lambda w, step, g=gradient: (w * g).sum(), torch.zeros(16, 192), 2, Soap, lr=0.1)
        assert moved.isfinite().all()


def test_weights_decay_by_the_rate() -> None:
    start = torch.ones(2, 3, dtype=torch.float64)
    moved = minimised(lambda w, step: 0 * w.sum(), start, 3, Soap, lr=0.1, weight_decay=0.5)
    torch.testing.assert_close(moved, start * 0.95**2)
