"""`subpixel bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "bench"
app = typer.Typer(help="Reproduce our numbers: quality beside the published one, speed beside an alternative.")


@app.command()
def quality(
    data_root: Annotated[Path, typer.Option(metavar="FOLDER", help="Holds Set5, Set14 ...", show_default=False)],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="May be repeated; by default every model and bicubic.", show_default=False),
    ] = None,
    dataset: Annotated[list[str] | None, typer.Option("--set", help="May be repeated.", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, csv or json.")] = "markdown",
    write: Annotated[bool, typer.Option("--write-cards", help="Write the scores into the models' cards.")] = False,
) -> None:
    """PSNR and SSIM on the benchmark sets, in f32, with the published values beside."""
    from subpixel.benchmarks.contenders import contenders, write_cards
    from subpixel.benchmarks.quality import bench_quality
    from subpixel.errors import UnknownName

    if form not in ("markdown", "csv", "json"):
        raise UnknownName("format", form, ("markdown", "csv", "json"))
    report = bench_quality(contenders(model), data_root, dataset or ["Set5", "Set14", "BSD100"])
    typer.echo(getattr(report, form)())
    if write:
        write_cards(report)


@app.command()
def speed(
    opencv_files: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="FSRCNN_x2.pb and ESPCN_x2.pb of OpenCV.", show_default=False),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Interleaved runs of each call.")] = 7,
) -> None:
    """Whole calls as ratios against named alternatives in the same run; medians."""
    from subpixel import models
    from subpixel.benchmarks import speed as bench

    rows = bench.whole_process(runs)
    if opencv_files is not None:
        rows += bench.against_opencv(opencv_files, runs)
    typer.echo("| call | median ms | fastest ms | alternative | times as fast |\n|---|---|---|---|---|")
    for row in rows:
        beside = f"{row.alternative} | {row.ratio:.2f}" if row.alternative else " | "
        typer.echo(f"| {row.name} | {1000 * row.seconds:.0f} | {1000 * row.fastest:.0f} | {beside} |")
    typer.echo("\n| model | precision | network ms, 640x360 | GFLOP/s | of the ceiling |\n|---|---|---|---|---|")
    for share in bench.shares(models.names(), runs=runs):
        reached = f"{share.gigaflops:.0f} | {share.share:.0%}"
        typer.echo(f"| {share.model} | {share.precision} | {share.milliseconds:.0f} | {reached} |")
