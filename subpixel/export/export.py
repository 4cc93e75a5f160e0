"""Models for other programs: written, compared with the original, and only then handed over."""

from __future__ import annotations

from pathlib import Path

from subpixel import atomic, models
from subpixel.analysis import DegradationReport
from subpixel.errors import BadRequest, UnknownName, unwritten
from subpixel.export.alteration import Alteration
from subpixel.export.formats import FORMATS, Format
from subpixel.jobs.targets import check_target
from subpixel.runtimes.parity import SIZES, TOLERANCE, compare

HALF_TOLERANCE = 1 / 255
"""Largest difference, of values in [0, 1], where the weights were rounded to half precision."""


def export(
    model: str | Path,
    to: str,
    output: Path | None = None,
    overwrite: bool = False,
    alteration: Alteration = Alteration(),
    report: DegradationReport | None = None,
) -> Path:
    """Writes a model for other programs and returns the file; it accepts images of any size, unless it is altered.

    to: onnx, openvino (an .xml and a .bin), torchscript, safetensors (the weights, to be imported again) or
    opencv-pb (for cv2.dnn_superres, FSRCNN and ESPCN only). output: by default the model's name in this folder.
    alteration: of the graph, for onnx and openvino. report: what was found in the images that it will be used on, for a
    model that is told of it: other programs cannot tell it, so the file is for such images. safetensors alone keeps
    what the network does with any.
    Raises: UnknownName; BadRequest where a model does not fit a format, has a memory, needs a report, or a file exists;
    MissingExtra without torch for the last three; ParityError if the file does not compute what the model computes,
    and then there is no file.
    """
    if to not in FORMATS:
        raise UnknownName("format", to, FORMATS)
    if alteration != Alteration() and to not in ("onnx", "openvino"):
        raise BadRequest(f"{to} has no size, opset or half-precision weights to choose; onnx and openvino have")
    loaded, form = models.load(model), FORMATS[to]
    loaded.card.check_enlarges()
    loaded = loaded.conditioned(report.condition()) if report else loaded
    if loaded.card.condition and not form.conditions:
        raise BadRequest(
            f"{loaded.card.name} is told what is wrong with an image, which {to} has no place for; give --report a file"
            " of what subpixel inspect IMAGE --json prints, to be built in"
        )
    target = output or Path(f"{loaded.card.name}{form.suffix}")
    if target.suffix != form.suffix:
        raise BadRequest(f"{target}: a file of the format {to} ends in {form.suffix}")
    for suffix in filter(None, (form.suffix, form.beside)):
        check_target(target.with_suffix(suffix), overwrite)
    try:
        part = atomic.temporary(target.parent)
    except OSError as error:
        raise BadRequest(f"cannot write {target}: {unwritten(error)}") from None
    try:
        written = part.with_name(target.name)
        form.write(alteration.of(loaded), written)
        sizes = (alteration.size,) if alteration.size else SIZES
        tolerance = HALF_TOLERANCE if alteration.half else TOLERANCE
        compare(target, loaded, form.open(written, loaded), form.gray, sizes, tolerance)
        _hand_over(part.parent, target, form)
    except OSError as error:
        raise BadRequest(f"cannot write {target}: {unwritten(error)}") from None
    finally:
        atomic.discard(part)
    return target


def _hand_over(folder: Path, target: Path, form: Format) -> None:
    """Moves all that was written beside its target, the file that names the others last."""
    parts = sorted(folder.iterdir(), key=lambda p: p.suffix == form.suffix)
    if len(parts) > 1:  # or the old one would lead to new weights, were the process killed in between
        target.unlink(missing_ok=True)
    for part in parts:
        atomic.commit(part, target.with_name(part.name))
