"""LPIPS: the published value, and what its definition implies."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from safetensors.torch import save_file  # noqa: E402

from subpixel.errors import BadRequest, BadWeights  # noqa: E402
from subpixel.metrics import lpips  # noqa: E402


@pytest.fixture(scope="module", params=["alex", "squeeze"])
def network(request, shared):
    return lpips.load(shared / f"reference/weights/lpips_{request.param}.safetensors")


def test_the_published_value_of_squeezenet(shared):
    """0.1008 for these batches: the example of torchmetrics' documentation."""
    network = lpips.load(shared / "reference/weights/lpips_squeeze.safetensors")
    torch.manual_seed(123)
    a, b = torch.rand(10, 3, 100, 100), torch.rand(10, 3, 100, 100)
    with torch.inference_mode():
        assert float(network(a, b).mean()) == pytest.approx(0.1008, abs=5e-5)


def test_equal_is_zero_and_worse_is_larger(network):
    rng = np.random.default_rng(0)
    photo = np.kron(rng.random((8, 8, 3)), np.ones((8, 8, 1)))
    noise = rng.standard_normal(photo.shape)
    distances = [network.distance(np.clip(photo + s * noise, 0, 1), photo) for s in (0, 0.02, 0.1, 0.3)]
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] > 1e-4


def test_its_gradient_is_finite_where_no_feature_is_seen():
    """A loss that is 0/0 there would end a training."""
    network = lpips.Lpips("squeeze")
    with torch.no_grad():
        for p in network.features.parameters():
            p.zero_()
    x = torch.rand(1, 3, 64, 64, requires_grad=True)
    network(x, torch.rand(1, 3, 64, 64)).sum().backward()
    assert torch.isfinite(x.grad).all()


def test_it_is_symmetric(network):
    a, b = np.random.default_rng(1).random((2, 48, 40, 3))
    assert network.distance(a, b) == pytest.approx(network.distance(b, a), rel=1e-5)


def test_the_first_layer_by_hand():
    """With every head but the first at 0, the distance is that of the first layer's directions."""
    network = lpips.Lpips("alex")
    with torch.no_grad():
        for k, head in enumerate(network.lin):
            head.weight.fill_(1.0 if k == 0 else 0.0)
        a, b = torch.rand(2, 1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        centre, spread = (torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225]))  # ImageNet's
        fa, fb = (network.features[:2]((x - centre[:, None, None]) / spread[:, None, None]) for x in (a, b))
        cosine = torch.nn.functional.cosine_similarity(fa, fb, dim=1)
        assert float(network(a, b)) == pytest.approx(float((2 - 2 * cosine).mean()), abs=1e-5)


@pytest.mark.parametrize("shape", [(64, 64), (64, 64, 1), (31, 64, 3)])
def test_what_it_does_not_take(network, shape):
    with pytest.raises(BadRequest, match="RGB images of at least 32x32"):
        network.distance(np.zeros(shape), np.zeros(shape))


def test_other_files(tmp_path):
    save_file({"features.0.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"not a model")
    for name, why in (("other", "LPIPS 0.1"), ("broken", "broken"), ("absent", "absent")):
        with pytest.raises(BadWeights, match=why):
            lpips.load(tmp_path / f"{name}.safetensors")
