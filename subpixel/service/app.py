"""The routes."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import Depends, FastAPI, Request
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.types import ASGIApp

from subpixel import __version__
from subpixel.images.formats import FORMATS
from subpixel.resample import KERNELS
from subpixel.runtimes import installed
from subpixel.service import assets, results
from subpixel.service.clock import now
from subpixel.service.description import IMAGE, PROBLEMS, RESULT, answers, header
from subpixel.service.guard import Guard, handle_errors
from subpixel.service.metrics import exposition
from subpixel.service.negotiation import MEDIA_TYPES, accepted, not_acceptable
from subpixel.service.orders import Enlarged, Examined, Order
from subpixel.service.page import browser
from subpixel.service.problems import Refusal, stopping
from subpixel.service.query import check_no_query, parse_query
from subpixel.service.ranges import RangedFile
from subpixel.service.records import Record
from subpixel.service.service import Service
from subpixel.service.uploads import received, stated_length
from subpixel.service.view import Job

_THREADS = 32
"""Requests that wait for the database, the disk or a process at a time."""
_KEY = re.compile(r"[!-~]{1,200}")
_REVISION = re.compile(r"[0-9]{1,18}")
_BARE: Any = {"dependencies": [Depends(check_no_query)]}
"""Nothing can be asked for in the query."""
_KEYED: Any = {
    **IMAGE,
    "parameters": [*IMAGE["parameters"], header("Idempotency-Key", "The same key, image and request: the same job.")],
}
_RESUMED: Any = {"parameters": [header("Last-Event-ID", "The last event that was seen.")]}


def create_app(service: Service) -> ASGIApp:
    """The whole service as an ASGI application."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_THREADS))
        tasks = [asyncio.create_task(service.run()), asyncio.create_task(service.watch.run())]
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    app = FastAPI(
        title="subpixel",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=PROBLEMS,
        servers=[{"url": service.settings.base_path or "/"}],
        redirect_slashes=False,  # it knows neither the base path nor the proxy's https
    )
    app.state.service = service
    handle_errors(app)
    app.post("/v1/upscale", openapi_extra=IMAGE, response_class=FileResponse, responses=RESULT)(upscale)
    again: Any = {200: {"model": Job, "description": "The job that its Idempotency-Key has made before"}}
    app.post("/v1/jobs", openapi_extra=_KEYED, status_code=202, response_model=Job, responses=again)(submit)
    _reads(app, "/v1/jobs", response_model=dict[str, list[Job]], **_BARE)(jobs)
    _reads(app, "/v1/jobs/{id}", response_model=Job, **_BARE)(job)
    app.delete("/v1/jobs/{id}", response_model=Job, **_BARE)(delete)
    told: Any = {"responses": answers("text/event-stream"), "openapi_extra": _RESUMED}
    app.get("/v1/jobs/{id}/events", response_class=StreamingResponse, **told, **_BARE)(events)
    _reads(app, "/v1/jobs/{id}/result", response_class=FileResponse, responses=RESULT, **_BARE)(result)
    app.post("/v1/inspect", openapi_extra=IMAGE)(inspect)
    _reads(app, "/v1/models", **_BARE)(models)
    _reads(app, "/healthz")(health)
    _reads(app, "/readyz")(ready)
    _reads(app, "/metrics", response_class=Response, responses=answers("text/plain"))(metrics)
    app.include_router(browser.router)
    for path in assets.page_files():
        _reads(app, path, include_in_schema=False)(page)
    return Guard(app, service.settings, service.requests)


def _reads(app: FastAPI, path: str, **how: Any) -> Callable[[Callable[..., Any]], None]:
    """A route for GET, and for HEAD, which is described once with it: a description has each name once."""
    hidden: dict[str, Any] = {**how, "include_in_schema": False}

    def add(answer: Callable[..., Any]) -> None:
        app.get(path, **how)(answer)
        app.head(path, **hidden)(answer)

    return add


async def upscale(request: Request) -> Response:
    """Enlarges a small image and answers with the result."""
    service, asked = _service(request), parse_query(request.query_params.multi_items())
    wanted = None if asked.encoding.format else accepted(request.headers.getlist("accept"))
    name = secrets.token_urlsafe(18)
    async with _admitted(service, request, name) as upload:
        order = replace(service.examining(upload, asked.model_dump_json()), wanted=tuple(wanted or ()))
        examined: Examined = await service.examine(order)
        if wanted and examined.format not in wanted:
            raise not_acceptable(examined.format)
        if examined.width * examined.height * examined.frames > service.settings.max_small:
            most = f"more than {service.settings.max_small / 1e6:g} megapixels"
            raise Refusal("too-large", f"the result would have {most}; use /v1/jobs")
        target = service.settings.results / f"{name}.{examined.format}"
        enlarge = Order("enlarge", str(upload), str(target), order.request)
        done: Enlarged = await service.perform_now(enlarge)
    headers = {"ETag": f'"{done.etag}"', "X-Subpixel-Chosen": quote(done.chosen, safe=" ;,.:()'-+")}
    if done.note:
        headers["X-Subpixel-Note"] = quote(done.note, safe=" ;,.:()'-+")
    gone = BackgroundTask(target.unlink, missing_ok=True)
    return FileResponse(target, headers=headers, media_type=MEDIA_TYPES[examined.format], background=gone)


async def submit(request: Request) -> Response:
    """Accepts an image: when this answers 202, the job is on the disk and will be done."""
    service, client = _service(request), str(request.scope["subpixel.client"])
    key = request.headers.get("idempotency-key")
    if key is not None and not _KEY.fullmatch(key):
        raise Refusal("bad-request", "Idempotency-Key; expected 1 to 200 printable characters without spaces")
    asked = parse_query(request.query_params.multi_items()).model_dump_json()
    if key is None:
        await asyncio.to_thread(service.records.check_room, client, service.bounds)
    name = secrets.token_urlsafe(18)
    async with _admitted(service, request, f"{name}.part") as upload:
        if key is None:  # many may have come in the meantime
            await asyncio.to_thread(service.records.check_room, client, service.bounds)
        examined: Examined = await service.examine(service.examining(upload, asked))
        record = Record(
            id=name,
            client=client,
            request=asked,
            source_format=examined.source_format,
            source_width=examined.source_width,
            source_height=examined.source_height,
            source_bytes=upload.stat().st_size,
            format=examined.format,
            width=examined.width,
            height=examined.height,
            created=now(),
            key=key,
            digest=request.state.digest,
        )
        kept = await asyncio.to_thread(service.accept, record, upload)
    headers = {"Location": f"{service.settings.base_path}/v1/jobs/{kept.id}"}
    view = await asyncio.to_thread(service.view, kept)
    return JSONResponse(view.model_dump(), 202 if kept.id == name else 200, headers)


async def jobs(request: Request) -> Any:
    """The newest jobs of this client; only where clients have tokens."""
    service = _service(request)
    if not service.settings.tokens:
        raise Refusal("not-found", "jobs are listed where clients have tokens; keep the ids")
    records = await asyncio.to_thread(service.records.of_client, str(request.scope["subpixel.client"]))
    return {"jobs": [await asyncio.to_thread(service.view, record) for record in records]}


async def job(request: Request, id: str) -> Any:
    """A job."""
    service = _service(request)
    return await asyncio.to_thread(service.view, await _own(request, id))


async def delete(request: Request, id: str) -> Any:
    """Cancels what is not done, and removes what is."""
    service, record = _service(request), await _own(request, id)
    await asyncio.to_thread(service.discard, record)
    return await asyncio.to_thread(service.view, await _own(request, id))


async def events(request: Request, id: str) -> Response:
    """The job after each of its changes, to the end: server-sent events, which Last-Event-ID resumes."""
    service, record = _service(request), await _own(request, id)
    last = request.headers.get("last-event-id", "")
    changes = service.watch.changes(record, int(last) if _REVISION.fullmatch(last) else 0)

    async def stream() -> AsyncGenerator[str]:
        async for changed in changes:
            if changed is None:
                yield ": \n\n"
            else:
                view = await asyncio.to_thread(service.view, changed)
                yield f"id: {changed.revision}\nevent: job\ndata: {view.model_dump_json()}\n\n"

    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(stream(), media_type="text/event-stream", headers=headers)


async def result(request: Request, id: str) -> Response:
    """The image; Accept chooses its format."""
    service, record = _service(request), await _own(request, id)
    return await results.answer(service, request, record)


async def inspect(request: Request) -> Any:
    """What is wrong with an image, and what would be done about it; nothing is kept."""
    service, asked = _service(request), parse_query(request.query_params.multi_items())
    async with _admitted(service, request, secrets.token_urlsafe(18)) as upload:
        order = service.examining(upload, asked.model_dump_json())
        return await service.perform_now(replace(order, do="inspect"))


async def models(request: Request) -> Any:
    """What may be asked for, and the limits."""
    service = _service(request)
    settings = service.settings
    entries: list[dict[str, Any]] = await _models(service)
    return {
        "default": "auto",
        "models": [{"name": "auto", "family": "auto", "scale": None, "licence": None, "default": True}, *entries],
        "kernels": list(KERNELS),
        "formats": list(FORMATS),
        "limits": {
            "max_megapixels": settings.max_pixels / 1e6,
            "max_upload": settings.max_upload,
            "max_queued": settings.max_queued,
            "per_client": settings.per_client,
            "max_video": settings.max_video / 1e9,
            "sync_megapixels": settings.max_small / 1e6,
            "keep": settings.keep,
        },
        "video": installed("av"),
        "token": bool(settings.tokens),
    }


async def health() -> Any:
    """The server answers."""
    return {"status": "ok"}


async def ready(request: Request) -> Response:
    """A worker has moved lately: what is accepted will be done."""
    why = await asyncio.to_thread(lambda: _service(request).unready)
    return JSONResponse({"status": why or "ready"}, 503 if why else 200)


async def metrics(request: Request) -> Response:
    """For Prometheus."""
    text = await asyncio.to_thread(exposition, _service(request))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def page(request: Request) -> Response:
    """The page and its modules."""
    file = assets.page_files()[request.scope["path"]]
    return RangedFile(file, {"Cache-Control": "no-cache"}, assets.MEDIA_TYPES[file.suffix])


def _service(request: Request) -> Service:
    return request.app.state.service


@asynccontextmanager
async def _admitted(service: Service, request: Request, name: str) -> AsyncGenerator[Path]:
    """The image in the body, on the disk for the time of the block."""
    if service.stopping:
        raise stopping()
    length = stated_length(request, service.settings.max_upload)
    with service.receiving(str(request.scope["subpixel.client"]), length):
        await asyncio.to_thread(service.check_disk, length or 0)  # first: results go to make room for it
        async with received(request, service.settings.uploads / name, service.settings.max_upload) as upload:
            request.state.digest = upload.digest
            yield upload.path


async def _own(request: Request, id: str) -> Record:
    """A job of this client. Raises: Refusal, the same for another's as for none."""
    service = _service(request)
    record = await asyncio.to_thread(service.find, id)
    if record is None or (service.settings.tokens and record.client != request.scope["subpixel.client"]):
        raise Refusal("not-found", "there is no such job")
    return record


async def _models(service: Service) -> list[dict[str, Any]]:
    """The cards, which are read once."""
    if not service.cards:
        service.cards += [{**card, "default": False} for card in await service.examine(Order("models"))]
    return service.cards
