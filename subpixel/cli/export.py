"""`subpixel export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "export"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel export swift-x2 --to openvino               swift-x2.xml and swift-x2.bin
subpixel export runs/mine --to onnx --size 640x480 --half --opset 17 -o mine.onnx
subpixel export fsrcnn-x3 --to opencv-pb -o F.pb     for cv2.dnn_superres
subpixel export restore-x2 --to onnx --report R.json for images such as the one inspected"""


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|PATH",
            help="A name from `subpixel models`, an .onnx file, or a training run's folder or checkpoint.",
        ),
    ],
    to: Annotated[str, typer.Option(help="onnx, openvino, torchscript, safetensors or opencv-pb.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT", help="By default the model's name, here.", show_default=False),
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="onnx, openvino: the only size that is taken.", show_default=False)
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="onnx, openvino: weights in half precision.")] = False,
    opset: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="onnx, openvino: of ONNX.", show_default=False)
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="What `subpixel inspect IMAGE --json` printed of an image like yours, for models that are told of it.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Write a model for other programs, once it is proven to compute the same.

    Images of any size are accepted, unless --size says one. opencv-pb holds FSRCNN and ESPCN, whose chroma OpenCV
    enlarges itself.
    """
    from subpixel.analysis import DegradationReport
    from subpixel.export.alteration import Alteration
    from subpixel.export.export import export
    from subpixel.training.model_files import model_file

    found = DegradationReport.read(report) if report else None
    typer.echo(export(model_file(model), to, output, overwrite, Alteration(_size(size), half, opset), found))


def _size(text: str | None) -> tuple[int, int] | None:
    """Height and width."""
    if text is None:
        return None
    width, sign, height = text.partition("x")
    if not (sign and width.isdigit() and height.isdigit()):
        raise typer.BadParameter(f"{text!r}; expected WxH, such as 640x480", param_hint="--size")
    return int(height), int(width)
