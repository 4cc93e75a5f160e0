"""`subpixel bench`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "bench"
app = typer.Typer(help="Reproduce our numbers: quality beside the published one, speed beside an alternative.")
EveryModel = Annotated[
    list[str] | None,
    typer.Option("-m", "--model", help="May be repeated; by default every model and bicubic.", show_default=False),
]


@app.command()
def quality(
    data_root: Annotated[Path, typer.Option(metavar="FOLDER", help="Holds Set5, Set14 ...", show_default=False)],
    model: EveryModel = None,
    dataset: Annotated[list[str] | None, typer.Option("--set", help="May be repeated.", show_default=False)] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, csv or json.")] = "markdown",
    write: Annotated[bool, typer.Option("--write-cards", help="Write the scores into the package's cards.")] = False,
) -> None:
    """PSNR and SSIM on the benchmark sets, in f32, with the published values beside."""
    from subpixel.benchmarks.candidates import candidates, write_cards
    from subpixel.benchmarks.quality import bench_quality
    from subpixel.errors import UnknownName

    if form not in ("markdown", "csv", "json"):
        raise UnknownName("format", form, ("markdown", "csv", "json"))
    report = bench_quality(candidates(model), data_root, dataset or ["Set5", "Set14", "BSD100"])
    typer.echo(getattr(report, form)(), nl=False)
    if write:
        write_cards(report)


@app.command()
def real(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="Photos, the references.", show_default=False)],
    scale: Annotated[int, typer.Option("-s", "--scale", metavar="N", min=1)] = 4,
    model: Annotated[
        list[str] | None,
        typer.Option(
            "-m", "--model", help="May be repeated; by default bicubic, swift, auto, and for-the-eye: auto, all detail."
        ),
    ] = None,
    condition: Annotated[
        list[str] | None, typer.Option(help="May be repeated; by default ten, clean to real-world.", show_default=False)
    ] = None,
    lpips: Annotated[
        Path | None, typer.Option(metavar="FILE", help="LPIPS's weights: measured too.", show_default=False)
    ] = None,
    niqe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="NIQE's statistics (.npz): measured too.", show_default=False)
    ] = None,
    peer: Annotated[
        tuple[Path, Path] | None,
        typer.Option(metavar="FILE FILE", help="realesr-general-x4v3 and its weaker half.", show_default=False),
    ] = None,
) -> None:
    """Degraded photos: the default beside bicubic, single models and a peer."""
    from subpixel.benchmarks import real as bench
    from subpixel.benchmarks.peer import realesr_general
    from subpixel.metrics import niqe as natural
    from subpixel.models import Model

    peers: dict[str, Model] = {}
    if peer and scale == 4:
        _need_torch()
        peers = {f"realesr-general dn {d}": realesr_general(*peer, d) for d in (1.0, 0.5)}
    candidates = bench.candidates(model or ("bicubic", "swift", "auto", bench.EYE), scale, peers)
    distance = None
    if lpips is not None:
        _need_torch()
        from subpixel.metrics.lpips import load

        distance = load(lpips).distance
    names = condition or bench.DEFAULT_CONDITIONS
    lines = bench.bench_real(candidates, data, scale, names, lpips=distance, niqe=natural.load(niqe) if niqe else None)
    typer.echo(bench.markdown(lines), nl=False)


@app.command()
def speed(
    opencv_files: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="FSRCNN_x2.pb and ESPCN_x2.pb of OpenCV.", show_default=False)
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Interleaved runs of each call.")] = 7,
    height: Annotated[int, typer.Option(min=9, help="Of the 16:9 photo of the budgets.")] = 1080,
) -> None:
    """Whole calls as ratios against named alternatives in the same run, and where their time goes; medians."""
    from subpixel import models
    from subpixel.benchmarks import budget
    from subpixel.benchmarks import speed as bench

    _need_torch()  # starting it is the alternative of the first row
    beside_opencv = bench.against_opencv(opencv_files, runs) if opencv_files else []  # first: it reads files
    rows = bench.whole_process(runs) + beside_opencv
    typer.echo("| call | median ms | fastest ms | alternative | times as fast |\n|---|---|---|---|---|")
    for row in rows:
        against = f"{row.alternative} | {row.ratio:.2f}" if row.alternative else " | "
        typer.echo(f"| {row.name} | {1000 * row.seconds:.0f} | {1000 * row.fastest:.0f} | {against} |")
    typer.echo("\n" + budget.table(list(budget.budgets(size=(height, height * 16 // 9), runs=runs))), nl=False)
    typer.echo("\n| model | precision | network ms, 640x360 | GFLOP/s | of the ceiling |\n|---|---|---|---|---|")
    for share in bench.shares(models.of_photos(), runs=runs):
        reached = f"{share.gigaflops:.0f} | {share.share:.0%}"
        typer.echo(f"| {share.model} | {share.precision} | {share.milliseconds:.0f} | {reached} |")


@app.command()
def dataloader(
    data: Annotated[Path, typer.Option(metavar="FOLDER|ZIP", help="Images to train on.", show_default=False)],
    scale: Annotated[int, typer.Option("-s", "--scale", metavar="N", min=1)] = 2,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Degrade on the fly: classical, real-world, camera ...", show_default=False),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where packed images stay.", show_default=False)
    ] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds of 10 steps each.")] = 9,
) -> None:
    """The step rate of a training with its images, as a share of that with synthetic tensors, and its waiting."""
    import os
    import tempfile

    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads would only be in the way of torch's
    from subpixel.datasets import sources
    from subpixel.degradations import PRESETS
    from subpixel.errors import UnknownName
    from subpixel.resample import resize

    _need_torch()
    if preset is not None and preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    from subpixel.benchmarks.dataloader import reading, training_step

    step = training_step(scale, device)
    with tempfile.TemporaryDirectory() as folder:
        place = cache or Path(folder)
        if preset is None:
            crops = sources.pairs(data, scale, resize, place)
        else:
            crops = sources.degraded(data, scale, PRESETS[preset](scale), place)
        row = reading(preset or "pairs", crops, step, rounds=rounds)
    typer.echo("| crops | step ms | with synthetic tensors | of its step rate | waiting |\n|---|---|---|---|---|")
    steps = f"{1000 * row.seconds:.0f} | {1000 * row.synthetic:.0f}"
    typer.echo(f"| {row.name} | {steps} | {row.share:.0%} | {row.waiting:.1%} |")


@app.command()
def tradeoff(
    data_root: Annotated[Path, typer.Option(metavar="FOLDER", help="Holds the set.", show_default=False)],
    dataset: Annotated[str, typer.Option("--set", metavar="NAME", help="Whose PSNR.")] = "Set5",
    model: EveryModel = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT.png", help="The image.")] = Path(
        "tradeoff.png"
    ),
    runs: Annotated[int, typer.Option(min=1, help="Interleaved runs of each call.")] = 5,
) -> None:
    """PSNR against the time of a whole call and against multiply-adds: a table and an image."""
    from subpixel.benchmarks import tradeoff as bench
    from subpixel.benchmarks.benchmark_sets import benchmark
    from subpixel.benchmarks.candidates import candidates
    from subpixel.benchmarks.quality import bench_quality
    from subpixel.images import Encoding, write

    name = benchmark(dataset).name
    points = bench.tradeoff(bench_quality(candidates(model), data_root, [name]), name, runs)
    typer.echo(bench.table(points, name), nl=False)
    write(output, bench.draw(points, name), Encoding(compress=True))
    typer.echo(str(output), err=True)


@app.command()
def domains(
    data: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="A folder of photographs for each field.", show_default=False)
    ] = None,
    sky: Annotated[
        Path | None, typer.Option(metavar="FILE.fits", help="An image of stars.", show_default=False)
    ] = None,
    text: Annotated[bool, typer.Option("--text", help="A page that tesseract reads.")] = False,
    scale: Annotated[int, typer.Option("-s", "--scale", metavar="N", min=2, max=4)] = 2,
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="May be repeated; by default bicubic, swift, restore.", show_default=False),
    ] = None,
) -> None:
    """Fields of use: photographs of a kind, printed text, stars; each model with and without consistency."""
    from subpixel.benchmarks import domains as bench
    from subpixel.errors import BadRequest

    if not (data or sky or text):
        raise BadRequest("nothing to measure; give --data FOLDER, --sky FILE.fits or --text")
    of, lines = bench.candidates(model or ("bicubic", "swift", "restore")), list[bench.FieldLine]()
    for folder in bench.fields(data) if data else ():
        lines += bench.bench_photographs(folder.name, bench.photographs(folder), scale, of)
    lines += bench.bench_text(scale, of) if text else []
    lines += bench.bench_stars(bench.sky(sky), scale, of) if sky else []
    typer.echo(bench.table(lines), nl=False)


@app.command(name="inspect")
def inspect_(
    folder: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Images to degrade.", show_default=False)],
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Only every Nth image.")] = 1,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="A plot of the confidences.", show_default=False)
    ] = None,
) -> None:
    """Known degradations beside what `inspect` says of them."""
    from itertools import islice

    from subpixel.benchmarks import inspection
    from subpixel.images import Encoding, read, write
    from subpixel.jobs.discovery import find_images

    paths = islice(find_images([str(each) for each in folder]), None, None, every)
    cases = list(inspection.cases((path.stem, read(path)) for path in paths))
    typer.echo(inspection.table(inspection.lines(cases)), nl=False)
    if plot is not None:
        write(plot, inspection.draw(cases), Encoding(compress=True))
        typer.echo(str(plot), err=True)


@app.command()
def burst(
    folder: Annotated[list[Path], typer.Argument(metavar="FOLDER", help="Photos, the truth.", show_default=False)],
    scale: Annotated[int, typer.Option("-s", "--scale", metavar="N", min=2, max=4)] = 2,
    side: Annotated[int, typer.Option(min=64, help="Pixels of a photo's middle that are measured.")] = 256,
    every: Annotated[int, typer.Option(min=1, metavar="N", help="Only every Nth setting.")] = 1,
) -> None:
    """Bursts made of photos: fusion beside one frame enlarged, the mean of the frames, and drizzle if installed."""
    from subpixel.benchmarks import burst as bench
    from subpixel.images import read
    from subpixel.jobs.discovery import find_images

    photos = ((path.stem, read(path)) for path in find_images([str(each) for each in folder]))
    typer.echo(bench.table(bench.bench_burst(photos, bench.SETTINGS[::every], scale, side)), nl=False)


@app.command()
def folder(
    files: Annotated[int, typer.Option(min=1, help="How many images are made.")] = 100_000,
    per_folder: Annotated[int, typer.Option(min=1, help="In each folder.")] = 1000,
) -> None:
    """A made folder of very many small images: time to the first result, memory, and the scan of what is done."""
    import tempfile

    from subpixel.benchmarks.folder import measure

    with tempfile.TemporaryDirectory() as place:
        row = measure(Path(place), files, per_folder)
    typer.echo("| images | first result, s | memory until then, MiB | none is done, s | all are done, s |")
    typer.echo("|---|---|---|---|---|")
    typer.echo(f"| {row.files:,} | {row.first:.1f} | {row.peak:.0f} | {row.scan:.1f} | {row.resume:.1f} |")


@app.command()
def memory(
    side: Annotated[int, typer.Option(min=16, max=16000, help="Of the larger image of each call, in pixels.")] = 8000,
    only: Annotated[list[str] | None, typer.Option("--format", help="May be repeated.", show_default=False)] = None,
) -> None:
    """Memory for each format, read and written: the peak of a process that does nothing else."""
    from subpixel.benchmarks import memory as bench

    for line in bench.table(bench.bench_memory(side, only)):
        typer.echo(line)


@app.command()
def video(
    clips: Annotated[list[Path], typer.Argument(metavar="CLIP", help="Videos, the references.", show_default=False)],
    model: Annotated[
        list[str] | None,
        typer.Option("-m", "--model", help="May be repeated; by default bicubic and swift.", show_default=False),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Of each clip.")] = 40,
    opencv_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="OpenCV's FSRCNN_x2.pb: its loop too.", show_default=False)
    ] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="By default one a core.", show_default=False)] = None,
) -> None:
    """Clips reduced by 2 and enlarged again: quality, flicker, frames a second."""
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not installed("av"):
        raise MissingExtra("av", "video")
    from subpixel.benchmarks.video import bench_video, table

    for line in table(bench_video(clips, model or ["bicubic", "swift"], frames, opencv_file, threads)):
        typer.echo(line)


def _need_torch() -> None:
    """Raises: MissingExtra."""
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not installed("torch"):
        raise MissingExtra("torch", "train")


@app.command()
def service(
    images: Annotated[int, typer.Option(min=1, help="How many are made.")] = 40,
    side: Annotated[int, typer.Option(min=16, help="Their width and height in pixels.")] = 512,
    rounds: Annotated[int, typer.Option(min=1, help="By turns.")] = 3,
) -> None:
    """`subpixel serve` from outside: its throughput beside a batch's, health, cancelling, a bomb, idle memory."""
    import tempfile

    from subpixel.benchmarks import service as bench

    with tempfile.TemporaryDirectory() as place:
        served = bench.measure(Path(place), images, side, rounds)
    typer.echo("| what | measured |\n|---|---|")
    typer.echo(f"| images of {side} x {side} by upscale_batch | {served.batch:.2f} a second |")
    typer.echo(f"| the same by the service | {served.service:.2f} a second, {served.ratio:.2f} of that |")
    typer.echo(f"| health meanwhile | {1000 * served.health_median:.0f} ms, at most {1000 * served.health:.0f} ms |")
    for what, seconds in served.cancel.items():
        typer.echo(f"| {what} is cancelled | {seconds:.2f} s at most |")
    typer.echo(f"| a bomb is refused | {served.bomb:.3f} s |")
    typer.echo(f"| idle memory | {served.idle:.0f} MiB |")
