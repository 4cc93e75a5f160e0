"""Weights that others trained reach on Set5 what they are known to reach: the networks are the papers'.

Degradation: MATLAB bicubic to 8 bit. Measure: PSNR on BT.601 luma, the result's and the photo's unrounded,
without a border of `scale` pixels, the result clipped. The known values of VDSR and LapSRN were measured with
the input's luma rounded to 8 bit: they get a gray image of exactly this luma. CARN-M sees the 8-bit RGB.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from subpixel import archs, color
from subpixel.archs.carn import CARN
from subpixel.nn.arch import Arch
from subpixel.resample import resize

Array = NDArray[Any]
Weights = dict[str, Tensor]


def vdsr(shared: Path) -> Arch:
    weights = load_file(shared / "reference/weights/vdsr.safetensors")
    names = ["input", *(f"residual_layer.{n}.conv" for n in range(18)), "output"]
    mapped = {f"body.{2 * n}.weight": weights[f"{name}.weight"] for n, name in enumerate(names)}
    return _loaded("vdsr", {}, mapped)


def lapsrn(shared: Path) -> Arch:
    weights = load_file(shared / "reference/weights/lapsrn.safetensors")
    mapped = {"head.0.weight": weights["conv_input.weight"]}
    for level in (0, 1):
        features = f"convt_F{level + 1}.0.cov_block."
        for n in range(0, 20, 2):
            mapped[f"levels.{level}.embed.{n}.weight"] = weights[f"{features}{n}.weight"]
        mapped[f"levels.{level}.up.0.weight"] = weights[f"{features}20.weight"]
        mapped[f"levels.{level}.residual.weight"] = weights[f"convt_R{level + 1}.weight"]
        mapped[f"levels.{level}.enlarge.weight"] = weights[f"convt_I{level + 1}.weight"]
    return _loaded("lapsrn", {"kernel": 4}, mapped)


def carn_m(shared: Path) -> Arch:
    weights = load_file(shared / "reference/weights/carn_m.safetensors")
    mapped = {_carn_key(name.split(".")): value for name, value in weights.items() if "shifter" not in name}
    return _loaded("carn", {"groups": 4, "recursive": True}, mapped)


def _carn_key(parts: list[str]) -> str:
    """b1.c2.body.0.weight -> body.units.0.mix.1.0.weight, and so on."""
    first, *rest = parts
    if first in ("entry", "exit"):
        return ".".join([{"entry": "head", "exit": "tail"}[first], *rest])
    if first == "upsample":
        return ".".join(["up", f"x{rest[0][2]}", *rest[2:]])
    place, number = ("units", int(first[1]) - 1) if first[0] == "b" else ("mix", int(first[1]) - 1)
    if place == "mix":
        return ".".join(["body.mix", str(number), *rest[1:]])
    inner = ["units.0.body"] if rest[0][0] == "b" else ["mix", str(int(rest[0][1]) - 1)]
    return ".".join(["body.units", str(number), *inner, *rest[2:]])


def _loaded(name: str, config: dict[str, Any], weights: Weights) -> Arch:
    model = archs.create(name, config)
    model.load_state_dict(weights)
    return model.eval()


def _pairs(shared: Path, scale: int) -> Iterator[tuple[Array, Array]]:
    for path in sorted((shared / "data/bench/Set5").glob("*.webp")):
        image = np.asarray(Image.open(path).convert("RGB"))
        height, width = (n // scale for n in image.shape[:2])
        high = image[: height * scale, : width * scale]
        yield resize(high, height, width), high


def _luma(pixels: Array) -> Array:
    return color.luma(pixels.astype(np.float64) / 255) * 255


def _gray(luma: Array) -> Array:
    """The gray RGB image in [0, 1] that has this luma of 0..255."""
    return ((luma - 16) / 219)[..., None].repeat(3, axis=2)


def _luma_made(model: Arch, low: Array) -> Array:
    """The luma in 0..255 that a network makes of 8-bit RGB."""
    pixels = low / 255 if isinstance(model, CARN) else _gray(np.floor(_luma(low) + 0.5))
    with torch.no_grad():
        y = model(torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None])
    return _luma(y.clamp(0, 1)[0].permute(1, 2, 0).double().numpy() * 255)


def _psnr(found: Array, truth: Array, shave: int) -> float:
    difference = (found - truth)[shave:-shave, shave:-shave]
    return float(10 * np.log10(255**2 / np.mean(difference**2)))


NETWORKS = {"vdsr": vdsr, "lapsrn": lapsrn, "carn-m": carn_m}


@pytest.mark.parametrize(
    ("name", "scale", "known"),
    [
        ("vdsr", 2, 37.55),
        ("vdsr", 3, 33.73),
        ("vdsr", 4, 31.43),
        ("lapsrn", 2, 37.27),
        ("lapsrn", 4, 31.61),
        ("carn-m", 2, 37.70),
        ("carn-m", 3, 34.07),
        ("carn-m", 4, 31.88),
    ],
)
def test_foreign_weights_reach_their_psnr(shared: Path, name: str, scale: int, known: float) -> None:
    model = NETWORKS[name](shared).at_scale(scale)
    scores = [_psnr(_luma_made(model, low), _luma(high), scale) for low, high in _pairs(shared, scale)]
    assert len(scores) == 5
    assert np.mean(scores) == pytest.approx(known, abs=0.02)
