"""Many images with one request: one is decoded or encoded while another is computed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable
from pathlib import Path

from subpixel import atomic
from subpixel.errors import UnreadableImage, UnwritableImage
from subpixel.images import Encoding
from subpixel.images.formats import target_name
from subpixel.images.streams import STREAM, name_of
from subpixel.inference.file import OnProgress, upscale_file
from subpixel.inference.plan import Plan
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs import resumption, staging, stores
from subpixel.jobs.job import Job
from subpixel.jobs.pool import Event, Progress, Skip, Taken, run

_LARGE = 64 * 10**6
"""A result of more pixels than this is made alone, so that the memory is that of one large image."""


Upscale = Callable[[Path, Path, Upscaler, Encoding, OnProgress], str | None]
"""Enlarges a file into a file and returns what that could not keep: `upscale_file`, or one that knows more formats."""


def upscale_batch(
    jobs: Iterable[Job],
    upscaler: Upscaler,
    encoding: Encoding = Encoding(),
    identity: str = "",
    upscale: Upscale = upscale_file,
    *,
    overwrite: bool = False,
) -> Generator[Event]:
    """Enlarges images into files and tells of each band and each image as it is done; see `pool.run`.

    identity: that of the request, which the results remember, so that `resumption.unfinished` knows them. upscale: what
    does one file; `domains.upscale_file` knows those of science and medicine. Processes that do the same jobs share
    them: no two make one result at once, nor, without `overwrite`, one after the other.
    """
    return run(jobs, _Enlarging(upscaler, encoding, identity, upscale, overwrite))


class _Enlarging:
    """The work of the pool: a file into a file."""

    def __init__(
        self, upscaler: Upscaler, encoding: Encoding, identity: str, upscale: Upscale, overwrite: bool
    ) -> None:
        self._upscale = upscale
        self._upscaler, self._encoding, self._identity = upscaler, encoding, identity
        self._large, self._overwrite = threading.Lock(), overwrite

    def __call__(self, job: Job, emit: Callable[[Progress], None]) -> str | None:
        if job.target == STREAM or stores.is_url(job.target):
            return self._enlarged(job, emit)
        with atomic.claimed(job.target) as ours:
            if not ours:
                raise Taken
            self._check(job)
            source = resumption.state_of(job.source)
            note = self._enlarged(job, emit)
            if self._identity:
                resumption.record(job, self._identity, source)
            return note

    def _check(self, job: Job) -> None:
        """Whether it is still to be done: another process may have made the result since it was looked for."""
        if self._identity and not self._overwrite:
            checked = resumption.checked(job, self._identity)
            if checked.refused or checked.skipped:
                raise checked.refused or Skip(checked.skipped)

    def _enlarged(self, job: Job, emit: Callable[[Progress], None]) -> str | None:
        band = _Band(job, emit, self._large)
        try:
            with staging.fetched(job.source) as source, staging.delivered(job.target, self._overwrite) as target:
                return self._upscale(source, target, self._upscaler, self._encoding, band)
        except UnreadableImage as error:
            raise UnreadableImage(name_of(job.source), error.why) from error
        except UnwritableImage as error:
            raise UnwritableImage(target_name(job.target), error.why) from (
                error.__cause__ or error
            )  # a closed pipe, say
        except FileExistsError as error:
            if not stores.is_url(job.target):
                raise
            raise Skip(resumption.EXISTS) from error
        finally:
            band.end()


class _Band:
    """Tells of each band of one image; a large image waits here until no other large one is being made."""

    def __init__(self, job: Job, emit: Callable[[Progress], None], large: threading.Lock) -> None:
        self._job, self._emit, self._large = job, emit, large
        self._rows, self._waited = 0, False

    def __call__(self, plan: Plan, rows: int) -> None:
        target = plan.target
        if target.pixels > _LARGE and not self._waited:
            self._large.acquire()
            self._waited = True
        if rows:
            new, self._rows = rows - self._rows, rows
            self._emit(Progress(self._job, new * target.width, new / target.height, plan.describe()))

    def end(self) -> None:
        if self._waited:
            self._large.release()
