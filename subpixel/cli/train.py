"""`subpixel train`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

NAME = "train"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel train swift-x2-warm --data photos/ --validation held-out/ --run runs/mine
subpixel train espcn-x2-first --data photos/ --validation held-out/ --run runs/quick --set steps=2000
subpixel train swift-x2 --data faces/ --validation held-out/ --run runs/faces --init swift-x2
torchrun --nproc-per-node 4 -m -- subpixel train papers/edsr-base-x2 --data photos/ ... --device cuda"""


def command(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A name such as swift-x2, or a .toml file.", show_default=False)
    ],
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Photos to train on.", show_default=False)],
    validation: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Photos to validate on, never trained on.", show_default=False)
    ],
    run: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Checkpoints, log and model; an unfinished run goes on there.")
    ],
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change the recipe: optim.lr=2e-4.", show_default=False),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(metavar="MODEL|CHECKPOINT", help="Start from these weights; '': none.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    precision: Annotated[str, typer.Option(help="f32 or bf16.")] = "f32",
    threads: Annotated[int | None, typer.Option(min=1, help="By default all cores.", show_default=False)] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Of the decoded photos, shared between runs; by default in the run's folder.",
            show_default=False,
        ),
    ] = None,
    vgg: Annotated[
        Path | None, typer.Option(metavar="FILE", help="VGG19's weights, for a content loss.", show_default=False)
    ] = None,
    lpips: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="LPIPS's weights: for a perceptual loss, and measured at each validation.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        int, typer.Option(metavar="N", min=0, help="So many validated checkpoints stay, besides the best and the last.")
    ] = 0,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard's events.")] = False,
) -> None:
    """Train a network on a folder of photos.

    Ctrl-C and SIGTERM save the step first; the same command goes on from there, with other rates, steps and schedule
    if you like.
    """
    _need(tensorboard)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for numpy's small crops more threads are ten times slower
    from subpixel.training import recipe as recipes

    changes = dict(_change(text) for text in change or []) | ({} if init is None else {"init": init})
    settings = recipes.load(recipe, changes)  # before torch, which takes seconds

    from subpixel.cli.training import Display
    from subpixel.runtimes import Execution
    from subpixel.training.custom_code import as_recipe_errors
    from subpixel.training.recorder import Progress
    from subpixel.training.run import run as train
    from subpixel.training.tensorboard import event_writer

    with ExitStack() as stack:
        stack.enter_context(as_recipe_errors(settings))
        watchers: list[Callable[[Progress], None]] = [stack.enter_context(Display()).show]
        if tensorboard:
            watchers.append(stack.enter_context(event_writer(run / "tensorboard")))
        written = train(
            settings, data, validation, run,
            execution=Execution("torch", precision, threads, device),
            cache=cache, vgg=vgg, lpips=lpips, checkpoints=keep,
            notify=lambda line: typer.echo(line, err=True),
            show=lambda progress: [watch(progress) for watch in watchers],
        )  # fmt: skip
    for model in written:
        typer.echo(f"{model.path}: {model.card.parameters} parameters, {model.card.steps} steps")


def _need(tensorboard: bool) -> None:
    """Raises: MissingExtra."""
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not (installed("torch") and installed("safetensors")):
        raise MissingExtra("torch", "train")
    if tensorboard and not installed("tensorboard"):
        raise MissingExtra("tensorboard", "tensorboard")


def _change(text: str) -> tuple[str, Any]:
    key, sign, value = text.partition("=")
    if not sign:
        raise typer.BadParameter(f"{text!r}; expected KEY=VALUE", param_hint="--set")
    try:
        return key, json.loads(value)
    except (ValueError, RecursionError):
        return key, value
