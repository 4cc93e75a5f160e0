"""Who may come in: base path, Host, Origin and token are checked here, and every answer gets its headers."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import time
from collections import Counter
from typing import Any
from urllib.parse import SplitResult, urlsplit

from sqlalchemy.exc import OperationalError
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from subpixel.errors import SubpixelError
from subpixel.service.problems import MEDIA_TYPE, Refusal, refusal, retry, stopping
from subpixel.service.settings import LOOPBACK, Settings, digest

_WRITE = 60.0
"""Seconds that a client may take for the next piece of an answer."""
_CSP = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; style-src 'self'; "
    "img-src 'self' blob: data:; connect-src 'self'; manifest-src 'self'; font-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _CSP,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_METHODS = ("GET", "HEAD", "POST", "DELETE")
"""Those of the routes."""
_COUNTED = (*_METHODS, "OPTIONS")
"""Anybody can invent others, without end."""
_PREFLIGHT = {
    "Access-Control-Allow-Methods": ", ".join(_METHODS),
    "Access-Control-Allow-Headers": "authorization, content-type, idempotency-key, last-event-id, range, if-none-match",
    "Access-Control-Max-Age": "600",
}
_EXPOSED = "etag, location, retry-after, content-range, x-subpixel-chosen, x-subpixel-note"
_OPEN = ("/healthz", "/readyz", "/openapi.json", "/v1/models")
"""What needs no token, beside the page."""

log = logging.getLogger("subpixel.service")


class Guard:
    """An ASGI application around another one."""

    def __init__(self, app: ASGIApp, settings: Settings, count: Counter[tuple[str, str, int]]) -> None:
        self._app, self._settings, self._count = app, settings, count
        sites = {_hostname(origin) for origin in settings.origins}
        self._hosts = {*LOOPBACK, settings.host.strip("[]"), *filter(None, sites)}
        self._proxies = [ipaddress.ip_network(proxy) for proxy in settings.proxies]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        answer = _Answer(send, self._cors(Headers(scope=scope)))
        began = time.perf_counter()
        try:
            await self._admitted(scope, receive, answer.send)
        except Refusal as error:
            await _respond(error, scope, receive, answer)
        except asyncio.CancelledError:  # the service ends, and has waited for long enough
            await _respond(stopping(), scope, receive, answer)
        except TimeoutError:  # a client that reads nothing
            log.info("a client was too slow")
            raise
        except Exception as error:
            log.exception("an error that nobody foresaw")
            await _respond(Refusal("internal", f"{type(error).__name__}; the log says more"), scope, receive, answer)
        finally:
            self._record(scope, answer.status, time.perf_counter() - began)
        return None

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        self._check_host(headers)
        self._check_origin(headers)
        self._enter_base(scope)
        if scope["method"] == "OPTIONS" and "origin" in headers:
            return await Response(status_code=204, headers=_PREFLIGHT)(scope, receive, send)
        address = self._address(scope, headers)
        scope["subpixel.client"] = self._client(scope["path"], headers, address)
        return await self._app(scope, receive, send)

    def _check_host(self, headers: Headers) -> None:
        """Without tokens, a name that leads here is not enough: any site can have its name lead to 127.0.0.1."""
        host = _hostname(f"//{headers.get('host', '')}")
        if not host or not (self._settings.tokens or host in self._hosts):
            raise Refusal("forbidden", f"host {host[:80]!r}; expected {', '.join(sorted(self._hosts))}")

    def _check_origin(self, headers: Headers) -> None:
        origin = headers.get("origin")
        foreign = headers.get("sec-fetch-site") == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
        if origin is None and not foreign:
            return
        own = _parts(origin or "").netloc == headers.get("host")
        if not own and origin not in self._settings.origins:
            raise Refusal("forbidden", "another site's page may not ask this; see --allow-origin")

    def _enter_base(self, scope: Scope) -> None:
        base, path = self._settings.base_path, scope["path"]
        if base and not path.startswith(f"{base}/"):
            raise Refusal("not-found", f"everything lies under {base}/")
        scope["path"] = path[len(base) :]

    def _address(self, scope: Scope, headers: Headers) -> str:
        """The client's, as the last proxy that is trusted says."""
        address = str((scope.get("client") or ("unknown",))[0])
        lines = ",".join(headers.getlist("x-forwarded-for"))  # a proxy may add a line of its own: RFC 9110, 5.3
        hops = [hop.strip() for hop in lines.split(",") if hop.strip()]
        while hops and self._is_proxy(address):
            address = hops.pop()
        return address

    def _is_proxy(self, address: str) -> bool:
        try:
            return any(ipaddress.ip_address(address) in network for network in self._proxies)
        except ValueError:
            return False

    def _client(self, path: str, headers: Headers, address: str) -> str:
        """The name that belongs to the token, or the address where there are no tokens."""
        if not self._settings.tokens:
            return address
        scheme, _, token = headers.get("authorization", "").partition(" ")
        name = self._settings.tokens.get(digest(token.strip())) if scheme.lower() == "bearer" else None
        needed = (path.startswith("/v1/") or path == "/metrics") and path not in _OPEN
        if name is None and needed:
            raise Refusal("unauthorized", "send Authorization: Bearer TOKEN", {"WWW-Authenticate": "Bearer"})
        return name or address

    def _cors(self, headers: Headers) -> dict[str, str]:
        origin = headers.get("origin")
        if origin not in self._settings.origins:
            return {}
        allowed = {"Access-Control-Allow-Origin": origin or "", "Access-Control-Expose-Headers": _EXPOSED}
        return {**allowed, "Cross-Origin-Resource-Policy": "cross-origin"}

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        """One line a request, without what it holds: no query, no id, no name of a file."""
        route = getattr(scope.get("route"), "path", "other")
        method = scope["method"] if scope["method"] in _COUNTED else "other"
        self._count[method, route, status] += 1
        log.info("%s %s %d %.0f ms", method, route, status, 1000 * seconds)


class _Answer:
    """An answer on its way: it gets the headers of all answers, and its client some time to take it."""

    def __init__(self, send: Send, more: dict[str, str]) -> None:
        self._send, self._more = send, more
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            for name, value in (_HEADERS | self._more).items():
                headers[name] = value
            if self._more:
                headers.add_vary_header("Origin")
            headers.setdefault("Cache-Control", "no-store")
        async with asyncio.timeout(_WRITE):
            await self._send(message)


async def _respond(error: Refusal, scope: Scope, receive: Receive, answer: _Answer) -> None:
    if not answer.status:
        await problem_response(error)(scope, receive, answer.send)


def problem_response(error: Refusal) -> Response:
    """A refusal as an answer, application/problem+json (RFC 9457)."""
    problem = error.problem
    return JSONResponse(problem.model_dump(), problem.status, error.headers, MEDIA_TYPE)


def _parts(url: str) -> SplitResult:
    """Of a URL; of one that makes no sense, nothing."""
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")


def _hostname(url: str) -> str:
    return _parts(url).hostname or ""


def handle_errors(app: Starlette) -> None:
    """Every error that a route ends with becomes a problem."""

    async def refused(_: Request, error: Any) -> Response:
        return problem_response(error if isinstance(error, Refusal) else refusal(error))

    async def http(_: Request, error: Any) -> Response:
        return problem_response(Refusal("bad-request", str(error.detail), error.headers))

    async def no_route(request: Request, _: Any) -> Response:
        methods = _methods(request)
        if not methods or request.method in methods:
            return problem_response(Refusal("not-found", "there is no such path; see /openapi.json"))
        why = f"there is no {request.method} here; expected {' or '.join(methods)}"
        return problem_response(Refusal("method-not-allowed", why, {"Allow": ", ".join(methods)}))

    async def without_database(_: Request, error: Any) -> Response:
        """It is full, away, or too busy: that may pass."""
        log.error("the database: %s", str(error.orig).splitlines()[0])
        return problem_response(retry("queue-unavailable", "the queue's database cannot be used; ask again later", 10))

    app.add_exception_handler(OperationalError, without_database)
    for kind in (Refusal, SubpixelError, Exception):
        app.add_exception_handler(kind, refused)
    app.add_exception_handler(HTTPException, http)
    for status in (404, 405):
        app.add_exception_handler(status, no_route)


def _methods(request: Request) -> list[str]:
    """What the path can be asked with: each route knows its own alone."""
    routes = request.app.routes
    asked = ({**request.scope, "method": method} for method in _METHODS)
    return [scope["method"] for scope in asked if any(route.matches(scope)[0] is Match.FULL for route in routes)]
