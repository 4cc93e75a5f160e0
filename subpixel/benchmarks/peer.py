"""A peer, to be measured beside ours in the same runtime: Real-ESRGAN's general x4 v3 (needs the `train` extra)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from subpixel import archs, models
from subpixel.errors import BadWeights


def realesr_general(general: Path, weaker: Path, denoise: float) -> models.Model:
    """The published network at a strength of denoising in 0..1.

    general, weaker: safetensors files of realesr-general-x4v3 and of its half that denoises less; the weights are
    mixed as its own command does, denoise * general + (1 - denoise) * weaker.
    Raises: BadWeights.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from subpixel.models import weights

    network = archs.create("compact", {})
    try:
        ours, other = load_file(general), load_file(weaker)
        mixed = {name: denoise * value + (1 - denoise) * other[name] for name, value in ours.items()}
        network.load_state_dict(mixed)
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise BadWeights(general, f"expected realesr-general-x4v3: {' '.join(str(error).split())[:80]}") from None
    with tempfile.TemporaryDirectory() as folder:
        return weights.save(network, Path(folder, "realesr-general-x4.onnx"))
