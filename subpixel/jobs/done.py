"""What is done already: a result says in an extended attribute what it was made from, and how."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress

from subpixel import atomic
from subpixel.errors import BadRequest
from subpixel.images.streams import STREAM
from subpixel.jobs import archives, stores
from subpixel.jobs.job import Job

ATTRIBUTE = "user.subpixel"
"""Size and time of the source, a digest of the request, and one of the result's own size and time. Short, so that file
systems keep it in the file's own entry and it is read at once."""
EXISTS = "the result exists (--overwrite does it again)"


def unfinished(jobs: Iterable[Job], identity: str = "") -> Iterator[Job]:
    """The jobs, those skipped whose results exist; a result of another request or of an older source is made anew.

    identity: what the request makes of an image, see `Request.identity`. Nothing but such a result is ever replaced:
    one that was changed since, or that says nothing of itself, is refused where it is older than its source, else
    skipped.
    """
    made, listed = _digest(identity), _Listed()
    for job in jobs:
        if job.refused or job.skipped or job.target == STREAM:
            yield job
        else:
            yield listed.judged(job) if stores.is_url(job.target) else _judged(job, made)


class _Listed:
    """What lies in a store, folder by folder: there, what exists is done."""

    def __init__(self) -> None:
        self._folder, self._names = "", frozenset[str]()

    def judged(self, job: Job) -> Job:
        folder, _, name = job.target.rpartition("/")
        if folder != self._folder:
            self._folder, self._names = folder, stores.existing(folder)
        return job._replace(skipped=EXISTS) if name in self._names else job


def judged(job: Job, identity: str) -> Job:
    """One job, as `unfinished` gives it."""
    return next(unfinished([job], identity))


def record(job: Job, identity: str) -> None:
    """Lets a result say what it was made from; file systems without attributes cannot keep it."""
    source, result = _source(job.source), _state(job.target)
    if source and result:
        stated = b"%b %b" % (_origin(source, _digest(identity)), _digest(str(result)))
        with suppress(OSError, AttributeError):  # AttributeError: only Linux has them in Python
            os.setxattr(job.target, ATTRIBUTE, stated)


def _judged(job: Job, made: bytes) -> Job:
    stated = _stated(job.target)
    if stated is None:
        return job
    atomic.sweep(os.path.dirname(job.target))  # where all is done, nothing is written that would
    source = _source(job.source)
    if source is None:  # its error is told when it is opened
        return job
    if stated.startswith(_origin(source, made)):
        return Job(job.source, job.target, skipped=EXISTS)
    result = _state(job.target)
    if result is None or stated.endswith(b" " + _digest(str(result))):  # of another request, and as we left it
        return job
    if source[1] > result[1]:
        why = f"{job.target} exists and is older than {job.source}; --overwrite replaces it"
        return job._replace(refused=BadRequest(why))
    return job._replace(skipped=EXISTS)


def _origin(source: tuple[int, int], made: bytes) -> bytes:
    return b"%d %d %b" % (*source, made)


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest().encode()


def _source(name: str) -> tuple[int, int] | None:
    """The state of a source: for a member that of its archive; objects in stores are taken never to change."""
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
