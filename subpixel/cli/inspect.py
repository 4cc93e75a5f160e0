"""`subpixel inspect`."""

from __future__ import annotations

from typing import Annotated

import typer

NAME = "inspect"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel inspect photo.jpg          what is wrong with it, in words
subpixel inspect scans/             every image in a folder
subpixel inspect photo.jpg --json   for programs"""


def command(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="IMAGES", help="Images, folders, globs; - is standard input.", show_default=False),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON an image.")] = False,
) -> None:
    """What is wrong with images: JPEG, noise, blur, lost resolution; nothing is changed."""
    import json

    from subpixel.analysis import inspect
    from subpixel.domains.formats import check_photo
    from subpixel.errors import SubpixelError
    from subpixel.jobs.discovery import find_images

    failures, paths = 0, find_images(inputs)
    for path in paths:
        try:
            check_photo(path)
            report = inspect(path)
        except SubpixelError as error:
            if len(paths) == 1:
                raise
            failures += 1
            typer.echo(f"subpixel: {error}", err=True)
            continue
        about = {"image": str(path), "clean": report.clean, "summary": report.summary, **report.model_dump()}
        typer.echo(json.dumps(about) if as_json else f"{path}: {report.summary}")
    raise typer.Exit(1 if failures else 0)
