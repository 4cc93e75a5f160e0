"""What is done already: a result says in an extended attribute what it was made from, and how."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from subpixel import atomic
from subpixel.errors import BadRequest
from subpixel.jobs.job import STREAM, Job

ATTRIBUTE = "user.subpixel"
EXISTS = "the result exists (--overwrite does it again)"


def unfinished(jobs: Iterable[Job], identity: str = "") -> Iterator[Job]:
    """The jobs, those skipped whose results exist; a result of another request or of an older source is made anew.

    identity: what the request makes of an image, see `Request.identity`. Nothing but such a result is ever replaced:
    one that was changed since, or that says nothing of itself, is refused where it is older than its source, else
    skipped.
    """
    for job in jobs:
        if job.refused or job.skipped or job.target == STREAM:
            yield job
        else:
            yield _judged(job, identity)


def record(job: Job, identity: str) -> None:
    """Lets a result say what it was made from; file systems without attributes cannot keep it."""
    with suppress(OSError, AttributeError):  # AttributeError: only Linux has them in Python
        stated = {"source": _state(job.source), "result": _state(job.target), "made": identity}
        os.setxattr(job.target, ATTRIBUTE, json.dumps(stated).encode())


def _judged(job: Job, identity: str) -> Job:
    result = _state(job.target)
    if result is None:
        return job
    atomic.sweep(job.target.parent)  # where all is done, nothing is written that would
    source, stated = _state(job.source), _stated(job.target)
    if source is None:  # its error is told when it is opened
        return job
    if stated.get("result") == result:
        return replace(job, skipped=EXISTS) if (stated["source"], stated["made"]) == (source, identity) else job
    if source[1] > result[1]:
        why = f"{job.target} exists and is older than {job.source}; --overwrite replaces it"
        return replace(job, refused=BadRequest(why))
    return replace(job, skipped=EXISTS)


def _state(path: Path) -> list[int] | None:
    """Size in bytes and time of the last change in nanoseconds; None for a file that is not there."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return [about.st_size, about.st_mtime_ns]


def _stated(result: Path) -> dict[str, Any]:
    try:
        found = json.loads(os.getxattr(result, ATTRIBUTE))
    except (OSError, AttributeError, ValueError):
        return {}
    return found if isinstance(found, dict) and {"source", "result", "made"} <= found.keys() else {}
