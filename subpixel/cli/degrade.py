"""`subpixel degrade`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from subpixel.errors import BadRequest, UnknownName

if TYPE_CHECKING:
    from subpixel.degradations.applied import AppliedDegradation
    from subpixel.jobs.job import Job
    from subpixel.jobs.pool import Work

NAME = "degrade"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel degrade photos/ -o low/ -s 4                  bicubic, as benchmarks are
subpixel degrade photos/ -o low/ --preset real-world   blur, noise and JPEG
subpixel degrade photo.png -o low/ --recipe mine.toml
subpixel degrade photo.png -o again/ --replay low/photo.degradation.json"""


def command(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUTS", help="Images, folders, globs.", show_default=False)],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="OUT", help="A folder; a file for one image.", show_default=False)
    ],
    scale: Annotated[
        int | None,
        typer.Option(
            "-s",
            "--scale",
            metavar="N",
            min=1,
            help="How much smaller, and what sides are first cut to a multiple of; 2 with a preset.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="classical (the default), real-world, compressed, noisy, camera, web, old-photo or mixed.",
            show_default=False,
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A degradation in TOML or JSON.", show_default=False)
    ] = None,
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What an earlier run wrote beside.", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", min=0, help="0 by default.", show_default=False)] = None,
    kind: Annotated[str, typer.Option("--format", metavar="NAME", help="png, jpg, webp, tif or avif.")] = "png",
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Do again what exists.")] = False,
) -> None:
    """Make images worse: smaller, blurred, noisy, compressed.

    Beside each result lies NAME.degradation.json, from which --replay makes the same pixels again.
    """
    from subpixel.cli.progress import display
    from subpixel.jobs.discovery import find_jobs
    from subpixel.jobs.pool import run
    from subpixel.jobs.resumption import unfinished

    record = _records(scale, preset, recipe, replay, seed)
    if "-" in (*inputs, output):
        raise BadRequest("a stream has no place for the page that is written beside each result; name files")
    jobs = find_jobs(inputs, output, suffix="", format=kind)
    counted, shown = display(jobs if overwrite else unfinished(jobs))
    work = _work(Path(output), record, str(replay or recipe or preset or "classical"))
    with closing(run(counted, work, workers=1)) as events, shown:
        for event in events:
            shown.show(event)
    raise typer.Exit(1 if shown.tally.failures else 0)


def _records(
    scale: int | None, preset: str | None, recipe: Path | None, replay: Path | None, seed: int | None
) -> Callable[[str], AppliedDegradation]:
    """What gives the record of an image, by its name."""
    from subpixel.degradations import PRESETS
    from subpixel.degradations.applied import read_applied, read_degradation, sampled

    if sum(choice is not None for choice in (preset, recipe, replay)) > 1:
        raise BadRequest("--preset, --recipe and --replay contradict each other; give one of them")
    if replay is not None:
        if scale is not None or seed is not None:
            raise BadRequest("--replay takes scale and seed from its file; leave -s and --seed away")
        again = read_applied(replay)
        return lambda name: again
    if recipe is not None:
        chosen, cut = read_degradation(recipe), scale or 1
    else:
        name = preset or "classical"
        if name not in PRESETS:
            raise UnknownName("preset", name, PRESETS)
        cut = scale or 2
        chosen = PRESETS[name](cut)
    return lambda name: sampled(chosen, cut, seed or 0, name)


def _work(output: Path, record: Callable[[str], AppliedDegradation], title: str) -> Work:
    from subpixel.degradations.applied import degrade
    from subpixel.jobs.pool import Progress

    def work(job: Job, emit: Callable[[Progress], None]) -> None:
        target = Path(job.target)
        fixed = record(target.relative_to(output).with_suffix("").as_posix() if target != output else "")
        low = degrade(Path(job.source), target, fixed)
        emit(Progress(job, low.height * low.width, 1.0, title))

    return work
