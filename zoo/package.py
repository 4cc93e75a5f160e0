"""Puts trained models into the package, small: half-precision weights, one file of them for the scales of a network.

    python zoo/package.py runs/edsr-base-x2/edsr-base-x2.onnx
    python zoo/package.py runs/vdsr/vdsr-x2.onnx runs/vdsr/vdsr-x3.onnx runs/vdsr/vdsr-x4.onnx

Several files are the scales of one network. Then `python -m zoo.models_page` measures what was shipped.
"""

from __future__ import annotations

import sys
from pathlib import Path

from onnx import ModelProto

from subpixel import atomic
from subpixel.models import compact, store


def package(files: list[Path], folder: Path = store.FOLDER) -> list[Path]:
    """Writes the models into a folder, their cards without scores, and returns their paths there.

    Raises: BadWeights for a file that is not a model.
    """
    loaded = [store.load(file) for file in files]
    protos = [store.parse(model.path, model.graph) for model in loaded]
    digests = [_halved(model.path, proto) for model, proto in zip(loaded, protos, strict=True)]
    if len(loaded) > 1:
        weights = folder / f"{loaded[0].card.family}{compact.SUFFIX}"
        atomic.write_bytes(weights, compact.share_weights(protos, weights.name))
    written = [folder / f"{model.card.name}.onnx" for model in loaded]
    for path, model, proto, digest in zip(written, loaded, protos, digests, strict=True):
        card = model.card.model_copy(update={"sha256": digest, "scores": ()})
        atomic.write_bytes(path, store.with_metadata(proto, card))
        store.load(path)  # verifies
    return written


def _halved(path: Path, proto: ModelProto) -> str:
    """Halves a graph's weights; returns the digest of what will be loaded."""
    compact.to_half(proto)
    whole = ModelProto()
    whole.CopyFrom(proto)
    compact.load_full(path, whole)
    return store.digest(whole)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: python zoo/package.py MODEL.onnx [MODEL.onnx ...]")
    for path in package([Path(name) for name in sys.argv[1:]]):
        print(path, path.stat().st_size)
