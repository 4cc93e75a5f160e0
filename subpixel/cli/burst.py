"""`subpixel burst`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from subpixel.errors import printable

if TYPE_CHECKING:
    from subpixel.burst.files import Moment

NAME = "burst"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel burst a.jpg b.jpg c.jpg -o scene.png                     twice as large
subpixel burst shots/*.png -o scene.tif -s 3 --psf 0.4            three times; the blur of the frames is known
subpixel burst clip.mp4 --at 3.2s -o scene.png                    a moment of a clip
subpixel burst a.png b.png -o c.png --uncertainty unsure.png      and how far it can be trusted"""


def command(
    inputs: Annotated[
        list[Path],
        typer.Argument(metavar="FRAMES", help="Images of one scene and size, or with --at a clip.", show_default=False),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="The image.", show_default=False)],
    scale: Annotated[float, typer.Option("-s", "--scale", metavar="FACTOR", help="1 to 8.")] = 2,
    psf: Annotated[
        str,
        typer.Option(metavar="SIGMA|auto", help="Blur of the frames: standard deviation in their pixels; auto looks."),
    ] = "auto",
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="A moment of a clip: 3.2s, 1:05.5.", show_default=False)
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(metavar="N", min=2, max=64, help="Of a clip, around the moment; 9.", show_default=False),
    ] = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="An image of the standard deviation of the error; white is 32 levels.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("-m", "--model", metavar="MODEL|PATH", help="Enlarges the frame the fusion starts from.")
    ] = "auto",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what exists.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but failures.")] = False,
) -> None:
    """One image out of many frames of a scene: a burst of photos, or a moment of a clip.

    Frames that moved by parts of a pixel hold more than one of them shows, unless the lens has blurred it away; what
    was found is said. Frames that do not fit are left out, and what moves by itself is taken from one frame. Where only
    one frame remains, it is enlarged, and the exit status is 1.
    """
    from subpixel.burst.files import fuse_files
    from subpixel.jobs.targets import ensure_safe

    for source in inputs:
        for path in (output, uncertainty):
            if path is not None:
                ensure_safe(path, source, overwrite)
    report, note = fuse_files(
        inputs,
        output,
        scale,
        at=_moment(at, frames),
        psf=_psf(psf),
        model=model,
        uncertainty=uncertainty,
        on_progress=None if quiet else _shown(),
    )
    alone = report.used == 1
    if alone or not quiet:
        typer.echo(f"{output}: {report.summary}" + (f"; {note}" if note else ""), err=True)
    raise typer.Exit(1 if alone else 0)


def _shown() -> Callable[[str], object] | None:
    """Tells a terminal what is done, in one line."""
    stream = sys.stderr
    if not stream.isatty():
        return None
    return lambda text: stream.write(f"\r\x1b[K{printable(text)}\r")


def _psf(text: str) -> float | Literal["auto"]:
    try:
        return "auto" if text == "auto" else float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r}; expected auto or a number of pixels", param_hint="--psf") from None


def _moment(text: str | None, frames: int | None) -> Moment | None:
    from subpixel.burst.files import Moment
    from subpixel.video.request import seconds

    if text is not None:
        return Moment(seconds(text)) if frames is None else Moment(seconds(text), frames)
    if frames is not None:
        raise typer.BadParameter(f"{frames} frames of a clip; say its moment with --at", param_hint="--frames")
    return None
