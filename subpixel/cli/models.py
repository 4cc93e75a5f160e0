"""`subpixel models`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from subpixel.models import Card

NAME = "models"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel models              a guide: what is there, and what for
subpixel models swift        the models of a family
subpixel models swift-x2     all about one
subpixel models --measure    with this machine's speed
subpixel models --verify     are the files what they should be?"""

PURPOSES = {
    "swift": "clean photos, drawings, screenshots: near the best, at a small network's cost",
    "restore": "what is noisy, compressed or blurred, as most found images are",
    "restore-blind": "what went through several degradations that cannot be told apart",
    "restore-gan": "restore for the eye: invents detail; upscale --detail goes towards it",
    "swift-video": "videos: swift with a memory of the frames before (subpixel video)",
    "swift-text": "printed text and screens, little compressed: far sharper letters; photos lose",
    "swift-deblur": "what is a little blurred and nothing else, after the filter that `auto` puts before it",
    "swift-large": "swift, a little better, four times as slow",
    "espcn": "the fastest",
    "fsrcnn": "nearly as fast, a little better",
    "srgan": "looks sharp: invents detail that was never there",
    "edsr-base": "highest PSNR, slow",
    "carn": "as good as EDSR, less slow",
    "carn-m": "CARN with a third of the parameters",
    "mdsr-base": "EDSR, one network for x2 to x4",
    "srresnet": "SRGAN's generator, trained for PSNR",
    "vdsr": "the first deep one; for comparisons",
    "srcnn": "the first of all; for comparisons",
    "lapsrn": "one of the two for x8",
    "ms-lapsrn": "one of the two for x8, with fewer parameters",
}
"""What each family is for."""


def command(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME|FAMILY|PATH]", help="A model, a family, or an .onnx file.", show_default=False),
    ] = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure how fast each is here; a minute.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Check the sha256 of each file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """The models in the package: a guide, a family, or the card of one."""
    from subpixel import models
    from subpixel.errors import BadRequest
    from subpixel.models.naming import matching_models

    if verify and (measure or as_json):
        raise BadRequest("--verify prints a line for each file; give it without --measure and --json")
    names = (matching_models(name, models.names()) or [name]) if name else models.names()
    cards = [models.load(each).card for each in names]  # load verifies
    single = len(cards) == 1 and name is not None
    if verify:
        for card in cards:
            typer.echo(f"{card.name}: sha256 {card.sha256} is right")
    elif as_json:
        speeds = _measured(names if measure else [])
        measured = [{"ms_per_megapixel": speeds[each]} if each in speeds else {} for each in names]
        dumped = [card.model_dump() | speed for card, speed in zip(cards, measured, strict=True)]
        typer.echo(json.dumps(dumped[0] if single else dumped, indent=2))
    elif single:
        _print_card(cards[0], _measured(names if measure else []))
    elif name:
        _print_family(cards, _measured(names if measure else []))
    else:
        _print_guide(cards, measure)


def _measured(names: Iterable[str]) -> Mapping[str, float]:
    """Milliseconds for a megapixel of the result."""
    from subpixel import models
    from subpixel.benchmarks.speed import per_megapixel

    return {name: 1000 * per_megapixel(name) for name in names if models.load(name).card.ports.enlarges}


def _print_guide(cards: list[Card], measure: bool) -> None:
    from subpixel.inference.choice import BLIND, CLEAN, DEBLURRED, DEGRADED
    from subpixel.resample import KERNELS

    families = [list(group) for _, group in groupby(cards, lambda card: card.family)]
    order = list(PURPOSES)
    families.sort(key=lambda family: order.index(family[0].family) if family[0].family in PURPOSES else len(order))
    speeds = _measured([_usual(family).name for family in families] if measure else [])
    rows = [
        [
            family[0].family + ("*" if family[0].family in (CLEAN, DEBLURRED, DEGRADED, BLIND) else ""),
            " ".join(f"x{card.scale}" for card in family),
            *_scores(family),
            *([_speed(speeds, _usual(family))] if measure else []),
            PURPOSES.get(family[0].family, ""),
        ]
        for family in families
    ]
    speed = ["ms/megapixel"] if measure else []
    _print_table(["family", "scales", "PSNR x2", "PSNR x4", "LPIPS x4", *speed, "for"], rows)
    notes = [
        f"* what `auto`, the default, chooses from: {CLEAN} for clean images, {DEBLURRED} for blurred ones, "
        f"{DEGRADED} for degraded ones, {BLIND} where it does not recognise how.",
        "PSNR in dB on Set5: more is nearer. LPIPS on BSD100: less looks nearer.",
        *(["ms/megapixel: of the result, here, at the family's smallest factor."] if measure else []),
        f"Without a network: {', '.join(KERNELS)}. More: subpixel models FAMILY, subpixel models MODEL.",
    ]
    typer.echo("\n" + "\n".join(notes))


def _speed(speeds: Mapping[str, float], card: Card) -> str:
    return f"{speeds[card.name]:.0f}" if card.name in speeds else "-"


def _usual(family: list[Card]) -> Card:
    """The model by which a family's speed is told."""
    return min((card for card in family if card.scale > 1), key=lambda card: card.scale, default=family[0])


def _scores(family: list[Card]) -> list[str]:
    by_scale = {card.scale: card for card in family}
    return [
        _score(by_scale.get(2), "Set5", "psnr", 2),
        _score(by_scale.get(4), "Set5", "psnr", 2),
        _score(by_scale.get(4), "BSD100", "lpips", 3),
    ]


def _score(card: Card | None, dataset: str, metric: str, digits: int) -> str:
    value = card.score(dataset, metric) if card else None
    return "-" if value is None else f"{value:.{digits}f}"


def _print_family(cards: list[Card], speeds: Mapping[str, float]) -> None:
    typer.echo(f"{cards[0].family}: {PURPOSES.get(cards[0].family, cards[0].paper)}\n")
    columns = ["model", "parameters", "multiply-adds/pixel", "Set5 PSNR", "BSD100 LPIPS"]
    rows = [
        [
            *(card.name, f"{card.parameters:,}", f"{card.macs:,.0f}"),
            *(_score(card, "Set5", "psnr", 2), _score(card, "BSD100", "lpips", 3)),
            *([_speed(speeds, card)] if speeds else []),
        ]
        for card in cards
    ]
    _print_table([*columns, *(["ms/megapixel"] if speeds else [])], rows)


def _print_table(columns: list[str], rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    words = {"family", "model", "scales", "for"}
    for title in columns:
        table.add_column(title, justify="left" if title in words else "right", no_wrap=title != "for")
    for row in rows:
        table.add_row(*row)
    wide = None if Console().is_terminal else 160  # in a file or a pipe nothing is cut
    Console(width=wide).print(table if rows else "no models are in the package; train one, or give a path with -m")


def _tiles(card: Card) -> str:
    size = (
        f"of {card.fixed_size - 2 * card.halo} pixels, the graph takes {card.fixed_size}"
        if card.fixed_size
        else "of any size"
    )
    return size if card.tile_stride == 1 else f"{size}; they begin at multiples of {card.tile_stride}"


def _print_card(card: Card, speeds: Mapping[str, float]) -> None:
    facts = {
        "for": PURPOSES.get(card.family, "unknown"),
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
    for speed in speeds.values():
        facts["speed here"] = f"{speed:.0f} ms for a megapixel of the result"
    typer.echo(card.name)
    for key, value in facts.items():
        typer.echo(f"  {key:13} {value}")
    for score in card.scores:
        typer.echo(f"  {score.dataset:13} {score.metric} {score.value:g} ({score.protocol})")
