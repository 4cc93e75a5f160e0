"""Which of a network's outputs a loss sees, and against what, by hand."""

from __future__ import annotations

import pytest
import torch
from toy_networks import Config, Recurrent, VectorOutput

from subpixel.datasets.sample import Sample
from subpixel.errors import RecipeError
from subpixel.training.objective import Objective
from subpixel.training.recipe import Loss


@pytest.fixture
def sample() -> Sample[torch.Tensor]:
    torch.manual_seed(0)
    return Sample(torch.rand(3, 3, 8, 9), torch.rand(3, 3, 16, 18), torch.rand(3, 2))


def test_by_default_the_first_output_is_compared_with_the_image(sample: Sample[torch.Tensor]):
    network = VectorOutput(Config())
    high, _ = network(sample.low)
    expected = (high - sample.high).abs().mean()
    for loss in (Loss(l1=1.0), Loss(l1=1.0, output="high")):
        assert Objective(network, loss)(sample, 2).item() == pytest.approx(expected.item())


def test_a_vector_is_compared_with_the_labels(sample: Sample[torch.Tensor]):
    network = VectorOutput(Config())
    loss = Objective(network, Loss(l2=3.0, output="estimate"))(sample, 2)
    _, estimate = network(sample.low)
    assert loss.item() == pytest.approx(3 * ((estimate - sample.labels) ** 2).mean().item())
    loss.backward()
    assert network.tail.weight.grad is None  # the image's own layer has no part in it
    assert network.estimate.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("network", "loss", "words"),
    [
        (VectorOutput, Loss(l1=1.0, output="hihg"), "'hihg'; the network has high, estimate"),
        (VectorOutput, Loss(psnr=1.0, output="estimate"), "estimate is a vector"),
        (Recurrent, Loss(l1=1.0, output="kept"), "kept is a map"),
    ],
)
def test_an_output_that_cannot_be_compared(network: type[VectorOutput], loss: Loss, words: str):
    with pytest.raises(RecipeError, match=words):
        Objective(network(Config()), loss)
