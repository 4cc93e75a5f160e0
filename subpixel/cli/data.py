"""`subpixel data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "data"
app = typer.Typer(help="Look after training images.", no_args_is_help=True)
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel data check photos/ --patch 48 -s 4
subpixel data check DIV2K/                       folders or zip files, HR and LR"""


@app.callback()
def _options() -> None: ...  # keeps `check` a command of its own


@app.command(epilog=EXAMPLES)
def check(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER|ZIP", help="Images to train on.", show_default=False)],
    patch: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="The recipe's data.patch: a side at low resolution.", show_default=False),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option("-s", "--scale", metavar="N", min=1, help="By default what the folders say.", show_default=False),
    ] = None,
) -> None:
    """Name every image that is too small, corrupt, gray, or whose HR and LR disagree.

    Photos, pairs (HR/ and LR/), DIV2K's folders and its zip files. Exits with 1 if an image cannot be used.
    """
    from subpixel.datasets.check import inspect

    names, unusable, gray, pixels = set[str](), set[str](), 0, 0
    for finding in inspect(folder, patch, scale):
        names.add(finding.name)
        pixels += finding.pixels
        gray += bool(finding.warning)
        if finding.problem:
            unusable.add(finding.name)
        if finding.problem or finding.warning:
            typer.echo(f"{finding.name}: {finding.problem or f'warning: {finding.warning}'}")
    typer.echo(f"{len(names)} images, {pixels / 1e6:.1f} megapixels: {len(unusable)} unusable, {gray} gray")
    raise typer.Exit(1 if unusable else 0)
