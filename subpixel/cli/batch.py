"""`subpixel batch`, and what `upscale --queue-url` does."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from importlib import import_module
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

import typer

if TYPE_CHECKING:
    from subpixel.jobs.batches import Batches, Outcome
    from subpixel.jobs.job import Job
    from subpixel.jobs.request import Request

NAME = "batch"
app = typer.Typer(help="Batches that workers do: how they go, what failed, and which image is where.")
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel upscale photos/ -o larger/ --queue-url postgresql://host/db    submits a batch
subpixel worker --queue-url postgresql://host/db                        on each machine
subpixel batch status --queue-url postgresql://host/db                  all batches"""
_POLL = 1.0
"""Seconds between two looks at a batch."""

QueueUrl = Annotated[
    str, typer.Option(metavar="URL", help="sqlite:///FILE or postgresql://USER@HOST/NAME.", show_default=False)
]
Id = Annotated[str, typer.Argument(metavar="BATCH", help="What `upscale` said; see `status`.", show_default=False)]


@app.command()
def status(
    queue_url: QueueUrl,
    batch: Annotated[
        str | None, typer.Argument(metavar="[BATCH]", help="By default all of them.", show_default=False)
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", help="Until it is over.")] = False,
) -> None:
    """How far batches are, and what failed."""
    from subpixel.errors import BadRequest
    from subpixel.jobs.batches import Batches
    from subpixel.jobs.queue import opened

    if follow and batch is None:
        raise BadRequest("--follow follows one batch; name it")
    with opened(queue_url, new=False) as queue:
        batches = Batches(queue)
        if batch is None:
            for each, created in batches.ids():
                when = datetime.fromtimestamp(created).isoformat(" ", "minutes")
                typer.echo(f"{each}  {when}  {_said(batches.outcome(each))}")
            return
        outcome = _followed(batches, batch) if follow else batches.outcome(batch)
    raise typer.Exit(_told(outcome))


@app.command()
def retry(queue_url: QueueUrl, batch: Id) -> None:
    """Do again what failed."""
    from subpixel.jobs.batches import Batches
    from subpixel.jobs.queue import opened

    with opened(queue_url, new=False) as queue:
        blocks = Batches(queue).retry(batch)
    typer.echo(f"{blocks} blocks with failures are in the queue again", err=True)


@app.command()
def export(
    queue_url: QueueUrl,
    batch: Id,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="By default standard output.")
    ] = None,
    form: Annotated[str, typer.Option("--format", help="jsonl, csv or parquet (extra: parquet).")] = "jsonl",
) -> None:
    """A line for each image: source, target, status, error, and what its result could not keep."""
    from subpixel.errors import BadRequest, UnknownName
    from subpixel.jobs.batches import Batches
    from subpixel.jobs.queue import opened

    if form not in _WRITERS:
        raise UnknownName("format", form, _WRITERS)
    if form == "parquet" and output is None:
        raise BadRequest("a Parquet file cannot go to standard output; name it with -o")
    with opened(queue_url, new=False) as queue:
        lines = Batches(queue).lines(batch)
        if output is None:
            _WRITERS[form](lines, sys.stdout.buffer)
            sys.stdout.flush()
            return
        with _delivered(output) as file:
            _WRITERS[form](lines, file)


@contextmanager
def _delivered(output: Path) -> Generator[BinaryIO]:
    """The file to write, which appears when it is complete. Raises: UnwritableImage."""
    from subpixel.atomic import replacing
    from subpixel.errors import UnwritableImage, unwritten

    try:
        with replacing(output) as part, part.open("wb") as file:
            yield file
    except OSError as error:
        raise UnwritableImage(output, unwritten(error)) from error


def submit(
    url: str,
    jobs: Iterable[Job],
    request: Request,
    overwrite: bool,
    named: Sequence[str],
    *,
    quiet: bool,
    as_json: bool,
) -> int:
    """Enqueues a batch and follows it to its end; the exit status. It goes on where nobody follows it.

    named: what the user asked for, which tells this batch from others of the same images.
    quiet: says nothing but failures. as_json: an object that names the batch, then one for each image and the sum.
    """
    from subpixel.errors import BadRequest
    from subpixel.jobs.batches import Batches
    from subpixel.jobs.queue import hidden, opened

    refused: list[Job] = []
    skipped = Counter[str]()
    with opened(url) as queue:
        batches = Batches(queue)
        try:
            batch = batches.submit(_accepted(jobs, refused, skipped), request, overwrite, named)
        except BadRequest:
            for job in refused:
                typer.echo(f"  {job.refused}", err=True)
            raise
        if as_json:
            return _as_json(batches, batch, refused)
        if not quiet:
            how = f"subpixel batch status {batch} --queue-url '{hidden(url)}'"
            typer.echo(f"batch {batch} is in the queue; {how}", err=True)
            for why, count in skipped.items():
                typer.echo(f"  {count} skipped, for {why}", err=True)
        for job in refused:
            typer.echo(f"  {job.refused}", err=True)
        outcome = _followed(batches, batch, quiet)
    return max(_told(outcome, quiet), 1 if refused else 0)


def _as_json(batches: Batches, batch: str, refused: list[Job]) -> int:
    typer.echo(json.dumps({"batch": batch}))
    outcome = _followed(batches, batch, quiet=True)
    never = ({"source": j.source, "target": j.target, "status": "failed", "error": str(j.refused)} for j in refused)
    for line in chain(batches.lines(batch), never):
        typer.echo(json.dumps(line))
    failed = len(outcome.failures) + len(refused)
    typer.echo(json.dumps({"done": outcome.done + outcome.skipped, "failed": failed}))
    return 1 if failed else 0


def _accepted(jobs: Iterable[Job], refused: list[Job], skipped: Counter[str]) -> Iterator[Job]:
    for job in jobs:
        if job.refused:
            refused.append(job)
        elif job.skipped:
            skipped[job.skipped] += 1
        else:
            yield job


def _followed(batches: Batches, batch: str, quiet: bool = False) -> Outcome:
    """Says each change of how far it is."""
    before = ""
    while True:
        start = time.monotonic()
        outcome = batches.outcome(batch)
        if not quiet and (now := _said(outcome)) != before:
            typer.echo(now, err=True)
            before = now
        if outcome.is_over:
            return outcome
        time.sleep(max(_POLL, 10 * (time.monotonic() - start)))  # a long list is looked at less often


def _said(outcome: Outcome) -> str:
    ended = outcome.images - outcome.waiting
    parts = [f"{ended}/{outcome.images} images", f"{outcome.done} made"]
    parts += [f"{outcome.skipped} were there"] if outcome.skipped else []
    parts += [f"{len(outcome.failures)} failed"] if outcome.failures else []
    return ", ".join(parts)


def _told(outcome: Outcome, quiet: bool = False) -> int:
    from subpixel.errors import printable

    if not quiet:
        typer.echo(_said(outcome), err=True)
        for note, count in outcome.notes:
            typer.echo(f"  {count} of them: {printable(note)}", err=True)
    for source, why in outcome.failures:
        text = why if source in why else f"{source}: {why}"
        typer.echo(f"  {printable(text)}", err=True)
    return 1 if outcome.failures else 0


def _jsonl(lines: Iterable[dict[str, str]], file: BinaryIO) -> None:
    file.writelines(f"{json.dumps(line)}\n".encode() for line in lines)


def _csv(lines: Iterable[dict[str, str]], file: BinaryIO) -> None:
    import csv
    import io

    file.write(b"source,target,status,error,note\n")
    for line in lines:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(line.values())
        file.write(text.getvalue().encode("utf-8", "backslashreplace"))


def _parquet(lines: Iterable[dict[str, str]], file: BinaryIO) -> None:
    from subpixel.errors import MissingExtra

    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        raise MissingExtra("pyarrow", "parquet") from None
    rows = ({key: value.encode("utf-8", "backslashreplace").decode() for key, value in line.items()} for line in lines)
    parquet.write_table(arrow.Table.from_pylist(list(rows)), file)


_WRITERS = {"jsonl": _jsonl, "csv": _csv, "parquet": _parquet}
