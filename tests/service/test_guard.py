"""Who comes in, and what every answer says."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from subpixel.errors import BadRequest
from subpixel.service.guard import Guard, handle_errors
from subpixel.service.serve import serve, work
from subpixel.service.settings import Settings, digest, is_loopback, parse_pixels, parse_size, parse_time, read_tokens

TOKENS = {digest("a-token-of-some-length"): "ann", digest("another-one-of-length"): "bob"}


Count = Counter[tuple[str, str, int]]


def ask(
    settings: Settings,
    path: str = "/v1/who",
    method: str = "GET",
    count: Count | None = None,
    lines: Sequence[tuple[str, str]] = (),
    **headers: str,
) -> httpx.Response:
    """A request from 10.1.1.1 to a service that answers who is asking."""

    async def who(request: Request) -> Any:
        about = {"client": request.scope["subpixel.client"], "path": request.url.path}
        return JSONResponse(about, headers={"Vary": "Accept"})

    async def broken(request: Request) -> Any:
        raise ZeroDivisionError("secret contents")

    app = Starlette(routes=[Route("/v1/broken", broken), Route("/{path:path}", who, methods=["GET", "POST"])])
    handle_errors(app)
    guard = Guard(app, settings, Counter() if count is None else count)

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(guard, client=("10.1.1.1", 4), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as client:
            given = [(name.replace("_", "-"), value) for name, value in headers.items()]
            return await client.request(method, path, headers=[*given, *lines])

    return asyncio.run(send())


def here(**options: Any) -> Settings:
    return Settings(Path("data"), **options)


def test_a_name_that_leads_here_is_not_enough() -> None:
    assert ask(here()).json() == {"client": "10.1.1.1", "path": "/v1/who"}
    for host in ("127.0.0.1", "127.0.0.1:8000", "[::1]:8000", "localhost"):
        assert ask(here(), host=host).status_code == 200, host
    for host in ("evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[", ""):
        refused = ask(here(), host=host)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden"), host


def test_pages_of_other_sites_may_not_ask() -> None:
    assert ask(here(), origin="http://localhost:8000").status_code == 200
    for origin in ("http://evil.example", "null", "http://localhost:9000", "https://localhost", "http://["):
        answer = ask(here(), origin=origin)
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
    assert ask(here(), sec_fetch_site="cross-site", sec_fetch_mode="no-cors").status_code == 403
    assert ask(here(), "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status_code == 200


def test_an_origin_that_is_allowed_gets_the_headers_it_needs() -> None:
    settings = here(origins=["https://friend.example"])
    answer = ask(settings, origin="https://friend.example")
    assert answer.headers["access-control-allow-origin"] == "https://friend.example"
    assert answer.headers["vary"] == "Accept, Origin"
    assert "access-control-allow-credentials" not in answer.headers
    flight = ask(settings, method="OPTIONS", origin="https://friend.example")
    assert (flight.status_code, "authorization" in flight.headers["access-control-allow-headers"]) == (204, True)
    assert ask(settings, origin="https://enemy.example").status_code == 403


def test_a_token_says_who_it_is() -> None:
    settings = here(tokens=TOKENS, host="0.0.0.0")
    assert ask(settings, authorization="Bearer a-token-of-some-length").json()["client"] == "ann"
    assert ask(settings, authorization="bearer another-one-of-length", host="any.example").json()["client"] == "bob"
    for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic a-token-of-some-length"}):
        refused = ask(settings, **given)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert ask(settings, "/metrics").status_code == 401
    for path in ("/", "/healthz", "/readyz", "/v1/models", "/main.js"):
        assert ask(settings, path).status_code == 200


def test_only_a_trusted_proxy_says_for_whom_it_asks() -> None:
    assert ask(here(), x_forwarded_for="1.2.3.4").json()["client"] == "10.1.1.1"
    behind = here(proxies=["10.0.0.0/8"])
    assert ask(behind, x_forwarded_for="6.6.6.6, 1.2.3.4").json()["client"] == "1.2.3.4"
    assert ask(behind, x_forwarded_for="6.6.6.6, 1.2.3.4, 10.2.2.2").json()["client"] == "1.2.3.4"
    assert ask(behind).json()["client"] == "10.1.1.1"
    said, added = ("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-For", "1.2.3.4")  # by the client, and by the proxy
    assert ask(behind, lines=[said, added]).json()["client"] == "1.2.3.4"


def test_a_base_path_is_taken_off() -> None:
    settings = here(base_path="/sr")
    assert ask(settings, "/sr/v1/who").json()["path"] == "/v1/who"
    assert ask(settings, "/sr/").json()["path"] == "/"
    for path in ("/v1/who", "/srx", "/sr"):
        assert ask(settings, path).status_code == 404


def test_every_answer_has_the_headers_and_errors_tell_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "subpixel.service")
    for answer in (ask(here()), ask(here(), host="evil.example"), ask(here(), "/v1/broken")):
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "unsafe-inline" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cache-control"] == "no-store"
    assert answer.status_code == 500
    assert answer.json()["type"] == "/problems/internal"
    assert "secret" not in answer.text
    ask(here(), "/v1/who?model=private")
    assert "private" not in " ".join(record.getMessage() for record in caplog.records)


def test_methods_that_somebody_invents_are_counted_and_logged_as_one(caplog: pytest.LogCaptureFixture) -> None:
    """Else each would be kept for ever, in the counts and in the numbers for Prometheus."""
    caplog.set_level("INFO", "subpixel.service")
    count = Count()
    for method in ("GET", "POST", "OPTIONS", "DELETE", "INVENTED", "X" * 9000):
        ask(here(), "/v1/who", method, count)
    assert {method for method, *_ in count} == {"GET", "POST", "OPTIONS", "DELETE", "other"}
    assert sum(count.values()) == 6
    told = [record.getMessage() for record in caplog.records if record.name == "subpixel.service"]
    assert [line.split()[0] for line in told] == ["GET", "POST", "OPTIONS", "DELETE", "other", "other"]


def test_an_open_host_needs_tokens(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.5", "example.org", "::"):
        with pytest.raises(BadRequest, match="is open to others; give a --token-file"):
            here(host=host)
        assert here(host=host, tokens=TOKENS)
    hosts = ("127.0.0.1", "::1", "localhost", "127.8.8.8", "0.0.0.0", "::")
    assert [host for host in hosts if not is_loopback(host)] == ["0.0.0.0", "::"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("no folder")
    for data, why in [(file, "file exists"), (file / "below", "not a directory")]:
        said = f"cannot make the folder {data}: {why}; choose another one with --data"
        for start in (lambda settings: serve(settings, print), work):
            with pytest.raises(BadRequest, match=f"^{re.escape(said)}$"):
                start(Settings(data, port=0))
    here = Settings(tmp_path / "a" / "b")
    here.make_folders()
    assert [folder.stat().st_mode & 0o777 for folder in (here.data, here.uploads, here.results)] == [0o700] * 3


def test_tokens_are_read_and_only_their_digests_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("# ours\nann a-token-of-some-length\n\nno-name-but-a-long-token\n")
    nameless = digest("no-name-but-a-long-token")
    expected = {digest("a-token-of-some-length"): "ann", nameless: f"client-{nameless[:16]}"}
    assert read_tokens(file) == expected
    file.write_text(file.read_text("utf-8"), "utf-8-sig")  # as some editors write it
    assert read_tokens(file) == expected
    for wrong, said in [
        ("# ours\n\nshort", f"^line 3 of {re.escape(str(file))}; expected TOKEN or NAME TOKEN"),
        ("a b c", "expected TOKEN"),
        ("", "no token in"),
        (
            "# ours\n\nzoë a-token-of-some-length\nann schlüssel-der-länge-hat",
            f"^the token in line 4 of {re.escape(str(file))} .* ASCII",
        ),
    ]:
        file.write_text(wrong, "utf-8")
        with pytest.raises(BadRequest, match=said):
            read_tokens(file)
    with pytest.raises(BadRequest, match="cannot read the tokens"):
        read_tokens(tmp_path / "absent")


def test_a_token_keeps_its_name_when_the_line_of_another_goes(tmp_path: Path) -> None:
    """Jobs belong to names: numbered by its line, the second token would be given the results of the first."""
    file = tmp_path / "tokens"
    file.write_text("the-first-token-of-all\nthe-second-token-of-all\n")
    before = read_tokens(file)
    file.write_text("the-second-token-of-all\n")
    assert read_tokens(file)[digest("the-second-token-of-all")] == before[digest("the-second-token-of-all")]
    assert len(set(before.values())) == 2


def test_sizes_and_times() -> None:
    assert [parse_size(text) for text in ("5", "64M", "1.5g", "10GB")] == [5, 2**26, 3 * 2**29, 10 * 2**30]
    assert [parse_time(text) for text in ("30m", "24h", "7d", "1.5s")] == [1800, 86400, 604800, 1.5]
    assert (parse_pixels(2.5, 10**6), parse_pixels(0.1, 10**9)) == (2_500_000, 100_000_000)
    for count in (float("nan"), float("inf"), float("-inf"), 1e305):
        with pytest.raises(BadRequest, match=r"a bound of .*; expected a number"):
            parse_pixels(count, 10**6)
    mistakes = [
        (parse_size, "many"),
        (parse_size, "-1M"),
        (parse_size, "9" * 400),
        (parse_time, "24"),
        (parse_time, "1y"),
    ]
    for parse, text in [*mistakes, (parse_time, "9999999d")]:  # a result that is kept for 27,000 years has no date
        with pytest.raises(BadRequest, match="expected"):
            parse(text)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("base_path", "sr"),
        ("base_path", "/sr/"),
        ("origins", ["*"]),
        ("origins", ["http://[x"]),
        ("proxies", ["nobody"]),
        ("max_queued", 0),
    ],
)
def test_options_that_make_no_sense(option: str, value: Any) -> None:
    with pytest.raises(BadRequest):
        here(**{option: value})
