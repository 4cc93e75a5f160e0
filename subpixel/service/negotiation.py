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


def accepted(header: str | None) -> list[str] | None:
    """The formats that Accept names, best first; None where anything will do."""
    header = header or "*/*"
    ranges = [part.strip().partition(";") for part in header.split(",") if part.strip()]
    if any(kind.strip() in ("*/*", "image/*", "video/*") for kind, _, _ in ranges):
        return None
    weights = {kind.strip(): _weight(rest) for kind, _, rest in ranges}
    formats = [name for name, kind in MEDIA_TYPES.items() if weights.get(kind)]
    if not formats:
        kinds = ", ".join(dict.fromkeys(MEDIA_TYPES.values()))
        raise Refusal("not-acceptable", f"Accept {header[:80]!r}; expected one of {kinds}")
    return sorted(formats, key=lambda name: -weights[MEDIA_TYPES[name]])


def _weight(parameters: str) -> float:
    match = re.search(r"q\s*=\s*([01](?:\.\d+)?)", parameters)
    return float(match[1]) if match else 1.0
