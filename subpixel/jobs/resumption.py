"""What is done already: a result says in an extended attribute what it was made from, and how."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from subpixel import atomic
from subpixel.errors import BadRequest
from subpixel.images.kinds import is_folder
from subpixel.images.streams import STREAM
from subpixel.jobs import archives, stores
from subpixel.jobs.job import Job

ATTRIBUTE = "user.subpixel"
"""Size and time of the source, a digest of the request, and one of the result's own size and time and of the source's
name. Short, so that file systems keep it in the file's own entry and it is read at once."""
EXISTS = "the result exists (--overwrite does it again)"


def unfinished(jobs: Iterable[Job], identity: str = "") -> Iterator[Job]:
    """The jobs, those skipped whose results exist; a result of another request or of an older source is made anew.

    identity: what the request makes of an image, see `Request.identity`. Nothing but such a result is ever replaced:
    one that was changed since, is of a source of another name, or says nothing of itself, is refused where it is older
    than its source, else skipped.
    """
    identity_digest, listed = _digest(identity), _Listed()
    for job in jobs:
        if job.refused or job.skipped or job.target == STREAM:
            yield job
        else:
            yield listed.checked(job) if stores.is_url(job.target) else _checked(job, identity_digest)


class _Listed:
    """What lies in a store, some thousand names at a time: there, what exists is done."""

    def __init__(self) -> None:
        self._top, self._first, self._last, self._names = "", "", "", frozenset[str]()

    def checked(self, job: Job) -> Job:
        if not self._covers(job.target):
            self._names, last = stores.existing(job.target)
            self._top, self._first = os.path.dirname(job.target) + "/", job.target
            self._last = last or ""
        return job._replace(skipped=EXISTS) if job.target in self._names else job

    def _covers(self, target: str) -> bool:
        """Whether the names that are held tell of it: it lies below that folder, and not after the last of them."""
        known = bool(self._top) and target.startswith(self._top) and target >= self._first
        return known and (not self._last or target <= self._last)


def checked(job: Job, identity: str) -> Job:
    """One job, as `unfinished` gives it; what dead processes left beside its result is swept."""
    if job.target != STREAM and not stores.is_url(job.target):
        atomic.sweep(os.path.dirname(job.target))  # where all is done, nothing is written that would
    return next(unfinished([job], identity))


def record(job: Job, identity: str, source: tuple[int, int] | None) -> None:
    """Lets a result say what it was made from; file systems without attributes cannot keep it.

    source: its `state_of` before it was read, for it may be another since.
    """
    result = _state(job.target)
    if source and result:
        stated = b"%d %d %b %b" % (*source, _digest(identity), _left(job, result))
        with suppress(OSError, AttributeError):  # AttributeError: only Linux has them in Python
            os.setxattr(job.target, ATTRIBUTE, stated)


def _checked(job: Job, identity_digest: bytes) -> Job:
    stated = _stated(job.target)
    if stated is None:
        return job
    source = state_of(job.source)
    if source is None:  # its error is told when it is opened
        return job
    if stated.startswith(b"%d %d %b" % (*source, identity_digest)):
        return Job(job.source, job.target, None, EXISTS)
    if os.path.isdir(job.target) and not is_folder(job.target):  # in the way, and no result
        return job
    result = _state(job.target)
    if result is None or stated.endswith(b" " + _left(job, result)):  # of another request, and as we left it
        return job
    if source[1] > result[1]:
        why = f"{job.target} exists and is older than {job.source}; --overwrite replaces it"
        return job._replace(refused=BadRequest(why))
    return job._replace(skipped=EXISTS)


def _left(job: Job, result: tuple[int, int]) -> bytes:
    """By which a result of a source of that name is known to be as we left it."""
    return _digest(f"{result} {os.path.basename(job.source)}")


def _digest(text: str) -> bytes:
    return hashlib.blake2b(os.fsencode(text), digest_size=8).hexdigest().encode()


def state_of(name: str) -> tuple[int, int] | None:
    """Size and time of a source: for a member that of its archive; objects in stores are taken never to change."""
    state = _state(name)
    if state is None and stores.is_url(name):
        return 0, 0
    member = archives.split(name) if state is None else None
    return _state(member[0]) if member else state


def _state(path: str) -> tuple[int, int] | None:
    """Size in bytes and time of the last change in nanoseconds; None for a file that is not there."""
    try:
        about = os.stat(path)
    except (OSError, ValueError):
        return None
    return about.st_size, about.st_mtime_ns


def _stated(result: str) -> bytes | None:
    """What a file says of itself, which may be nothing; None for one that is not there."""
    try:
        return os.getxattr(result, ATTRIBUTE)
    except OSError as error:
        return None if error.errno == errno.ENOENT else b""
    except (AttributeError, ValueError):
        return b""
