"""Numbers for Prometheus, in its text format."""

from __future__ import annotations

import os
from collections.abc import Iterable

from subpixel.service.service import Service

_STATES = ("waiting", "running", "done", "failed", "cancelled", "expired")


def exposition(service: Service) -> str:
    """Jobs by state, requests by route, workers, bytes on the disk, memory."""
    counts = service.records.counts()
    jobs = [(f'{{state="{state}"}}', counts.get(state, 0)) for state in _STATES]
    requests = [
        (f'{{method="{method}",route="{route}",status="{status}"}}', count)
        for (method, route, status), count in sorted(service.requests.items())
    ]
    parts = [
        _metric("subpixel_jobs", "gauge", "Jobs that are kept, by state.", jobs),
        _metric("subpixel_jobs_bound", "gauge", "Jobs that may wait or run.", [("", service.bounds.queued)]),
        _metric("subpixel_requests_total", "counter", "Requests, by route.", requests),
        _metric("subpixel_workers", "gauge", "Workers with a pulse.", [("", len(service.workers))]),
        _metric("subpixel_disk_bytes", "gauge", "Uploads and results.", [("", service.used())]),
        _metric("process_resident_memory_bytes", "gauge", "Of the server.", [("", _resident())]),
    ]
    return "".join(parts)


def _metric(name: str, kind: str, help: str, values: Iterable[tuple[str, float]]) -> str:
    lines = [f"# HELP {name} {help}", f"# TYPE {name} {kind}", *(f"{name}{labels} {value}" for labels, value in values)]
    return "\n".join(lines) + "\n"


def _resident() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:  # not Linux
        return 0
