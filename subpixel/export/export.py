"""Models for other programs: written, compared with the original, and only then handed over."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from subpixel import models
from subpixel.errors import BadRequest, ParityError, UnknownName
from subpixel.export.formats import FORMATS, Format, Run, picture
from subpixel.inference.jobs import vacant
from subpixel.models import Model
from subpixel.runtimes import open_runtime

SIZES = ((17, 22), (1, 1), (8, 3), (40, 131))
"""Height and width of the pictures that are compared: odd, tiny, narrow, large."""

TOLERANCE = 1e-4
"""Largest difference, of values in [0, 1]: 0.03 levels of 255. Different libraries sum in different order."""


def export(model: str | Path, to: str, output: Path | None = None, overwrite: bool = False) -> Path:
    """Writes a model for other programs and returns the file; it accepts pictures of any size.

    to: onnx, openvino (an .xml and a .bin), torchscript, safetensors (the weights, to be imported again) or
    opencv-pb (for cv2.dnn_superres, FSRCNN and ESPCN only). output: by default the model's name in this folder.
    Raises: UnknownName; BadRequest where a model does not fit a format or the file exists; MissingExtra without torch
    for the last three; ParityError if the file does not compute what the model computes, and then there is no file.
    """
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    loaded, form = models.load(model), FORMATS[to]
    target = output or Path(f"{loaded.card.name}{form.suffix}")
    if target.suffix != form.suffix:
        raise BadRequest(f"{target}: a file of the format {to} ends in {form.suffix}")
    vacant(target, overwrite)
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.stem}.") as folder:
            written = Path(folder, target.name)
            form.write(loaded, written)
            compare(target, loaded, form.open(written, loaded), form.gray)
            _hand_over(folder, target, form)
    except OSError as error:
        raise BadRequest(f"cannot write {target}: {error.strerror or error}") from None
    return target


def compare(
    what: Path, original: Model, run: Run, gray: bool = False, sizes: Sequence[tuple[int, int]] = SIZES
) -> None:
    """Compares what a file computes with its original, in f32, at several sizes.

    gray: on gray pictures only. Raises: ParityError.
    """
    reference = open_runtime(original, "openvino", "f32", device="cpu")
    for size in sizes:
        low = picture(size, gray)
        expected, found = reference.run(low), run(low)
        same = expected.shape == found.shape
        difference = float(np.abs(expected - found).max()) if same else float("inf")
        if not difference <= TOLERANCE:  # NaN is no parity
            raise ParityError(f"{what} at {size[1]}x{size[0]} pixels", difference, TOLERANCE)


def _hand_over(folder: str, target: Path, form: Format) -> None:
    """Moves all that was written beside its target, the file that names the others last."""
    for part in sorted(Path(folder).iterdir(), key=lambda p: p.suffix == form.suffix):
        part.replace(target.with_name(part.name))
