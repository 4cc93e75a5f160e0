"""Eight bits: equal channels change nothing, the rounding is what it says, and the written graph computes it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import numpy_helper
from PIL import Image

from subpixel import models
from subpixel.archs.swift import Swift
from subpixel.errors import BadWeights
from subpixel.models import weights
from subpixel.models.store import parse, read, with_card
from subpixel.runtimes import Execution, on_batches, open_runtime
from zoo import eight_bits
from zoo.eight_bits import EightBits


@pytest.fixture
def swift() -> Swift:
    network = weights.network(models.load("swift-x2"))
    assert isinstance(network, Swift)
    return network


@pytest.fixture
def batches(examples: Path, tmp_path: Path) -> Iterator[torch.Tensor]:
    return eight_bits.crops(examples, 2, tmp_path)


def test_some_crops_are_as_sharp_as_photos_are(tmp_path: Path) -> None:
    """A checker of single pixels is gray where it was reduced, and black and white where it was not."""
    checker = np.indices((128, 128)).sum(0) % 2 * np.uint8(255)
    (tmp_path / "photos").mkdir()
    Image.fromarray(checker.astype(np.uint8)).convert("RGB").save(tmp_path / "photos/checker.png")
    batch = next(eight_bits.crops(tmp_path / "photos", 2, tmp_path / "cache"))
    assert batch.shape == (12, 3, 48, 48)
    assert [set(crop.unique().tolist()) == {0.0, 1.0} for crop in batch] == [False] * 8 + [True] * 4
    assert (batch[:8] - 0.5).abs().max() < 0.05  # at the corners of the image; elsewhere within half a level


def test_numbers_are_rounded_to_steps_and_cut_off() -> None:
    values = torch.tensor([0.24, 0.26, -0.26, 70.0, -70.0], requires_grad=True)
    result = eight_bits.rounded(values, torch.tensor(0.5))
    assert result.tolist() == [0, 0.5, -0.5, 63.5, -64]
    result.sum().backward()
    assert values.grad is not None
    assert values.grad.tolist() == [1, 1, 1, 0, 0]


def test_the_best_step_loses_no_more_than_any_other() -> None:
    values = torch.randn(5000, generator=torch.Generator().manual_seed(0))
    values[0] = 40.0  # far out: to reach it, all others would lose

    def lost(step: float) -> float:
        return float(((eight_bits.rounded(values, torch.tensor(step)) - values) ** 2).mean())

    best = float(eight_bits.best_step(values))
    assert lost(best) <= min(lost(40 / 127 * share) for share in (0.15, 0.3, 0.5, 0.8, 1.0))


def test_channels_reach_equally_far_and_the_function_stays(swift: Swift, batches: Iterator[torch.Tensor]) -> None:
    network, image = EightBits(swift), next(batches)[:1]
    network.fit([image])
    y = image - 0.5
    for k, slope in enumerate(network.slopes):
        y = slope(network.convs[k](y))
        np.testing.assert_allclose(y.detach().abs().amax((0, 2, 3)).numpy(), 1, rtol=1e-3)
    plain = copy.deepcopy(swift)
    for k, conv in enumerate(network.convs):
        plain.body[2 * k] = conv
    np.testing.assert_allclose(plain(image).detach().numpy(), swift(image).detach().numpy(), atol=2e-5)


@pytest.mark.parametrize("runtime", ["openvino", "onnxruntime"])
def test_the_written_graph_computes_the_same(
    swift: Swift, batches: Iterator[torch.Tensor], tmp_path: Path, runtime: str
) -> None:
    """But for numbers in the middle of two levels, which a last bit decides: few, and by a level or two."""
    network, image = EightBits(swift), next(batches)[:1]
    network.fit([image])
    model = models.load("swift-x2")
    content = with_card(eight_bits.to_graph(network, parse(model.path, model.graph)), model.card)
    written = read(tmp_path / "swift-int8-x2.onnx", content)
    result = on_batches(open_runtime(written, Execution(runtime, "f32")).run)(image.numpy())
    expected, plain = (net(image).detach().numpy() for net in (network, swift))
    off, rounding = (float(np.sqrt(np.mean((result - other) ** 2))) * 255 for other in (expected, plain))
    assert off < 0.3
    assert off < rounding < 1


def test_a_step_too_many_is_refused_in_one_line(swift: Swift, tmp_path: Path) -> None:
    model = models.load("swift-x2")
    proto = eight_bits.to_graph(EightBits(swift), parse(model.path, model.graph))
    steps = next(tensor for tensor in proto.graph.initializer if tensor.name == "body.2.weight.steps")
    steps.CopyFrom(numpy_helper.from_array(np.ones(33, np.float32), steps.name))
    written = read(tmp_path / "wrong-x2.onnx", with_card(proto, model.card))
    with pytest.raises(BadWeights) as caught:
        open_runtime(written).run({"low": np.zeros((1, 3, 8, 8), np.float32)})
    assert len(str(caught.value).splitlines()) == 1


def test_training_brings_it_nearer_to_its_teacher(swift: Swift, batches: Iterator[torch.Tensor]) -> None:
    network, held_out = EightBits(swift), next(batches)
    network.fit([next(batches)])
    network.steps[4].data *= 4  # a step that is too coarse, to be mended
    trained = eight_bits.train(copy.deepcopy(network), batches, swift, 8, 1e-3)
    goal = swift(held_out).detach()
    before, after = (((net(held_out) - goal) ** 2).mean().item() for net in (network, trained))
    assert after < 0.9 * before
