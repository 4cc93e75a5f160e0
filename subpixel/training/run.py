"""A whole training run: photos and a recipe in, model files out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from subpixel import models
from subpixel.datasets import sources
from subpixel.datasets.degraded import Degraded
from subpixel.datasets.layouts import find_layout
from subpixel.datasets.leakage import check_disjoint
from subpixel.datasets.moving import Moving
from subpixel.datasets.pairs import Pairs
from subpixel.degradations import PRESETS, Degradation, classical, from_dict
from subpixel.errors import BadRequest, RecipeError
from subpixel.losses import content, custom
from subpixel.metrics.lpips import load as load_lpips
from subpixel.nn.arch import Arch
from subpixel.resample import resize
from subpixel.runtimes import Execution, machine
from subpixel.training import checkpoint, gan, loop, processes, resumption
from subpixel.training.initialization import InitialWeights, build_network, loaded_summary
from subpixel.training.model_files import LAST
from subpixel.training.objective import compared
from subpixel.training.outputs import output_scales
from subpixel.training.recipe import SCALE, Loss, Recipe
from subpixel.training.recorder import Keeping, Progress, ignore_line, ignore_progress
from subpixel.training.shipping import rehearse, save_models
from subpixel.training.validation import Validation
from subpixel.training.validation_set import ValidationSet


def run(
    recipe: Recipe,
    data: Path,
    validation: Path,
    folder: Path,
    *,
    execution: Execution = Execution(),
    cache: Path | None = None,
    vgg: Path | None = None,
    lpips: Path | None = None,
    show: Callable[[Progress], object] = ignore_progress,
    checkpoints: int = 0,
    notify: Callable[[str], object] = ignore_line,
) -> list[models.Model]:
    """Trains a recipe on a folder of photos and writes its models into the run folder; run again, it resumes.

    data, validation: folders of photos; validation is never trained on, and its low resolution is made as that of the
    training is. folder: checkpoints, log.jsonl, samples, one model for each scale that was trained. execution: torch's;
    its `auto` is f32 on the CPU here. cache: of the decoded photos, which several runs may share; by default in the run
    folder. vgg: VGG19's weights for a content loss. lpips: weights of the perceptual distance, for validations and a
    perceptual loss. checkpoints: how many validated ones stay besides the last and the best. notify: takes lines on
    where the run begins and what has changed since. Under torchrun the first process validates and writes.
    Raises: RecipeError, DataError, TrainingDiverged, RuntimeUnavailable, UnknownName, BadRequest, BadWeights.
    """
    execution = _by_torch(execution)
    _check_request(recipe, vgg, lpips)
    _check_begun(recipe, folder / LAST)
    _check_folders(data, validation, folder, cache)
    check_disjoint(data, validation)
    features = _feature_losses(
        recipe.loss, execution.device, vgg, lpips
    )  # before the photos are packed, which takes long
    if execution.threads is not None:
        torch.set_num_threads(execution.threads)
    notify = notify if processes.rank() == 0 else ignore_line
    with processes.process_group(execution.device):
        init = _initial_weights(recipe) if recipe.init else None
        untrained = build_network(recipe, init, processes.local_device(execution.device))
        _check_network(untrained, recipe)
        if init and not (folder / LAST).exists():
            notify(f"init: {loaded_summary(untrained, init)} of the weights of {recipe.init}")
        validate = _validation(untrained, recipe, data, validation, folder / "samples", lpips)
        with processes.rank0_first():
            patch_sources = _patch_sources(untrained, recipe, data, cache or folder / "cache")
        for note in patch_sources[recipe.scales[0]].high.notes:
            notify(f"{data}: {note}")
        folders = {"data": sources.fingerprint(data), "validation": sources.fingerprint(validation)}
        network = loop.train(
            recipe,
            patch_sources,
            folder,
            validate=validate,
            execution=execution,
            init=init,
            features=features,
            show=show,
            keeping=Keeping(folders, checkpoints, notify),
        ).cpu()
        if processes.rank() > 0:
            return []
        state = checkpoint.read_state(folder / LAST)
        return save_models(network, recipe, state, folder, validate.scores, sources.digest(data))


def _by_torch(execution: Execution) -> Execution:
    """With what `auto` means here. Raises: BadRequest for another runtime; as `processes.check_device`."""
    if execution.runtime not in ("auto", "torch"):
        raise BadRequest(f"runtime {execution.runtime!r}; networks are trained by torch alone")
    precision = "f32" if execution.precision == "auto" else execution.precision
    device = "cpu" if execution.device == "auto" else execution.device
    processes.check_device(device)
    return Execution("torch", precision, execution.threads, device)


def _check_request(recipe: Recipe, vgg: Path | None, lpips: Path | None) -> None:
    if recipe.loss.adversarial:
        gan.check(recipe)
    for name in recipe.loss.custom:
        custom.find(name)
    if recipe.loss.content and vgg is None:
        raise RecipeError("loss.content: needs VGG19's weights; name their file with --vgg")
    if recipe.loss.perceptual and lpips is None:
        raise RecipeError("loss.perceptual: needs the weights of LPIPS; name their file with --lpips")


def _check_begun(recipe: Recipe, last: Path) -> None:
    """Before images are packed. Raises: DataError where a run of another recipe lies in the folder."""
    if last.exists():
        resumption.changes(last, checkpoint.read_origin(last), resumption.origin(recipe, {}))


def _check_folders(data: Path, validation: Path, folder: Path, cache: Path | None) -> None:
    """Raises: RecipeError where images would be looked for in what the run writes: its samples show those held out."""
    for written, option in ((folder, "--run"), *([(cache, "--cache")] if cache else [])):
        for images in (data, validation):
            if written.resolve().is_relative_to(images.resolve()):
                raise RecipeError(f"{option}: {written} lies in {images}, whose images are all used; name another")


def _check_network(network: Arch, recipe: Recipe) -> None:
    data = recipe.data
    side, memory = data.patch * max(recipe.scales), machine.memory()
    needed = data.batch * network.ports.channels * data.frames * side**2 * 4 / 2**30
    if memory and needed > memory:
        crops = f"{data.batch:,} crops of {side}x{side} pixels take {needed:,.0f} GiB"
        raise RecipeError(f"data.batch: {crops}, and this machine has {memory:.0f}; lower it or data.patch")
    needs_labels = compared(network, recipe.loss).kind == "vector" or network.condition is not None
    if needs_labels and data.degradation == "bicubic":
        raise RecipeError("data.degradation: bicubic has no labels; a network that is told them needs another one")
    if (data.frames > 1) != network.ports.carries:
        sees = "clips; expected more than one frame" if network.ports.carries else "one image at a time"
        raise RecipeError(f"data.frames: {data.frames}; {recipe.arch} sees {sees}")
    if data.frames > 1 and data.degradation != "bicubic":
        raise RecipeError(f"data.degradation: {data.degradation}; clips are reduced by bicubic alone")
    if ":" in recipe.arch:
        rehearse(network, recipe)


def _feature_losses(loss: Loss, device: str, vgg: Path | None, lpips: Path | None) -> dict[str, nn.Module]:
    losses = dict[str, nn.Module]()
    if loss.content and vgg:
        losses["content"] = content.load(vgg, loss.layer).to(device)
    if loss.perceptual and lpips:
        losses["perceptual"] = load_lpips(lpips).to(device)
    return losses


def _patch_sources(
    network: Arch, recipe: Recipe, data: Path, cache: Path
) -> dict[int, Pairs] | dict[int, Degraded] | dict[int, Moving]:
    channels, frames, patch = network.ports.channels, recipe.data.frames, recipe.data.patch
    if frames > 1:
        return {scale: sources.moving(data, scale, frames, cache, patch) for scale in recipe.scales}
    if recipe.data.degradation == "bicubic":
        return {scale: sources.pairs(data, scale, resize, cache, channels, patch) for scale in recipe.scales}
    degradations = {scale: _degradation(recipe, scale) for scale in recipe.scales}
    return {scale: sources.degraded(data, scale, each, cache, channels, patch) for scale, each in degradations.items()}


def _validation(
    untrained: Arch, recipe: Recipe, data: Path, folder: Path, samples: Path, lpips: Path | None
) -> Validation:
    """Tried with the untrained network: what cannot be measured is told before the first step."""
    if lpips and untrained.ports.channels not in (1, 3):
        raise BadRequest(f"LPIPS sees gray and RGB; the network's images have {untrained.ports.channels} channels")
    validation = Validation(_validation_sets(untrained, recipe, data, folder), recipe.scales, samples, lpips)
    validation.check(untrained)
    return validation


def _validation_sets(network: Arch, recipe: Recipe, data: Path, validation: Path) -> dict[int, ValidationSet]:
    """By scale, with the LR of the training; where that is made by bicubic, for a pyramid's other outputs too."""
    degradations: dict[int, Degradation | None]
    if recipe.data.degradation != "bicubic":
        degradations = {s: _degradation(recipe, s) for s in recipe.scales}
    elif find_layout(data).low:
        degradations = dict.fromkeys(recipe.scales)
    else:
        degradations = {s: classical(s) for s in output_scales(network, recipe.scales)}
    channels = network.ports.channels
    frames = recipe.data.frames
    return {s: ValidationSet.find(validation, s, each, channels, frames) for s, each in degradations.items()}


def _degradation(recipe: Recipe, scale: int) -> Degradation:
    degradation = recipe.data.degradation
    if isinstance(degradation, dict):
        return from_dict(degradation, "data.degradation")
    return PRESETS[degradation](scale)


def _initial_weights(recipe: Recipe) -> InitialWeights:
    init = recipe.init
    names = [init.replace(SCALE, str(scale)) for scale in recipe.scales]
    for name in names:
        if name.endswith((".onnx", ".safetensors")) and not Path(name).exists():
            others = "or give another one, such as --init swift-x2, or none with --init ''"
            raise RecipeError(f"init: {name} is not there; train what it is the result of first, {others}")
    if init.endswith(".safetensors"):
        return InitialWeights.from_run(Path(init))
    if len(recipe.scales) > 1 and SCALE not in init:
        raise RecipeError(
            f"init: the model {init} has one scale, data.scales {recipe.scales}; "
            f"name the models of all with {SCALE} for the number (carn-x{SCALE}), or a run's last.safetensors"
        )
    return InitialWeights.from_models([models.load(name) for name in names])
