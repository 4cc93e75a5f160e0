"""`subpixel video`."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from subpixel.cli.upscale import Fit, Model, Scale, Size, Threads

NAME = "video"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel video film.mkv -o larger.mkv                  twice as wide and high, all else kept
subpixel video film.mkv -o look.mkv --preview 5s       five seconds out of the middle
subpixel video tape.mpg -o tape.mp4 --size x1080       deinterlaced where it has to be
subpixel video frames/ -o larger.mkv --fps 24          frame9.png comes before frame10.png
subpixel video film.mkv -o frames/                     PNG images, 000001.png and on
subpixel video film.mkv -o larger.mkv                  again, after an interruption: it goes on"""

Source = Annotated[Path, typer.Argument(metavar="IN", help="A video, or a folder of frames.", show_default=False)]
Output = Annotated[
    Path,
    typer.Option(
        "-o", "--output", metavar="OUT", help="An .mkv, .mp4, .mov or .webm file, or a folder.", show_default=False
    ),
]
Codec = Annotated[
    str,
    typer.Option(metavar="NAME", help="av1, h264, h265 or ffv1 (lossless); auto: the source's own where it can be."),
]
Quality = Annotated[int, typer.Option(metavar="1-100", min=1, max=100, help="100 is the best.")]
Deinterlace = Annotated[
    str, typer.Option(metavar="NAME", help="auto: where it is found; field: a frame for each field; off.")
]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="5s or 1:30.", show_default=False)]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="Where it ends.", show_default=False)]
Preview = Annotated[
    str | None, typer.Option(metavar="TIME", help="Only so long, out of the middle.", show_default=False)
]
Fps = Annotated[
    float | None, typer.Option(metavar="N", help="Frames a second of a folder of images; 25.", show_default=False)
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the video if it exists.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Only errors.")]


def command(
    source: Source,
    output: Output,
    scale: Scale = None,
    size: Size = None,
    fit: Fit = False,
    model: Model = "auto",
    codec: Codec = "auto",
    quality: Quality = 65,
    deinterlace: Deinterlace = "auto",
    start: From = None,
    stop: To = None,
    preview: Preview = None,
    fps: Fps = None,
    threads: Threads = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Enlarge a video; sound, subtitles, chapters, times and colours stay what they are.

    It says first how long it will take and what cannot be kept. What is interrupted goes on where it was: OUT.partial
    holds what is done, and is gone at the end.
    """
    from subpixel.cli.video_display import VideoDisplay
    from subpixel.errors import MissingExtra
    from subpixel.runtimes import installed

    if not installed("av"):
        raise MissingExtra("av", "video")
    from subpixel.video.request import VideoRequest, seconds
    from subpixel.video.upscaling import upscale

    times = {"start": start, "stop": stop, "preview": preview}
    request = VideoRequest.parse(
        {
            "model": model,
            "scale": scale,
            "size": size,
            "fit": fit,
            "execution": {"threads": threads},
            "codec": codec,
            "quality": quality,
            "deinterlace": deinterlace,
            "fps": fps,
            **{name: seconds(text) for name, text in times.items() if text is not None},
        }
    )
    with closing(upscale(source, output, request, overwrite)) as events, VideoDisplay(quiet) as shown:
        for event in events:
            shown.show(event)
    raise typer.Exit(1 if shown.failed else 0)
