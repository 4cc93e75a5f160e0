"""The three runtimes compute the same; what they lack is said in one line."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from subpixel import archs, models, runtimes
from subpixel.errors import BadRequest, MissingExtra, RuntimeUnavailable, UnknownName
from subpixel.models import weights
from subpixel.runtimes import Execution, on_batches, open_runtime

BATCH = np.random.default_rng(0).random((2, 3, 17, 22), dtype=np.float32)


@pytest.fixture(scope="module", params=["swift", "espcn", "fsrcnn", "srcnn"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> models.Model:
    torch.manual_seed(0)
    return weights.save(archs.create(request.param, {"scale": 3}), tmp_path_factory.mktemp("m") / "m-x3.onnx")


@pytest.mark.parametrize("name", runtimes.MODULES)
@pytest.mark.parametrize("size", [(17, 22), (1, 1), (1, 9), (2, 3)])
def test_f32_equals_torch(model: models.Model, name: str, size: tuple[int, int]) -> None:
    batch = BATCH[:, :, : size[0], : size[1]]
    with torch.no_grad():
        expected = weights.network(model)(torch.from_numpy(batch.copy())).numpy()
    runtime = open_runtime(model, Execution(name, "f32"))
    assert runtime.precision == "f32"
    assert np.abs(on_batches(runtime.run)(batch) - expected).max() < 1e-5


@pytest.mark.parametrize("name", runtimes.MODULES)
def test_bytes_are_the_rounded_floats(model: models.Model, name: str) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (13, 18, 3), dtype=np.uint8)
    runtime = open_runtime(model, Execution(name, "f32"))
    floats = on_batches(runtime.run)(np.float32(pixels.transpose(2, 0, 1)[None] / 255))[0].transpose(1, 2, 0)
    levels = np.clip(floats, 0, 1) * 255
    assert np.abs(on_batches(runtime.run)(pixels[None])[0] - levels).max() < 0.5 + 1e-3


def test_bf16_stays_within_two_levels_of_f32() -> None:
    model = models.load("swift-x2")
    if not runtimes.computes_in_bf16():
        pytest.skip("this processor does not compute in bf16")
    photo = np.random.default_rng(2).random((1, 3, 40, 40), dtype=np.float32) * 0.2 + 0.4
    exact, quick = (on_batches(open_runtime(model, Execution("openvino", p)).run)(photo) for p in ("f32", "bf16"))
    error = np.abs(exact - quick).max() * 255
    assert 0 < error < 2


def test_auto_takes_bf16_only_where_the_processor_has_it(model: models.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    for has in (True, False):
        monkeypatch.setattr("subpixel.runtimes.openvino_.computes_in_bf16", lambda has=has: has)
        assert open_runtime(model).precision == ("bf16" if has else "f32")


def test_wrong_requests(model: models.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownName, match="did you mean 'openvino'"):
        open_runtime(model, Execution("openvno"))
    with pytest.raises(UnknownName, match="precision"):
        Execution(precision="f16")
    for threads in (0, 1025):  # torch crashes at 100,000
        with pytest.raises(BadRequest, match=f"threads is {threads}; expected 1 to 1024"):
            Execution(threads=threads)
    for name in runtimes.MODULES:
        with pytest.raises(RuntimeUnavailable, match="no device 'tpu'"):
            open_runtime(model, Execution(name, device="tpu"))
    with pytest.raises(RuntimeUnavailable, match="f32 only"):
        open_runtime(model, Execution("onnxruntime", "bf16"))
    monkeypatch.setattr(runtimes, "installed", lambda name: False)
    with pytest.raises(MissingExtra, match=r"pip install 'subpixel\[train\]'"):
        runtimes.choose("torch")
