"""`subpixel models`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from subpixel.models import Card

NAME = "models"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel models            a table
subpixel models swift-x2   all about one
subpixel models --verify   are the files what they should be?"""


def command(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|PATH]", help="A model, or an .onnx file.", show_default=False)
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Check the sha256 of each file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """The models in the package, or the card of one."""
    from subpixel import models

    cards = [models.load(each).card for each in ([name] if name else models.names())]  # load verifies
    if verify:
        for card in cards:
            typer.echo(f"{card.name}: sha256 {card.sha256} is right")
    elif as_json:
        dumped = [card.model_dump() for card in cards]
        typer.echo(json.dumps(dumped[0] if name else dumped, indent=2))
    elif name:
        _print_card(cards[0])
    else:
        _print_table(cards)


def _print_table(cards: list[Card]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("name", box=None, pad_edge=False, header_style="bold")
    for title in ("scale", "parameters", "multiply-adds per pixel", "Set5 PSNR"):
        table.add_column(title, justify="right")
    table.add_column("licence")
    for card in cards:
        score = card.score("Set5")
        quality = "not measured" if score is None else f"{score:.2f} dB"
        cost = f"{card.parameters:,}", f"{card.macs:,.0f}"
        table.add_row(card.name, f"{card.scale}x", *cost, quality, card.licence)
    Console().print(table if cards else "no models are in the package; train one, or give a path with -m")


def _tiles(card: Card) -> str:
    size = (
        f"of {card.fixed_size - 2 * card.halo} pixels, the graph takes {card.fixed_size}"
        if card.fixed_size
        else "of any size"
    )
    return size if card.tile_stride == 1 else f"{size}; they begin at multiples of {card.tile_stride}"


def _print_card(card: Card) -> None:
    facts = {
        "architecture": f"{card.arch} ({', '.join(f'{key} {value}' for key, value in card.config.items())})",
        "paper": card.paper,
        "enlarges": f"{card.scale} times",
        "parameters": f"{card.parameters:,}",
        "cost": f"{card.macs:,.0f} multiply-adds per pixel of the result",
        "halo": f"{card.halo} pixels around an input pixel are seen",
        "tiles": _tiles(card),
        "licence": card.licence,
        "trained": f"{card.steps:,} steps, {card.hours:.1f} hours",
        "recipe": card.recipe or "unknown",
        "data": card.data or "unknown",
        "sha256": card.sha256,
    }
    typer.echo(card.name)
    for key, value in facts.items():
        typer.echo(f"  {key:13} {value}")
    for score in card.scores:
        typer.echo(f"  {score.dataset:13} {score.metric} {score.value:g} ({score.protocol})")
