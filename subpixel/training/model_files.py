"""The model file that a run's folder or a checkpoint stands for, wherever a model is named. Imports no torch."""

from __future__ import annotations

import os
from pathlib import Path

from subpixel import models
from subpixel.errors import BadRequest, DataError, MissingExtra
from subpixel.ports import ModelName
from subpixel.runtimes import installed

LAST = "last.safetensors"
BEST = "best.safetensors"


def model_file(name: str, scale: float | None = None) -> str:
    """A name as it is, or the path of the model file of a training run's folder or of one of its checkpoints.

    Of a folder those that the run ended with, else its best checkpoint, else its last. A checkpoint's models are
    written beside it, under its name and with its time, unless they are there and not older. scale: which, where there
    are several.
    Raises: DataError for a folder without either, or a file that is no checkpoint of a training; BadRequest that lists
    the scales; MissingExtra without torch, which turns checkpoints into models.
    """
    path = Path(name)
    if path.is_dir() and (len(path.parts) > 1 or (path / LAST).is_file()):  # a folder may be called as a model is
        path, files = _of_folder(path)
    elif path.suffix == ".safetensors":
        files = _of_checkpoint(path)
    else:
        return name
    scales = {file: models.load(file).card.scale for file in files}
    fitting = [file for file in files if scale in (None, scales[file])] or files
    if len(fitting) != 1:
        known = ", ".join(f"x{scales[file]}" for file in files)
        raise BadRequest(f"{path} has models for {known}; name one of them, or its scale with -s")
    return str(fitting[0])


def _of_folder(folder: Path) -> tuple[Path, list[Path]]:
    stems = {file.stem for file in folder.glob("*.safetensors")}
    if finished := [file for file in sorted(folder.glob("*.onnx")) if not any(_is_of(file, stem) for stem in stems)]:
        return folder, finished
    for checkpoint in (folder / BEST, folder / LAST):
        if checkpoint.is_file():
            return checkpoint, _of_checkpoint(checkpoint)
    raise DataError(f"{folder} holds neither a model nor a checkpoint; expected the folder of a training run")


def _of_checkpoint(path: Path) -> list[Path]:
    written = [file for file in sorted(path.parent.glob("*.onnx")) if _is_of(file, path.stem)]
    stamp = path.stat().st_mtime_ns
    if written and min(file.stat().st_mtime_ns for file in written) >= stamp:
        return written
    if not (installed("torch") and installed("safetensors")):
        raise MissingExtra("torch", "train")
    from subpixel.training.shipping import ship

    made = [model.path for model in ship(path)]
    for file in made:  # a training at work may have replaced the checkpoint meanwhile
        os.utime(file, ns=(stamp, stamp))
    return made


def _is_of(file: Path, stem: str) -> bool:
    """Whether a model file is one of those of a checkpoint: last.onnx, last-x3.onnx."""
    name = ModelName.parse(file.stem)
    return stem in (file.stem, name.family if name else "")
