"""What a client sees of a job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from subpixel.service.problems import Problem
from subpixel.service.records import JobState, Record
from subpixel.video.request import VideoRequest

_NEVER = {"tile": True, "execution": True, "encoding": {"keep_time"}}
"""What is the operator's, and not asked for over the network."""


class File(BaseModel):
    """A file of an image."""

    format: str
    width: int
    height: int
    bytes: int | None


class Links(BaseModel):
    """Where a job, its events and its result are asked for."""

    self: str
    events: str
    result: str


class Job(BaseModel):
    """A job, whole; `revision` grows with each change."""

    id: str
    state: JobState
    revision: int
    progress: float
    ahead: int
    request: dict[str, Any]
    source: File
    target: File
    chosen: str | None
    note: str | None
    attempts: int
    error: Problem | None
    created: str
    started: str | None
    finished: str | None
    expires: str | None
    links: Links


def job_of(record: Record, ahead: int, base_path: str, keep: float) -> Job:
    """ahead: how many will be taken before it. keep: seconds for which a result is there."""
    place = f"{base_path}/v1/jobs/{record.id}"
    finished = record.finished
    return Job(
        id=record.id,
        state=record.state,
        revision=record.revision,
        progress=1.0 if record.state in ("done", "expired") else round(record.share, 4),
        ahead=ahead,
        request=VideoRequest.model_validate_json(record.request).model_dump(exclude=_NEVER),
        source=File(
            format=record.source_format,
            width=record.source_width,
            height=record.source_height,
            bytes=record.source_bytes,
        ),
        target=File(format=record.format, width=record.width, height=record.height, bytes=record.bytes),
        chosen=record.chosen,
        note=record.note,
        attempts=record.tries + (record.started is not None),
        error=Problem.model_validate_json(record.error) if record.error else None,
        created=_iso(record.created),
        started=None if record.started is None else _iso(record.started),
        finished=None if finished is None else _iso(finished),
        expires=_iso(finished + keep) if record.state == "done" and finished else None,
        links=Links(self=place, events=f"{place}/events", result=f"{place}/result"),
    )


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
