"""What every architecture promises: sizes, halo, deploy form, shared scales, export."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from subpixel import archs
from subpixel.errors import BadRequest, RecipeError
from subpixel.models import weights
from subpixel.nn.arch import Arch

VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "carn x3 without x2": ("carn", {"scale": 3, "scales": (3, 4)}),
    "carn-m x4": ("carn", {"scale": 4, "groups": 4, "recursive": True}),
    "edsr x3, 0.1": ("edsr", {"scale": 3, "blocks": 1, "residual_scale": 0.1}),
    "espcn x3, published": ("espcn", {"scale": 3, "features": (64, 32)}),
    "fsrcnn x3, published": ("fsrcnn", {"scale": 3, "d": 56, "s": 12, "m": 4}),
    "fsrcnn-s x4": ("fsrcnn", {"scale": 4, "d": 32, "s": 5, "m": 1}),
    "lapsrn x4, 4x4": ("lapsrn", {"scale": 4, "depth": 3, "kernel": 4}),
    "mdsr x3, 2 blocks": ("mdsr", {"scale": 3, "scales": (2, 3, 4), "blocks": 2}),
    "mdsr x4 without x3": ("mdsr", {"scale": 4, "scales": (2, 4)}),
    "srcnn 9-1-5 x3": ("srcnn", {"scale": 3, "kernels": (9, 1, 5)}),
    "srcnn 9-3-5 x4": ("srcnn", {"scale": 4, "kernels": (9, 3, 5)}),
    "srcnn 9-5-5 x3, published": ("srcnn", {"scale": 3, "features": (64, 32)}),
    "srresnet x4, no norm": ("srresnet", {"scale": 4, "batch_norm": False}),
    "swift x4, 4 layers": ("swift", {"scale": 4, "layers": 4}),
    "vdsr x4, published": ("vdsr", {"scale": 4, "layers": 20}),
}
"""Configurations in which a network takes another way than in its example."""


def examples() -> Iterator[tuple[str, tuple[str, dict[str, Any]]]]:
    """Every architecture's example at each of its scales, by a label."""
    for name in archs.NAMES:
        for scale in archs.find(name).SCALES:
            yield f"{name} x{scale}", (name, {"scale": scale})


CASES = dict(examples()) | VARIANTS
ONE_EACH = [f"{name} x{archs.find(name).EXAMPLE.scale}" for name in archs.NAMES]
every = pytest.mark.parametrize("label", CASES)
each = pytest.mark.parametrize("label", [*ONE_EACH, "carn-m x4"])


def network(label: str) -> Arch:
    """A network whose every parameter and statistic is random, so that nothing cancels or hides."""
    torch.manual_seed(0)
    name, changes = CASES[label]
    config = dataclasses.replace(archs.find(name).EXAMPLE, **changes)
    model = archs.create(name, dataclasses.asdict(config)).eval()
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            assert layer.running_mean is not None
            assert layer.running_var is not None
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    for parameter in model.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, 0.05, 0.5)
        elif not parameter.all():  # of a network that begins as nearest-neighbour enlargement
            nn.init.kaiming_uniform_(parameter, a=5**0.5)
    return model


def images(model: Arch, *size: int, batch: int = 1) -> tuple[Tensor, ...]:
    """Random tensors for all that a network takes."""
    torch.manual_seed(1)
    return weights.examples(model.ports, *size, batch=batch)


def enlarged(model: Arch, *inputs: Tensor) -> Tensor:
    """The first of a network's results."""
    result = model(*inputs)
    return result[0] if isinstance(result, tuple) else result


def test_every_file_is_an_architecture_of_small_size() -> None:
    files = {path.stem for path in Path(archs.__path__[0]).glob("*.py")} - {"__init__"}
    assert set(archs.NAMES) == files
    for name in archs.NAMES:
        cls = archs.find(name)
        assert sum(p.numel() for p in cls(cls.EXAMPLE).parameters()) < 100_000


@every
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 2)])
def test_any_size_is_enlarged_exactly(label: str, size: tuple[int, int]) -> None:
    model = network(label)
    with torch.no_grad():
        y = enlarged(model, *images(model, *size, batch=2))
    assert y.shape == (2, model.ports.channels, size[0] * model.config.scale, size[1] * model.config.scale)
    assert y.isfinite().all()
    assert y.dtype == torch.float32


@every
@pytest.mark.parametrize("axis", [2, 3])
def test_the_halo_is_exact(label: str, axis: int) -> None:
    """With positive weights nothing cancels: the gradient is non-zero on exactly the pixels that are read."""
    model, halo = network(label), network(label).halo
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.constant_(layer.weight, 1 / layer.weight[0].numel())
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    centre, scale = halo + 2, model.config.scale
    size = [1, 1]
    size[axis - 2] = 2 * centre + 1
    x, *others = (torch.full_like(each, 0.9) for each in images(model, *size))
    enlarged(model, x.requires_grad_(), *others).narrow(axis, centre * scale, scale).sum().backward()
    assert x.grad is not None
    seen = x.grad.abs().sum((0, 1, 5 - axis)).nonzero().flatten() - centre
    assert max(-int(seen.min()), int(seen.max())) == halo


@every
def test_a_tile_with_its_halo_equals_the_whole_image(label: str) -> None:
    model = network(label).deploy()
    halo, scale = model.halo, model.config.scale
    whole_image = images(model, halo + 5, 2 * halo + 6)
    with torch.no_grad():
        whole, tile = enlarged(model, *whole_image), enlarged(model, *(x[..., 2:-3] for x in whole_image))
    inner = slice(halo * scale, (halo + 1) * scale)
    shifted = slice((halo + 2) * scale, (halo + 3) * scale)
    torch.testing.assert_close(tile[..., inner], whole[..., shifted], atol=1e-5, rtol=0)


@every
def test_deploy_computes_the_same(label: str) -> None:
    model = network(label)
    plain, inputs = model.deploy(), images(model, 6, 7)
    with torch.no_grad():
        expected = model(*inputs)
        torch.testing.assert_close(plain(*inputs), expected, atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(plain.deploy()(*inputs), expected, atol=1e-5, rtol=1e-5)
    assert (plain.halo, plain.config.scale) == (model.halo, model.config.scale)
    assert not any(isinstance(m, nn.BatchNorm2d) for m in plain.modules())


@every
def test_the_deploy_form_is_rebuilt_from_its_configuration(label: str) -> None:
    plain = network(label).deploy()
    again = archs.create(CASES[label][0], dataclasses.asdict(plain.config)).deploy()
    again.load_state_dict(plain.state_dict())
    inputs = images(plain, 5, 4)
    with torch.no_grad():
        assert torch.equal(enlarged(again, *inputs), enlarged(plain, *inputs))


@every
def test_views_share_their_parameters(label: str) -> None:
    model = network(label)
    inputs = images(model, 4, 5)
    assert model.config.scale in model.supported_scales
    for scale in model.supported_scales:
        view = model.at_scale(scale)
        assert view.config.scale == scale
        assert [id(p) for p in view.parameters()] == [id(p) for p in model.parameters()]
        with torch.no_grad():
            assert enlarged(view, *inputs).shape == (1, model.ports.channels, 4 * scale, 5 * scale)
            torch.testing.assert_close(view.deploy()(*inputs), view(*inputs), atol=1e-5, rtol=1e-5)
    assert model.config.scale == CASES[label][1]["scale"]
    with pytest.raises(BadRequest, match="not x7" if 7 not in model.supported_scales else "not x9"):
        model.at_scale(7 if 7 not in model.supported_scales else 9)


@every
def test_the_last_output_is_the_networks(label: str) -> None:
    """Of the first frame, where a network carries something on."""
    model = network(label)
    x, *others = images(model, 4, 5)
    with torch.no_grad():
        outputs = model.outputs(x)
        torch.testing.assert_close(outputs[-1][0], enlarged(model, x, *map(torch.zeros_like, others)))
    assert outputs[-1][1] == model.config.scale
    assert all(y.shape == (1, model.ports.channels, 4 * scale, 5 * scale) for y, scale in outputs)


@each
def test_the_model_file_computes_the_same_at_other_sizes(label: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    plain = network(label).deploy()
    model = weights.save(plain, tmp_path / "model.onnx")
    assert (model.card.scale, model.card.halo) == (plain.config.scale, plain.halo)
    session = onnxruntime.InferenceSession(model.path, providers=["CPUExecutionProvider"])
    again = weights.network(model)
    for size in [(9, 8), (1, 1), (5, 12)]:
        inputs = images(plain, *size)
        with torch.no_grad():
            expected = enlarged(plain, *inputs)
            torch.testing.assert_close(enlarged(again, *inputs), expected, atol=1e-5, rtol=1e-5)
        names = [each.name for each in session.get_inputs()]
        found = session.run(None, dict(zip(names, (x.numpy() for x in inputs), strict=True)))[0]
        np.testing.assert_allclose(found, expected.numpy(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", archs.NAMES)
def test_a_scale_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(RecipeError, match=r"config\.scale: .* not by 9"):
        archs.create(name, {"scale": 9})


def test_a_scale_without_a_branch_is_refused() -> None:
    with pytest.raises(RecipeError, match="scale 3 is not one of the network's scales 2, 4"):
        archs.create("mdsr", {"scale": 3, "scales": (2, 4)})


@pytest.mark.parametrize("name", archs.NAMES)
def test_every_field_is_explained_and_the_paper_is_named(name: str) -> None:
    cls = archs.find(name)
    assert cls.paper.title
    assert cls.paper.year >= 2014
    assert cls.__doc__
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(type(cls.EXAMPLE)))).body
    assert isinstance(tree, ast.ClassDef)
    for field, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            assert isinstance(after, ast.Expr), ast.unparse(field)
            assert isinstance(after.value, ast.Constant), ast.unparse(field)
