"""SOAP (Vyas et al. 2024, arXiv:2409.11321): Adam in the slowly changing eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

MAX_SIDE = 4096
"""A side of a weight's matrix that is longer is not rotated: its eigenvectors would cost too much."""

REFRESH_EVERY = 10
"""Steps between two refreshes of the bases (the paper's preconditioning frequency)."""


class Soap(torch.optim.Optimizer):
    """Adam's step, taken where the gradients of a weight are uncorrelated (algorithm 3 of the paper).

    A convolution's weight is a matrix of outputs by (inputs x kernel). Every `REFRESH_EVERY` steps its two bases follow
    the gradients' covariances by one power iteration and QR. Biases and slopes get Adam's step as it is.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        lr: float,
        betas: tuple[float, float] = (0.95, 0.95),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Moves every parameter that has a gradient; the first gradient only initialises the bases."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, self.state[parameter], group)

    def _update(self, parameter: nn.Parameter, state: dict[str, Any], group: dict[str, Any]) -> None:
        assert parameter.grad is not None
        gradient = parameter.grad.reshape(len(parameter), -1) if parameter.dim() > 1 else parameter.grad
        if not state:
            state.update(_init_state(gradient))
            return
        beta1, beta2 = group["betas"]
        state["step"] += 1
        count = int(state["step"])
        exp_avg = state["exp_avg"].lerp_(gradient, 1 - beta1)
        projected = _project(gradient, state)
        exp_avg_sq = state["exp_avg_sq"].lerp_(projected**2, 1 - beta2)
        step = _project(exp_avg, state) / (1 - beta1**count) / ((exp_avg_sq / (1 - beta2**count)).sqrt() + 1e-12)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(_project_back(step, state).reshape(parameter.shape), alpha=-group["lr"])
        for side, product in _outer_products(gradient).items():
            state[f"{side}_covariance"].lerp_(product, 1 - beta2)
            if count % REFRESH_EVERY == 0:
                _refresh_basis(state, side)


def _init_state(gradient: Tensor) -> dict[str, Tensor]:
    """`exp_avg` in the weight's own axes, `exp_avg_sq` in the bases; for each side its covariance and basis.

    Bases lie row by row, as a checkpoint gives them back: a product of other strides is rounded otherwise.
    """
    zero = torch.zeros_like(gradient)
    state = {"step": torch.tensor(0), "exp_avg": zero, "exp_avg_sq": zero.clone()}
    for side, product in _outer_products(gradient).items():
        vectors = torch.linalg.eigh(product.double())[1]  # in single precision what underflows becomes nan
        state |= {f"{side}_covariance": product, f"{side}_basis": vectors.flip(1).to(product.dtype).contiguous()}
    return state


def _outer_products(gradient: Tensor) -> dict[str, Tensor]:
    """G Gᵀ (`left`) and Gᵀ G (`right`) of a matrix, each only if its side is at most `MAX_SIDE`."""
    if gradient.dim() == 1:
        return {}
    sides = {"left": gradient, "right": gradient.T}
    return {side: matrix @ matrix.T for side, matrix in sides.items() if len(matrix) <= MAX_SIDE}


def _project(matrix: Tensor, state: dict[str, Tensor]) -> Tensor:
    """From the weight's own axes into the bases."""
    matrix = state["left_basis"].T @ matrix if "left_basis" in state else matrix
    return matrix @ state["right_basis"] if "right_basis" in state else matrix


def _project_back(matrix: Tensor, state: dict[str, Tensor]) -> Tensor:
    matrix = state["left_basis"] @ matrix if "left_basis" in state else matrix
    return matrix @ state["right_basis"].T if "right_basis" in state else matrix


def _refresh_basis(state: dict[str, Tensor], side: str) -> None:
    """One power iteration and QR, the largest eigenvalue first; `exp_avg_sq` is reordered with the eigenvectors."""
    covariance, basis = state[f"{side}_covariance"], state[f"{side}_basis"]
    order = (basis * (covariance @ basis)).sum(0).argsort(descending=True)
    state["exp_avg_sq"] = state["exp_avg_sq"].index_select(0 if side == "left" else 1, order)
    state[f"{side}_basis"] = torch.linalg.qr(covariance @ basis[:, order])[0].contiguous()
