"""`subpixel compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "compare"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel compare photo.jpg                          photo_compare.png beside it
subpixel compare photo.jpg -m swift -m espcn -s 3   two models
subpixel compare photo.jpg --reduce                 against the truth, with PSNR"""


def command(
    source: Annotated[Path, typer.Argument(metavar="IMAGE", help="The image.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="OUT.png", help="By default NAME_compare.png beside it.", show_default=False
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--model", metavar="MODEL|PATH", help="May be repeated; by default auto.", show_default=False
        ),
    ] = None,
    scale: Annotated[int, typer.Option("-s", "--scale", metavar="FACTOR", min=1, max=16, help="A whole factor.")] = 2,
    crop: Annotated[
        str | None,
        typer.Option(
            metavar="X,Y,W,H",
            help="The detail in the image's pixels; by default where most happens.",
            show_default=False,
        ),
    ] = None,
    reduce: Annotated[
        bool, typer.Option("--reduce", help="Reduce the image, enlarge it again, measure against the original.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the result if it exists.")] = False,
) -> None:
    """One image that shows what the models bring: a detail of an image, enlarged in several ways."""
    from subpixel.images import read, write
    from subpixel.images.streams import STREAM, name_of
    from subpixel.inference.comparison import Box, compare
    from subpixel.jobs.targets import ensure_safe

    beside = source if str(source) == STREAM else source.with_name(f"{source.stem}_compare.png")
    target = ensure_safe(output or beside, source, overwrite)
    box = Box.parse(crop) if crop else None
    drawn = compare(
        read(source), model or ["auto"], scale=scale, crop=box, reduce=reduce, title=Path(name_of(source)).name
    )
    write(target, drawn)
    typer.echo(f"{target}: {drawn.width} x {drawn.height} pixels", err=True)
