"""`subpixel upscale`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

if TYPE_CHECKING:
    from subpixel.inference.upscaler import Upscaler
    from subpixel.jobs.job import Job
    from subpixel.jobs.request import Request

T = TypeVar("T", int, float)
NAME = "upscale"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel upscale photo.jpg                        photo_x2.jpg beside it
subpixel upscale scan.jpg -s 1 --denoise 0.3      cleaned, not enlarged
subpixel upscale photo.jpg -s 4 -o large.png      four times as wide and high
subpixel upscale holiday/ -o large/               every image in a folder
subpixel upscale '*.jpg' --size 3840x2160 --fit   as large as fits a 4K screen
subpixel upscale - < a.png > b.png                from and to other programs"""

_SIZE, _UNDO, _SPEED, _FILE, _SAID = "Size", "Restoration", "Speed", "Result", "What is said"  # panels of the help

Inputs = Annotated[
    list[str], typer.Argument(metavar="INPUTS", help="Images, folders, globs; - is standard input.", show_default=False)
]
Output = Annotated[
    str | None,
    typer.Option(
        "-o",
        "--output",
        metavar="OUT",
        help="A file for one image, else a folder; - is standard output. By default NAME_x2.EXT beside each input.",
        show_default=False,
    ),
]
Model = Annotated[
    str,
    typer.Option(
        "-m",
        "--model",
        metavar="MODEL|PATH",
        help="auto looks at each image and chooses; else a name from `subpixel models`, an .onnx file, a training run, "
        "or nearest, bilinear, bicubic, lanczos.",
    ),
]
Scale = Annotated[
    float | None,
    typer.Option(
        "-s",
        "--scale",
        metavar="FACTOR",
        help="Any factor: 2, 2.7, 8. By default the model's own; 2 for swift.",
        show_default=False,
        rich_help_panel=_SIZE,
    ),
]
Size = Annotated[
    str | None,
    typer.Option(
        metavar="WxH",
        help="A size instead of a factor: 1920x1080, 4096x, x1080.",
        show_default=False,
        rich_help_panel=_SIZE,
    ),
]
Fit = Annotated[bool, typer.Option("--fit", help="With --size: keep the shape and fit inside.", rich_help_panel=_SIZE)]
Denoise = Annotated[
    str, typer.Option(metavar="auto|0-1", help="Noise that is taken away: what was found.", rich_help_panel=_UNDO)
]
Deblock = Annotated[
    str, typer.Option(metavar="auto|0-1", help="JPEG's blocks and rings, likewise.", rich_help_panel=_UNDO)
]
Deblur = Annotated[str, typer.Option(metavar="auto|0-1", help="Blur, likewise.", rich_help_panel=_UNDO)]
Detail = Annotated[
    float,
    typer.Option(metavar="0-1", min=0, max=1, help="From likely to sharp: detail is invented.", rich_help_panel=_UNDO),
]
Grain = Annotated[
    float,
    typer.Option(
        metavar="0-1", min=0, max=1, help="Noise that is given back, of what is taken.", rich_help_panel=_UNDO
    ),
]
Tile = Annotated[
    str,
    typer.Option(
        metavar="N|auto|0",
        help="Side of a tile in pixels of the input; 0: the whole image at once.",
        rich_help_panel=_SPEED,
    ),
]
Runtime = Annotated[
    str, typer.Option(metavar="NAME", help="auto, openvino, onnxruntime or torch.", rich_help_panel=_SPEED)
]
Precision = Annotated[
    str,
    typer.Option(metavar="NAME", help="auto, f32 or bf16, which some processors do faster.", rich_help_panel=_SPEED),
]
Threads = Annotated[
    int | None,
    typer.Option(metavar="N", min=1, help="By default one a core.", show_default=False, rich_help_panel=_SPEED),
]
Device = Annotated[
    str, typer.Option(metavar="NAME", help="auto, cpu, cuda ...: see `subpixel doctor`.", rich_help_panel=_SPEED)
]
Ensemble = Annotated[
    bool, typer.Option("--tta", help="Average over 8 flips and turns: better, 8 times as slow.", rich_help_panel=_SPEED)
]
Consistent = Annotated[
    str,
    typer.Option(
        metavar="box|bicubic|sigma=S",
        help="The result, reduced so, is the image again; none, and by default the box for science and medicine.",
        rich_help_panel=_UNDO,
    ),
]
Bands = Annotated[
    str | None,
    typer.Option(metavar="N,N...", help="Of a GeoTIFF these alone.", show_default=False, rich_help_panel=_FILE),
]
Window = Annotated[
    str | None,
    typer.Option(
        metavar="X,Y,WxH",
        help="Of a GeoTIFF, FITS or OME-Zarr this part alone, in its pixels: 1024,512,800x600.",
        show_default=False,
        rich_help_panel=_FILE,
    ),
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format",
        metavar="NAME",
        help="png, jpg, webp, tif, avif or gif; by default that of the input.",
        show_default=False,
        rich_help_panel=_FILE,
    ),
]
Quality = Annotated[
    int, typer.Option(metavar="1-100", min=1, max=100, help="Of JPEG, WebP and AVIF.", rich_help_panel=_FILE)
]
Lossless = Annotated[
    bool | None,
    typer.Option(
        "--lossless/--lossy",
        help="WebP and AVIF without loss or with; by default as the input is.",
        show_default=False,
        rich_help_panel=_FILE,
    ),
]
KeepTime = Annotated[
    bool, typer.Option("--keep-time", help="Results are as old as their inputs.", rich_help_panel=_FILE)
]
Compress = Annotated[
    bool, typer.Option("--compress", help="Smaller PNG and TIFF files, slower.", rich_help_panel=_FILE)
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Do again what exists, instead of skipping it.", rich_help_panel=_FILE)
]
Part = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="K/N|array",
        help="Only the kth of n parts of the images; array: the part of a task of Slurm, PBS, SGE, LSF or AWS Batch.",
        show_default=False,
        rich_help_panel=_SPEED,
    ),
]
QueueUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Leave the images to the workers of a queue, sqlite:///FILE or postgresql://...: see `subpixel batch`.",
        show_default=False,
        rich_help_panel=_SPEED,
    ),
]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Say nothing but failures.", rich_help_panel=_SAID)]
Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="A line for everything.", rich_help_panel=_SAID)]
Json = Annotated[
    bool, typer.Option("--json", help="A JSON object for each image, on standard output.", rich_help_panel=_SAID)
]


def command(
    inputs: Inputs,
    output: Output = None,
    model: Model = "auto",
    scale: Scale = None,
    size: Size = None,
    fit: Fit = False,
    denoise: Denoise = "auto",
    deblock: Deblock = "auto",
    deblur: Deblur = "auto",
    detail: Detail = 0.0,
    grain: Grain = 0.0,
    tile: Tile = "auto",
    runtime: Runtime = "auto",
    precision: Precision = "auto",
    threads: Threads = None,
    device: Device = "auto",
    tta: Ensemble = False,
    consistent: Consistent = "auto",
    kind: Format = None,
    bands: Bands = None,
    window: Window = None,
    quality: Quality = 95,
    lossless: Lossless = None,
    compress: Compress = False,
    keep_time: KeepTime = False,
    overwrite: Overwrite = False,
    part: Part = None,
    queue_url: QueueUrl = None,
    quiet: Quiet = False,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Enlarge images: files, folders or globs.

    Colour profile, EXIF, transparency and bit depth are kept.

    What exists already is skipped, so that an interrupted run goes on where it stopped; results of another model,
    another request or an older source are made anew.
    """
    from subpixel.images import Encoding, split_ending
    from subpixel.inference.choice import Restoration
    from subpixel.jobs.discovery import check_there, find_jobs, names_file
    from subpixel.jobs.naming import suffix
    from subpixel.jobs.request import Request
    from subpixel.jobs.shard import WHOLE, Shard
    from subpixel.runtimes import Execution
    from subpixel.training.model_files import model_file

    request = Request(
        model=model_file(model, scale),
        scale=scale,
        size=size,
        fit=fit,
        restoration=Restoration(
            _auto_or(float, denoise, "denoise"),
            _auto_or(float, deblock, "deblock"),
            _auto_or(float, deblur, "deblur"),
            detail,
            grain,
        ),
        tile=_auto_or(int, tile, "tile"),
        tta=tta,
        consistent=consistent,
        bands=_numbers(bands),
        window=window,
        execution=Execution(runtime, precision, threads, device),
        encoding=Encoding(kind, quality, lossless, compress, keep_time),
    )
    if output and names_file(output):
        request.encoding.check_quality(split_ending(output)[1])
    with request.upscaler() as upscaler:
        shard = Shard.parse(part) if part else WHOLE
        jobs = find_jobs(inputs, output, suffix=suffix(upscaler), format=kind, shard=shard)
        if queue_url:
            from subpixel.cli.batch import submit
            from subpixel.cli.progress import check_said
            from subpixel.jobs.batches import full_name

            check_said(quiet, verbose, as_json)
            check_there(inputs)
            if os.path.isfile(request.model):
                request = request.model_copy(update={"model": full_name(request.model)})
            named = [*map(full_name, [*inputs, output or "."]), f"{shard.k}/{shard.n}"]
            raise typer.Exit(submit(queue_url, jobs, request, overwrite, named, quiet=quiet, as_json=as_json))
        output_flags = {"quiet": quiet, "verbose": verbose, "as_json": as_json}
        raise typer.Exit(_enlarge(jobs, upscaler, request, overwrite, output_flags))


def _enlarge(
    jobs: Iterator[Job], upscaler: Upscaler, request: Request, overwrite: bool, output_flags: Mapping[str, bool]
) -> int:
    """Does what is not done yet, and shows it; returns the exit status."""
    from subpixel.cli.progress import display
    from subpixel.domains import upscale_file
    from subpixel.jobs.batch import upscale_batch
    from subpixel.jobs.resumption import unfinished

    todo = jobs if overwrite else unfinished(jobs, request.identity)
    counted, shown = display(todo, **output_flags)
    batch = upscale_batch(counted, upscaler, request.encoding, request.identity, upscale_file, overwrite=overwrite)
    with closing(batch) as events, shown:
        for event in events:
            shown.show(event)
    return 1 if shown.tally.failures else 0


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError:
        raise typer.BadParameter(f"{text!r}; expected numbers such as 1,2,5", param_hint="--bands") from None


def _auto_or(number: type[T], text: str, option: str) -> T | Literal["auto"]:
    if text == "auto":
        return "auto"
    try:
        return number(text)
    except ValueError:
        wanted = "a number of pixels, 0 for all" if number is int else "a number from 0 to 1"
        raise typer.BadParameter(f"{text!r}; expected auto or {wanted}", param_hint=f"--{option}") from None
