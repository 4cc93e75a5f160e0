"""The training of the network that reads edges: its labels are what was done, and what is stored computes the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from subpixel.analysis import edges as reader
from subpixel.images import Floats
from zoo import edges


def high(examples: Path, scale: int) -> Floats:
    side = (edges.SIDE + edges.ROOM + 16) * scale
    return np.asarray(Pillow.open(examples / "coffee.jpg").convert("RGB"))[:side, :side].astype(np.float32) / 255


def test_the_label_is_the_blur_that_was_applied(examples: Path) -> None:
    """The mean square of the gradients falls with the blur along their axis."""
    found: list[tuple[float, float]] = []
    for seed in range(40):
        crop, label = edges.blurred_crop(high(examples, 2), 2, np.random.default_rng(seed))
        assert crop.shape == (edges.SIDE + edges.ROOM, edges.SIDE + edges.ROOM)
        found.append((float(np.log(np.mean(np.diff(crop, axis=1) ** 2))), float(label[0])))
    energy, across = np.array(found).T
    assert np.corrcoef(energy, across)[0, 1] < -0.8


def test_crops_turn_with_their_labels() -> None:
    """A ramp tells which axis it follows."""
    crops = np.tile(np.arange(80.0, dtype=np.float32), (5, 80, 1))
    labels = np.tile(np.array([3, 2, 1], np.float32), (5, 1))
    seen: set[tuple[float, ...]] = set()
    for seed in range(30):
        moved, named = edges.moved(crops, labels, np.random.default_rng(seed))
        along_x = abs(float(moved[0, 0, 1] - moved[0, 0, 0])) == 1
        assert tuple(named[0, :2]) == ((3, 2) if along_x else (2, 3))
        seen.add(tuple(named[0]))
    assert seen == {(3, 2, 1), (3, 2, -1), (2, 3, 1), (2, 3, -1)}


def test_what_else_there_is_differs_from_what_it_was_made_from(examples: Path) -> None:
    crops = [edges.other_crop(high(examples, 2), 2, np.random.default_rng(seed)) for seed in range(12)]
    assert all(crop.min() >= 0 and crop.max() <= 255 and crop.std() > 3 for crop in crops)
    assert len({crop.tobytes() for crop in crops}) == 12


def test_what_is_stored_computes_what_was_trained(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch", reason="training needs torch")
    torch.manual_seed(0)
    net = edges.network(6)
    kept = {f"numbers.{name}": value.astype(np.float32) for name, value in edges.stored(net).items()}
    monkeypatch.setattr(reader, "_weights", lambda: kept)
    spectra = reader.local_spectra(np.random.default_rng(0).normal(128, 20, (3, 64, 48)).astype(np.float32))
    expected = net(torch.from_numpy(spectra)).detach().numpy()
    assert reader._network("numbers", spectra) == pytest.approx(expected, abs=2e-3)  # weights of 16 bits


def test_it_learns_the_one_answer_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="training needs torch")
    crops = (255 * np.random.default_rng(0).random((8, 80, 80))).astype(np.float32)
    labels = np.tile(np.array([0.4, 0.4, 0], np.float32), (8, 1))
    kept = edges.train(crops, labels, crops, (4, 0), 400, True)
    monkeypatch.setattr(reader, "_weights", lambda: {f"numbers.{name}": w for name, w in kept.items()})
    values = reader._network("numbers", reader.local_spectra(crops[:, :64, :64]))[:, :3]
    assert np.abs(values - labels).mean() < 0.05
