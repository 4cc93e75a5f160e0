"""As the how-to configures it: behind nginx, paths, events as they happen, and who is who; and by systemd."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from browsing import Tab, opened
from served import ROOT, SLOW, Server, free_port, png, until

Make = Callable[..., Server]
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
needs_nginx = pytest.mark.skipif(NGINX is None, reason="needs nginx: apt-get install nginx-light")

BASE = ("--base-path", "/photos", "--trusted-proxy", "127.0.0.1")
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def documented(language: str) -> str:
    """The configuration in that language which the how-to gives."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs/how-to/serve.md").read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


@contextmanager
def proxy(place: Path, port: int) -> Iterator[str]:
    """The how-to's configuration before a server at `port`; the address of the base path."""
    own, paths = free_port(), "".join(f"{name}_temp_path {place}/{name};\n" for name in TEMPORARY)
    user = "user root;" if os.geteuid() == 0 else ""
    (place / "nginx.conf").write_text(f"""
        {user} daemon off; pid {place}/pid; error_log {place}/error.log; events {{}}
        http {{ access_log off; {paths} server {{ listen 127.0.0.1:{own};
        {documented("nginx").replace("127.0.0.1:8000", f"127.0.0.1:{port}")} }} }}""")
    command = [str(NGINX), "-e", f"{place}/error.log", "-c", f"{place}/nginx.conf"]
    assert subprocess.run([*command, "-t"], capture_output=True, check=False).returncode == 0
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _answers(f"http://127.0.0.1:{own}/photos/healthz"))
            yield f"http://127.0.0.1:{own}/photos/"
        finally:
            process.terminate()


def _answers(url: str) -> bool:
    with suppress(httpx.HTTPError):
        return httpx.get(url).status_code == 200
    return False


@needs_nginx
def test_events_come_through_as_they_happen(servers: Make, tmp_path: Path) -> None:
    server = servers(*BASE, "--workers", "1", code=SLOW)
    with proxy(tmp_path, server.port) as address, httpx.Client(base_url=address, timeout=60) as client:
        assert client.get("openapi.json").json()["servers"] == [{"url": "/photos"}]
        job = client.post("v1/jobs?model=bicubic", content=png(8, 1000))
        assert job.headers["location"] == f"/photos/v1/jobs/{job.json()['id']}"
        links = {name: httpx.URL(address).join(path) for name, path in job.json()["links"].items()}
        with client.stream("GET", links["events"]) as stream:
            for told in (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: ")):
                if told["state"] == "running" and told["progress"]:
                    assert client.get(links["self"]).json()["state"] == "running"  # nothing was held back
                    client.delete(links["self"])
        assert told["state"] == "cancelled"


@needs_nginx
def test_clients_are_told_apart_by_what_the_proxy_says_and_not_by_what_they_say(servers: Make, tmp_path: Path) -> None:
    server = servers(*BASE, "--workers", "1", "--per-client", "1", code=SLOW)

    def post(address: str, of: str, **headers: str) -> Any:
        with httpx.Client(transport=httpx.HTTPTransport(local_address=of), timeout=60) as client:
            return client.post(f"{address}v1/jobs?model=bicubic", content=png(8, 1000), headers=headers).status_code

    with proxy(tmp_path, server.port) as address:
        assert post(address, "127.0.0.2") == 202
        assert post(address, "127.0.0.2", **{"X-Forwarded-For": "10.0.0.1"}) == 429
        assert post(address, "127.0.0.3") == 202


@needs_nginx
def test_the_page_lies_below_a_path(chromium: Any, servers: Make, tmp_path: Path) -> None:
    server = servers(*BASE)
    (tmp_path / "a.png").write_bytes(png(64, 48))
    context = chromium.new_context()
    with proxy(tmp_path, server.port) as address:
        problems: list[str] = []
        tab: Tab = opened(context, address, problems)
        tab.choose(tmp_path / "a.png")
        tab.page.get_by_role("button", name="Enlarge", exact=True).click()
        tab.wait("a.png", "done")
        name, _ = tab.saved("Save a.png")
        assert name == "a_x2.png"
        assert problems == []
        assert {url for _, url in tab.asked if not url.startswith((address, "blob:"))} == set()
    context.close()


def test_the_container_is_healthy_below_a_path_too(servers: Make) -> None:
    found = re.search(r"^HEALTHCHECK CMD (\[.*\])$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    assert found
    server = servers(*BASE)

    def is_healthy() -> bool:
        _, *rest = json.loads(found[1].replace("8000", str(server.port)))
        return subprocess.run([sys.executable, *rest], capture_output=True, check=False).returncode == 0

    assert is_healthy()
    server.stop()
    assert not is_healthy()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_the_unit_of_the_how_to_makes_sense_to_systemd(tmp_path: Path) -> None:
    unit = tmp_path / "subpixel.service"
    unit.write_text(documented("ini").replace("/opt/subpixel/bin/subpixel", sys.executable))
    verified = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False)
    assert (verified.returncode, verified.stderr) == (0, "")
