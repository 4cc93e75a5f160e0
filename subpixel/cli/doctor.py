"""`subpixel doctor`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

NAME = "doctor"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel doctor          for you
subpixel doctor --json   for programs"""


def command(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """What is installed, what this machine can do, and what would be chosen."""
    from subpixel import __version__, models
    from subpixel.runtimes import machine

    report: dict[str, Any] = {"subpixel": __version__, **machine.describe(), "models": models.names()}
    if as_json:
        typer.echo(json.dumps(report, indent=2))
        return
    runtimes = report.pop("runtimes")
    for key, value in report.items():
        typer.echo(f"{key.replace('_gib', ' (GiB)'):14} {_plain(value)}")
    for name, about in runtimes.items():
        typer.echo(f"{name:14} {about['version']}: {_plain(about['devices'])}")


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items())
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
