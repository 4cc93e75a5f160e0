"""SOAP (Vyas et al. 2024, arXiv:2409.11321): Adam in the slowly turning eigenbasis of Shampoo's preconditioner."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

LARGEST = 4096
"""A side of a weight's matrix that is longer keeps its own axes: the eigenvectors would cost too much."""

EVERY = 10
"""Steps between two turns of the bases."""


class Soap(torch.optim.Optimizer):
    """Adam's step, taken where the gradients of a weight are uncorrelated (algorithm 3 of the paper).

    A convolution's weight is a matrix: outputs by inputs times kernel. Now and then its two bases follow the
    gradients' correlations by one power iteration and QR. Biases and slopes are moved by plain Adam.
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
        """Moves every parameter that has a gradient; the first gradient only finds the bases."""
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
        first, second = group["betas"]
        state["step"] += 1
        count = int(state["step"])
        mean = state["mean"].lerp_(gradient, 1 - first)
        turned = _project(gradient, state)
        square = state["square"].lerp_(turned**2, 1 - second)
        step = _project(mean, state) / (1 - first**count) / ((square / (1 - second**count)).sqrt() + 1e-12)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(_project_back(step, state).reshape(parameter.shape), alpha=-group["lr"])
        for side, product in _correlations(gradient).items():
            state[f"{side}_correlation"].lerp_(product, 1 - second)
            if count % EVERY == 0:
                _refresh_basis(state, side)


def _init_state(gradient: Tensor) -> dict[str, Tensor]:
    zero = torch.zeros_like(gradient)
    state = {"step": torch.tensor(0), "mean": zero, "square": zero.clone()}
    for side, product in _correlations(gradient).items():
        vectors = torch.linalg.eigh(product.double())[1]  # in single precision what underflows becomes nan
        state |= {f"{side}_correlation": product, side: vectors.flip(1).to(product.dtype)}
    return state


def _correlations(gradient: Tensor) -> dict[str, Tensor]:
    """Of the rows (`left`) and of the columns (`right`), where there are not too many."""
    if gradient.dim() == 1:
        return {}
    both = {"left": gradient, "right": gradient.T}
    return {side: matrix @ matrix.T for side, matrix in both.items() if len(matrix) <= LARGEST}


def _project(matrix: Tensor, state: dict[str, Tensor]) -> Tensor:
    """Into the bases."""
    matrix = state["left"].T @ matrix if "left" in state else matrix
    return matrix @ state["right"] if "right" in state else matrix


def _project_back(matrix: Tensor, state: dict[str, Tensor]) -> Tensor:
    matrix = state["left"] @ matrix if "left" in state else matrix
    return matrix @ state["right"].T if "right" in state else matrix


def _refresh_basis(state: dict[str, Tensor], side: str) -> None:
    """One step of the power iteration, the largest eigenvalue first; the squares keep to their eigenvectors."""
    correlation, basis = state[f"{side}_correlation"], state[side]
    order = (basis * (correlation @ basis)).sum(0).argsort(descending=True)
    state["square"] = state["square"].index_select(0 if side == "left" else 1, order)
    state[side] = torch.linalg.qr(correlation @ basis[:, order])[0]
