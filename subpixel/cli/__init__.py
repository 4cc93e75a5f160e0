"""The command line: each command parses, calls one public function and prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer

from subpixel.cli import (
    batch,
    bench,
    burst,
    compare,
    data,
    degrade,
    doctor,
    export,
    import_,
    inspect,
    models,
    serve,
    signals,
    train,
    upscale,
    video,
    worker,
)
from subpixel.cli import eval as evaluation
from subpixel.errors import SubpixelError, printable, unread

_Misuse: Any = typer.BadParameter.__base__
"""What the parser raises: an option or a command that does not exist, a value that is none."""

app = typer.Typer(
    name="subpixel",
    help="Larger, sharper photos, by small neural networks that run on a plain CPU.",
    epilog="Start with: subpixel upscale photo.jpg",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    *(upscale, video, burst, models, compare, inspect, degrade, doctor),
    *(train, evaluation, import_, export, serve, worker),
):
    app.command(module.NAME, epilog=module.EXAMPLES)(module.command)


app.add_typer(batch.app, name=batch.NAME, epilog=batch.EXAMPLES)
app.add_typer(bench.app, name=bench.NAME)
app.add_typer(data.app, name=data.NAME)


def _version(wanted: bool) -> None:
    if wanted:
        from subpixel import __version__

        typer.echo(f"subpixel {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None: ...


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The entry point: exits with 0 (done), 1 (some images failed), 2 (misuse), 130 (Ctrl-C) or
    128 and the number of another signal."""
    given = arguments if arguments is None else list(arguments)
    status: int | None = 0
    try:
        with signals.interruptible():
            status = app(given, prog_name="subpixel", standalone_mode=False)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _leave_quietly()
    except _Misuse as error:
        if message := error.format_message().strip().removesuffix("."):  # none where help was shown instead
            typer.echo(f"subpixel: {printable(message)}; see {error.ctx.command_path} --help", err=True)
        sys.exit(2)
    except SubpixelError as error:
        if isinstance(error.__cause__, BrokenPipeError):
            _leave_quietly()
        typer.echo(f"subpixel: {error}", err=True)
        sys.exit(2)
    except OSError as error:  # of a disk or a share, where nothing nearer made a sentence of it
        place = printable(error.filename or "a file")
        typer.echo(f"subpixel: cannot use {place}: {printable(unread(error))}", err=True)
        sys.exit(2)
    sys.exit(status or 0)


def _leave_quietly() -> NoReturn:
    """Nobody reads our output any more; Python would complain when it flushes."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(1)
