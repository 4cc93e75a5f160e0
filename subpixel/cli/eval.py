"""`subpixel eval`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import typer

from subpixel.errors import BadRequest

if TYPE_CHECKING:
    from subpixel.degradations import Degradation
    from subpixel.evaluation.report import Report
    from subpixel.metrics.protocol import Protocol

T = TypeVar("T")
NAME = "eval"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel eval swift-x2 --data photos/
subpixel eval bicubic -s 4 --data photos/ --degradation real-world
subpixel eval runs/mine --data benchmarks/ --set Set5 --set Set14
subpixel eval swift -s 3 --data photos/ --lpips alex.safetensors
subpixel eval --results theirs/ --references originals/ -s 4 --metric psnr --metric ms_ssim"""


def command(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL", help="A model, family, kernel, .onnx file, training run or checkpoint.", show_default=False
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Photos or pairs; with --set, what holds the benchmark sets.", show_default=False
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Results of any program, in place of a model.", show_default=False),
    ] = None,
    references: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="What --results is compared with.", show_default=False)
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", metavar="N", min=1, help="By default the model's own.", show_default=False),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME", help="A benchmark set, verified; may be repeated.", show_default=False),
    ] = None,
    degradation: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|FILE",
            help="A preset of `subpixel degrade`, or a page of TOML or JSON; by default classical, or LR from files.",
            show_default=False,
        ),
    ] = None,
    protocol: Annotated[str, typer.Option(metavar="y|rgb", help="Compare luma, or colours.")] = "y",
    shave: Annotated[
        int | None,
        typer.Option(metavar="N", min=0, help="Border that is left out; the scale by default.", show_default=False),
    ] = None,
    rounding: Annotated[
        str, typer.Option("--round", metavar="WHICH", help="To 8 bit: none, images, reference (luma) or both.")
    ] = "reference",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="May be repeated: psnr, ssim, ms_ssim; by default the first two.", show_default=False
        ),
    ] = None,
    lpips: Annotated[
        Path | None, typer.Option(metavar="WEIGHTS", help="LPIPS too, with this safetensors file.", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, csv or json.")] = "markdown",
) -> None:
    """Reduce photos, enlarge them with a model, and compare with the originals, image by image.

    Or compare what another program made: --results and --references, whose files have the same names.
    """
    from subpixel.evaluation.evaluate import METRICS

    show = _known("format", form, {"markdown": "images", "csv": "csv", "json": "json"})
    how: dict[str, Any] = {
        "protocol": _protocol(protocol, shave, rounding),
        "metrics": {name: _known("metric", name, METRICS) for name in metric or ("psnr", "ssim")},
        "colour": perceptual(lpips),
    }
    if results is not None or references is not None:
        report = _of_results(results, references, scale, shave, model or data or dataset or degradation, how)
    else:
        report = _of_model(model, data, scale, dataset, degradation, how)
    typer.echo(getattr(report, show)(), nl=False)


def _known(kind: str, name: str, values: Mapping[str, T]) -> T:
    from subpixel.errors import UnknownName

    if name not in values:
        raise UnknownName(kind, name, values)
    return values[name]


def _of_results(
    results: Path | None, references: Path | None, scale: int | None, shave: int | None, other: object, how: Any
) -> Report:
    from subpixel.evaluation import folders
    from subpixel.evaluation.evaluate import evaluate

    if results is None or references is None or other:
        raise BadRequest("--results and --references go together, without a model, --data, --set and --degradation")
    if scale is None and shave is None:
        raise BadRequest("--results needs -s, the factor of the enlargement, or --shave: a border is left out")
    pairs = folders.results(results, references, scale or 1)
    names = {"model": results.resolve().name, "dataset": references.resolve().name}
    return evaluate(lambda result: result, pairs, scale or 1, **names, **how)


def _of_model(
    model: str | None, data: Path | None, scale: int | None, dataset: list[str] | None, named: str | None, how: Any
) -> Report:
    from subpixel.benchmarks.candidates import candidate
    from subpixel.benchmarks.quality import bench_quality
    from subpixel.evaluation import folders
    from subpixel.evaluation.evaluate import evaluate, evaluate_folder

    if model is None or data is None:
        raise BadRequest("name a model and --data, or --results and --references")
    degradation, measured = _degradation(named or "classical"), candidate(model, scale)
    if dataset:
        return bench_quality([measured], data, dataset, degradation=degradation, **how)
    if named is not None or not folders.has_pairs(data):
        low = degradation(measured.scale)
        return evaluate_folder(measured.upscale, data, measured.scale, model=measured.name, degradation=low, **how)
    names = {"model": measured.name, "dataset": data.resolve().name, "degradation": "low resolution from files"}
    return evaluate(measured.upscale, folders.pairs(data, measured.scale), measured.scale, **names, **how)


def _protocol(name: str, shave: int | None, rounding: str) -> Protocol:
    from subpixel.errors import UnknownName
    from subpixel.metrics.protocol import Protocol

    if name not in ("y", "rgb"):
        raise UnknownName("protocol", name, ("y", "rgb"))
    return Protocol(name == "y", "scale" if shave is None else shave, cast("Any", rounding))


def _degradation(name: str) -> Callable[[int], Degradation]:
    from subpixel.degradations import PRESETS
    from subpixel.degradations.applied import read_degradation
    from subpixel.errors import UnknownName

    if name in PRESETS:
        return PRESETS[name]
    if not Path(name).suffix:
        raise UnknownName("degradation", name, PRESETS)
    degradation = read_degradation(Path(name))
    return lambda scale: degradation


def perceptual(weights: Path | None) -> dict[str, Any]:
    """The metric `lpips`, by the name that reports give it, where its weights are given; raises as `lpips.load`."""
    if weights is None:
        return {}
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not (installed("torch") and installed("safetensors")):
        raise MissingExtra("torch", "train")
    from subpixel.metrics import lpips

    return {"lpips": lpips.load(weights).distance}
