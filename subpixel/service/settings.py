"""What an operator can set, and the bounds that follow."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from subpixel.errors import BadRequest

_SIZES = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LONGEST = 36500 * 86400
"""Seconds: a century. Years have four digits."""
_SHORTEST = 16
"""Characters of a token."""
_QUEUE = "queue.db"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Settings:
    """How the service is run. Raises: BadRequest for what makes no sense, or is not safe."""

    data: Path
    """Folder of the uploads, the results and, without `queue_url`, the queue."""
    host: str = "127.0.0.1"
    port: int = 8000
    tokens: Mapping[str, str] = field(default_factory=dict[str, str])
    """Digest of a token -> the name of its client; empty: whoever reaches the port may use it."""
    max_pixels: int = 100 * 10**6
    """Of an image, and of its result; of all frames together."""
    max_video: int = 10 * 10**9
    """Pixels of all frames of a video's result."""
    max_upload: int = 64 * 2**20
    """Bytes."""
    max_queued: int = 100
    """Jobs that wait or run, of all clients."""
    per_client: int = 4
    """Likewise of one client."""
    queue_url: str = ""
    keep: float = 24 * 3600.0
    """Seconds for which results are kept."""
    disk: int = 10 * 2**30
    """Bytes of uploads and results; beyond, the oldest results go before their time."""
    base_path: str = ""
    """What the paths begin with, behind a proxy: "" or "/x"."""
    origins: Sequence[str] = ()
    """Other sites whose pages may call this one: "https://example.org"."""
    proxies: Sequence[str] = ()
    """Addresses whose X-Forwarded-For is believed."""
    workers: int = 2
    """Processes that compute here; 0: all work is done by `subpixel worker` elsewhere."""
    max_seconds: float = 3600.0
    """For one job."""
    max_small: int = 16 * 10**6
    """Pixels of a result that is waited for."""
    lease: float = 10.0
    """Seconds without a pulse after which a worker is dead."""
    patience: float = 3.0
    """Seconds that a service which was told to end waits for answers, and again for jobs: Docker kills after ten."""

    def __post_init__(self) -> None:
        if not is_loopback(self.host) and not self.tokens:
            raise BadRequest(f"host {self.host} is open to others; give a --token-file, or serve 127.0.0.1")
        if self.base_path and not re.fullmatch(r"(/[\w.~-]+)+", self.base_path):
            raise BadRequest(f"base path {self.base_path!r}; expected something like /x, without a slash at its end")
        for origin in self.origins:
            if not re.fullmatch(r"https?://([^/\s*\[\]]+|\[[0-9a-fA-F:.]+\](:\d+)?)", origin):
                raise BadRequest(f"origin {origin!r}; expected something like https://example.org")
        for proxy in self.proxies:
            _address(proxy)
        sizes = self.max_pixels, self.max_video, self.max_upload, self.disk
        if min(*sizes, self.max_queued, self.per_client, self.keep) <= 0:
            raise BadRequest("a bound is 0; expected more")

    @property
    def url(self) -> str:
        """Of the queue."""
        return self.queue_url or f"sqlite:///{self.data.absolute()}/{_QUEUE}"

    def make_folders(self) -> None:
        """Those that the files lie in, and the queue's file, for this user alone. Raises: BadRequest."""
        for folder in (self.data, self.uploads, self.results):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                if folder == self.data and not self.queue_url:  # the ids in it open results
                    (folder / _QUEUE).touch(mode=0o600)
            except OSError as error:
                why = (error.strerror or str(error)).lower()
                raise BadRequest(f"cannot make the folder {folder}: {why}; choose another one with --data") from None

    @property
    def uploads(self) -> Path:
        """Where uploads lie until their jobs are over."""
        return self.data / "uploads"

    @property
    def results(self) -> Path:
        """Where results lie until they expire."""
        return self.data / "results"


def digest(token: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def read_tokens(path: Path) -> dict[str, str]:
    """Digests and names from a file with a line for each client: TOKEN, or NAME TOKEN. Raises: BadRequest."""
    try:
        lines = [line.split() for line in path.read_text("utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadRequest(f"cannot read the tokens in {path}: {getattr(error, 'strerror', 'not text')}") from None
    names = dict[str, str]()
    entries = [(line, words) for line, words in enumerate(lines, 1) if words and not words[0].startswith("#")]
    for line, (*name, token) in entries:
        if len(name) > 1 or len(token) < _SHORTEST:
            raise BadRequest(f"line {line} of {path}; expected TOKEN or NAME TOKEN, of {_SHORTEST} letters or more")
        if not token.isascii():  # RFC 6750, 2.1; in a header it would arrive as other letters
            raise BadRequest(
                f"the token in line {line} of {path} has letters beyond ASCII; expected A-Z, a-z, 0-9, -._~+/"
            )
        known = digest(token)
        names[known] = name[0] if name else f"client-{known[:16]}"  # not the line's number: jobs are the name's
    if not names:
        raise BadRequest(f"there is no token in {path}")
    return names


def parse_size(text: str) -> int:
    """Bytes from "64M" or "10G". Raises: BadRequest."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)B?", text.strip(), re.IGNORECASE)
    if not match:
        raise BadRequest(f"size {text!r}; expected bytes such as 64M or 10G")
    return round(_finite(float(match[1]) * _SIZES[match[2].upper()], text))


def parse_time(text: str) -> float:
    """Seconds from "30m", "24h" or "7d". Raises: BadRequest."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if not match:
        raise BadRequest(f"time {text!r}; expected something like 30m, 24h or 7d")
    seconds = float(match[1]) * _TIMES[match[2]]
    if seconds > _LONGEST:
        raise BadRequest(f"time {text!r}; expected at most {_LONGEST // _TIMES['d']}d")
    return seconds


def parse_pixels(count: float, unit: int) -> int:
    """Pixels from a count of mega- or gigapixels. Raises: BadRequest."""
    return round(_finite(count * unit, f"{count:g}"))


def _finite(bound: float, text: str) -> float:
    if not math.isfinite(bound):
        raise BadRequest(f"a bound of {text[:40]}; expected a number such as 100")
    return bound


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server on this host."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _address(text: str) -> None:
    try:
        ipaddress.ip_network(text)
    except ValueError:
        raise BadRequest(f"proxy {text!r}; expected an address or a network such as 10.0.0.0/8") from None
