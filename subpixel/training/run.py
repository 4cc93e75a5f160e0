"""A whole training run: photos and a recipe in, a model file out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from subpixel import models
from subpixel.datasets import photos
from subpixel.errors import BadRequest, RuntimeUnavailable
from subpixel.evaluation.evaluate import Pair, degraded, evaluate
from subpixel.image import Image, from_batch, read, to_batch
from subpixel.models import weights
from subpixel.nn.arch import Arch
from subpixel.resample import resize
from subpixel.training import checkpoint
from subpixel.training.loop import train
from subpixel.training.recipe import Recipe


def run(
    recipe: Recipe,
    data: Path,
    validation: Path,
    folder: Path,
    *,
    device: str = "cpu",
    precision: str = "f32",
    threads: int | None = None,
) -> models.Model:
    """Trains a recipe on a folder of photos and writes its model into the run folder; run again, it resumes.

    data, validation: folders of photos; validation is never trained on. folder: checkpoints, log.jsonl, the model.
    Raises: RecipeError, DataError, TrainingDiverged, RuntimeUnavailable, UnknownName, BadRequest.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeUnavailable("torch sees no CUDA device here; use --device cpu")
    if precision not in ("f32", "bf16"):
        raise BadRequest(f"precision {precision!r}; expected f32 or bf16")
    if threads:
        torch.set_num_threads(threads)
    scale = int(recipe.config.get("scale", 2))
    start = _start(recipe.init) if recipe.init else None
    network = train(
        recipe,
        photos.pairs(data, scale, resize, folder / "cache"),
        folder,
        validate=_validator(validation, scale, device),
        device=device,
        bf16=precision == "bf16",
        init=start,
    )
    path = folder / f"{recipe.name}.onnx"
    return weights.save(network, path, recipe=recipe.digest, steps=recipe.steps, data=photos.digest(data))


def _start(init: str) -> dict[str, Tensor]:
    return checkpoint.averaged(Path(init)) if init.endswith(".safetensors") else weights.state(models.load(init))


def _validator(folder: Path, scale: int, device: str) -> Callable[[Arch], float]:
    pairs: list[Pair] = list(degraded(((p.name, read(p)) for p in photos.files(folder)), scale))

    def validate(network: Arch) -> float:
        def upscale(low: Image) -> Image:
            with torch.inference_mode():
                high = network(torch.from_numpy(to_batch(low.pixels)).to(device)).cpu().numpy()
            return Image(np.clip(from_batch(high), 0, 1))

        training = network.training
        network.eval()
        report = evaluate(upscale, pairs, scale, model="network", dataset=folder.name)
        network.train(training)
        return report.mean("network", folder.name, scale, "psnr")

    return validate
