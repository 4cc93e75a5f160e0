"""`subpixel serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NAME = "serve"
EXAMPLES = """[bold]Examples[/bold]

\b
subpixel serve                                          then open http://127.0.0.1:8000
subpixel serve --host 0.0.0.0 --token-file tokens       for others, who need a token
subpixel serve --queue-url postgresql://host/db --data /shared   with workers on other machines"""

_BOUNDS, _NETWORK = "Bounds", "Network"


def command(
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Other than loopback needs tokens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", min=0, max=65535)] = 8000,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Uploads, results and queue; by default in the user's data folder.", show_default=False
        ),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A line a client: TOKEN, or NAME TOKEN.", show_default=False)
    ] = None,
    queue_url: Annotated[
        str, typer.Option(metavar="URL", help="sqlite:///PATH or postgresql://...", show_default=False)
    ] = "",
    workers: Annotated[
        int, typer.Option(metavar="N", min=0, help="Processes that compute; 0: others do the work.")
    ] = 2,
    max_megapixels: Annotated[
        float, typer.Option(metavar="N", help="Of an image and of its result.", rich_help_panel=_BOUNDS)
    ] = 100,
    max_video: Annotated[
        float, typer.Option(metavar="N", help="Gigapixels of a video's result, all frames.", rich_help_panel=_BOUNDS)
    ] = 10,
    max_upload: Annotated[str, typer.Option(metavar="SIZE", help="Of a body.", rich_help_panel=_BOUNDS)] = "64M",
    max_queued: Annotated[
        int, typer.Option(metavar="N", min=1, help="Jobs that wait or run.", rich_help_panel=_BOUNDS)
    ] = 100,
    per_client: Annotated[
        int, typer.Option(metavar="N", min=1, help="The same, of one client.", rich_help_panel=_BOUNDS)
    ] = 4,
    keep: Annotated[
        str, typer.Option(metavar="TIME", help="Results are removed after that.", rich_help_panel=_BOUNDS)
    ] = "24h",
    disk: Annotated[
        str, typer.Option(metavar="SIZE", help="Beyond it the oldest results go.", rich_help_panel=_BOUNDS)
    ] = "10G",
    base_path: Annotated[
        str, typer.Option(metavar="/x", help="Where a proxy puts it.", rich_help_panel=_NETWORK, show_default=False)
    ] = "",
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL", help="Pages of this site may call; repeatable.", rich_help_panel=_NETWORK, show_default=False
        ),
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Its X-Forwarded-For is believed; repeatable.",
            rich_help_panel=_NETWORK,
            show_default=False,
        ),
    ] = None,
) -> None:
    """A page and an API: enlarge images in the browser, or by HTTP, with a queue that loses nothing.

    It refuses more than the bounds at once, keeps results for a while, and calls nobody.
    """
    from subpixel.service import settings as given
    from subpixel.service.serve import default_data, log_to_stderr, serve

    tokens = given.read_tokens(token_file) if token_file else {}
    settings = given.Settings(
        data=data or default_data(),
        host=host,
        port=port,
        tokens=tokens,
        max_pixels=given.parse_pixels(max_megapixels, 10**6),
        max_video=given.parse_pixels(max_video, 10**9),
        max_upload=given.parse_size(max_upload),
        max_queued=max_queued,
        per_client=per_client,
        queue_url=queue_url,
        keep=given.parse_time(keep),
        disk=given.parse_size(disk),
        base_path=base_path,
        origins=allow_origin or (),
        proxies=trusted_proxy or (),
        workers=workers,
    )
    log_to_stderr()
    serve(settings, announce=lambda url: typer.echo(url, err=True))
