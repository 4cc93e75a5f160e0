"""Which format a client takes: the header Accept."""

from __future__ import annotations

import re

from subpixel.service.problems import Refusal

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "tif": "image/tiff",
    "gif": "image/gif",
}


def accepted(header: str) -> list[str] | None:
    """The formats that Accept names, best first; None where anything will do."""
    ranges = [part.strip().partition(";") for part in header.split(",") if part.strip()]
    if any(kind.strip() in ("*/*", "image/*") for kind, _, _ in ranges):
        return None
    by_type = {kind: name for name, kind in MEDIA_TYPES.items()}
    found = [(by_type[kind.strip()], _weight(rest)) for kind, _, rest in ranges if kind.strip() in by_type]
    if not found:
        raise Refusal("not-acceptable", f"Accept {header[:80]!r}; expected one of {', '.join(by_type)}")
    return [name for name, _ in sorted(found, key=lambda item: -item[1])]


def _weight(parameters: str) -> float:
    match = re.search(r"q\s*=\s*([01](?:\.\d+)?)", parameters)
    return float(match[1]) if match else 1.0
