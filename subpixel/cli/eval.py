"""`subpixel eval`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from subpixel.degradations import Degradation

NAME = "eval"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel eval swift-x2 --data photos/
subpixel eval bicubic -s 4 --data photos/ --degradation real-world
subpixel eval runs/mine --data benchmarks/ --set Set5 --set Set14
subpixel eval swift -s 3 --data photos/ --lpips alex.safetensors"""


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model, family, kernel, .onnx file or training run's folder.", show_default=False
        ),
    ],
    data: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Photos; with --set, what holds the benchmark sets.", show_default=False),
    ],
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", metavar="N", min=1, help="By default the model's own.", show_default=False),
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME", help="A benchmark set, verified; may be repeated.", show_default=False),
    ] = None,
    degradation: Annotated[
        str, typer.Option(metavar="NAME|FILE", help="A preset of `subpixel degrade`, or a page of TOML or JSON.")
    ] = "classical",
    protocol: Annotated[str, typer.Option(metavar="y|rgb", help="Compare luma, or colours.")] = "y",
    lpips: Annotated[
        Path | None, typer.Option(metavar="WEIGHTS", help="LPIPS too, with this safetensors file.", show_default=False)
    ] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, csv or json.")] = "markdown",
) -> None:
    """Reduce photos, enlarge them with a model, and compare with the originals, image by image."""
    from subpixel.benchmarks.candidates import candidate
    from subpixel.benchmarks.quality import bench_quality
    from subpixel.errors import UnknownName
    from subpixel.evaluation.evaluate import evaluate_folder
    from subpixel.metrics.protocol import STANDARD, Protocol

    forms = {"markdown": "images", "csv": "csv", "json": "json"}
    protocols = {"y": STANDARD, "rgb": Protocol(luma=False)}
    for kind, name, known in (("format", form, forms), ("protocol", protocol, protocols)):
        if name not in known:
            raise UnknownName(kind, name, known)
    made = _degradation(degradation)
    how: dict[str, Any] = {"protocol": protocols[protocol], "colour": perceptual(lpips)}
    measured = candidate(model, scale)
    if dataset:
        report = bench_quality([measured], data, dataset, degradation=made, **how)
    else:
        low = made(measured.scale)
        report = evaluate_folder(measured.upscale, data, measured.scale, model=measured.name, degradation=low, **how)
    typer.echo(getattr(report, forms[form])(), nl=False)


def _degradation(name: str) -> Callable[[int], Degradation]:
    from subpixel.degradations import PRESETS
    from subpixel.degradations.applied import read_degradation
    from subpixel.errors import UnknownName

    if name in PRESETS:
        return PRESETS[name]
    if not Path(name).suffix:
        raise UnknownName("degradation", name, PRESETS)
    page = read_degradation(Path(name))
    return lambda scale: page


def perceptual(weights: Path | None) -> dict[str, Any]:
    if weights is None:
        return {}
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not (installed("torch") and installed("safetensors")):
        raise MissingExtra("torch", "train")
    from subpixel.metrics import lpips

    return {"lpips": lpips.load(weights).distance}
