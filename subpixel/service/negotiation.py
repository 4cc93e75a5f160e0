"""Which format a client takes: the header Accept."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from subpixel.service.problems import Refusal

MEDIA_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "webp": "image/webp",
    "avif": "image/avif",
    "tif": "image/tiff",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "m4v": "video/x-m4v",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "fits": "image/fits",
    "dcm": "application/dicom",
    "nii": "application/x-nifti",
    "ome.tif": "image/tiff",
}
_ANY = ("*/*", "image/*")


def accepted(lines: Sequence[str]) -> list[str] | None:
    """The formats that the lines of Accept take, best first; None where any will do. Raises: Refusal for none."""
    header = ",".join(lines) or "*/*"
    ranges = [part.strip().partition(";") for part in header.split(",") if part.strip()]
    weights = {kind.strip().lower(): _weight(rest) for kind, _, rest in ranges}
    if any(weights.get(kind) for kind in _ANY) and all(weights.values()):
        return None
    formats = [name for name, kind in MEDIA_TYPES.items() if _of(weights, kind)]
    if not formats:
        kinds = ", ".join(dict.fromkeys(MEDIA_TYPES.values()))
        raise Refusal("not-acceptable", f"Accept {header[:80]!r}; expected one of {kinds}")
    return sorted(formats, key=lambda name: -_of(weights, MEDIA_TYPES[name]))


def not_acceptable(format: str) -> Refusal:
    """Of a result that is in none of the formats that Accept takes, and becomes none of them."""
    return Refusal("not-acceptable", f"the result is {MEDIA_TYPES[format]}, which becomes nothing that Accept takes")


def _of(weights: Mapping[str, float], kind: str) -> float:
    """The weight of the narrowest range that holds a type: RFC 9110, 12.5.1."""
    ranges = kind, f"{kind.partition('/')[0]}/*", "*/*"
    return next((weights[each] for each in ranges if each in weights), 0.0)


def _weight(parameters: str) -> float:
    match = re.search(r"q\s*=\s*([01](?:\.\d+)?)", parameters)
    return float(match[1]) if match else 1.0
