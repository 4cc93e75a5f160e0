"""`subpixel import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "import"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel import FSRCNN_x3.pb                fsrcnn-x3.onnx, then: subpixel upscale -m ./fsrcnn-x3.onnx
subpixel import 4x_foo.pth -o foo-x4.onnx   community weights; needs the extra `community`"""


def command(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A .pb of OpenCV, a .pth or .safetensors of others.", show_default=False),
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="OUT.onnx", help="By default NAME-xN.onnx, here.", show_default=False),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it exists.")] = False,
) -> None:
    """Turn weights from elsewhere into a model file."""
    from subpixel.imports.import_model import import_model

    model = import_model(file, output, overwrite)
    typer.echo(f"{model.path}: {model.card.arch}, x{model.card.scale}, halo {model.card.halo}")
