"""`subpixel worker`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "worker"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel worker --queue-url postgresql://host/db                  batches of `upscale --queue-url`
subpixel worker --queue-url postgresql://host/db --data /shared   jobs of `subpixel serve`"""


def command(
    queue_url: Annotated[
        str, typer.Option(metavar="URL", help="The queue that others fill: postgresql://...", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="The folder of `serve --data`, shared; without it: batches.", show_default=False
        ),
    ] = None,
    workers: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="With --data: processes that compute; 2.", show_default=False)
    ] = None,
) -> None:
    """Do what others put into a queue, on this machine beside any number of others.

    With --data: the jobs of `subpixel serve`, whose folder that is. Without: the batches of `upscale --queue-url`. It
    does the one or the other. What a worker was doing when it died is done by the others.
    """
    from subpixel.jobs.queue import hidden

    def announce() -> None:
        what = f"jobs of the service in {data}" if data else "batches"
        typer.echo(f"waits for {what} in the queue {hidden(queue_url)}; Ctrl-C ends it", err=True)

    if data is None and workers is not None:
        raise typer.BadParameter(f"{workers}; a batch has one process for each worker", param_hint="--workers")
    if data is None:
        from subpixel.domains import upscale_file
        from subpixel.jobs.blocks import work as work_on_batches

        work_on_batches(queue_url, upscale_file, announce=announce)
        return
    from subpixel.service.serve import log_to_stderr, work
    from subpixel.service.settings import Settings

    log_to_stderr()
    work(Settings(data=data, queue_url=queue_url, workers=workers or 2), announce)
