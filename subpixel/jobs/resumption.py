"""What is done already: a result says in an extended attribute what it was made from, and how."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import islice, repeat
from multiprocessing.connection import Connection

from subpixel import atomic
from subpixel.errors import BadRequest
from subpixel.images.kinds import is_folder
from subpixel.images.streams import STREAM
from subpixel.jobs import archives, stores
from subpixel.jobs.isolated import deaf
from subpixel.jobs.job import Job

ATTRIBUTE = "user.subpixel"
"""Size and time of the source, a digest of the request, and a half one each of the result's own size and time and of
the source's name. Short, so that file systems keep it in the file's own entry and it is read at once."""
_HALF = 8
_MANY, _TOGETHER, _AHEAD = 20_000, 1000, 3
"""Jobs in a row with nothing to do after which another process helps; how many it looks at in one go, and how many such
goes are found ahead of it."""
EXISTS = "the result exists (--overwrite does it again)"


def unfinished(jobs: Iterable[Job], identity: str = "") -> Iterator[Job]:
    """The jobs, those skipped whose results exist; a result of another request or of an older source is made anew.

    identity: what the request makes of an image, see `Request.identity`. Nothing but such a result is ever replaced:
    one that is of a source of another name is refused, and one that was changed since, or says nothing of itself, is
    so where it is older than its source, else skipped. Where very many are done, a process of its own helps to look.
    """
    jobs, check, passed = iter(jobs), _Check(identity), 0
    for job in jobs:
        yield (job := check(job))
        passed = passed + 1 if job.skipped and not stores.is_url(job.target) else 0
        if passed == _MANY:
            yield from check.with_help(jobs)
            passed = 0


class _Check:
    """Whether jobs are done, of one request."""

    def __init__(self, identity: str) -> None:
        self._identity, self._listed = _digest(identity), _Listed()

    def __call__(self, job: Job, known: int = False) -> Job:
        """known: whether its result is known to be done."""
        if job.refused or job.skipped or job.target == STREAM:
            return job
        if known:
            return Job(job.source, job.target, None, EXISTS)
        return self._listed.checked(job) if stores.is_url(job.target) else _checked(job, self._identity)

    def with_help(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """The same, looked at ahead by another process, for as long as all that it looks at is done."""
        ahead, going = deque[list[Job]](), True
        try:
            helper = _Helper(self._identity)
        except OSError:  # no room for it
            return
        with closing(helper):
            while not helper.has_begun() and (some := list(islice(jobs, _TOGETHER))):
                yield from map(self, some)
            while True:
                while going and len(ahead) < _AHEAD and (some := list(islice(jobs, _TOGETHER))):
                    helper.ask(some)
                    ahead.append(some)
                if not ahead:
                    return
                some = ahead.popleft()
                known = helper.answer(len(some))
                going = going and all(known)
                yield from map(self, some, known)


class _Helper:
    """A process that looks whether jobs are done, in the order in which it is asked."""

    def __init__(self, identity: bytes) -> None:
        context = multiprocessing.get_context("spawn")
        self._line, theirs = context.Pipe()
        self._process = context.Process(target=_help, args=(theirs, identity), daemon=True)
        with deaf():
            self._process.start()
        theirs.close()

    def has_begun(self) -> bool:
        """Whether it can be asked; it takes a third of a second to start. True as well if it has died."""
        if not self._line.poll():
            return False
        self.answer(0)
        return True

    def ask(self, jobs: Sequence[Job]) -> None:
        with suppress(OSError):  # it has died; so there is no answer
            names = [job.source for job in jobs] + [job.target for job in jobs]
            self._line.send_bytes(os.fsencode("\0".join(names)))  # pickled it takes four times as long

    def answer(self, jobs: int) -> bytes:
        """A byte for each of so many jobs: whether it is done. All are 0 if the process has died."""
        try:
            answer = self._line.recv_bytes()
        except (OSError, EOFError):
            answer = b""
        return answer if len(answer) == jobs else bytes(jobs)

    def close(self) -> None:
        self._process.kill()
        self._process.join()
        self._line.close()


def _help(line: Connection, identity: bytes) -> None:
    """What the process does, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # where `deaf` is not enough: Windows
    with suppress(OSError, EOFError):
        line.send_bytes(b"")
        while True:
            names = os.fsdecode(line.recv_bytes()).split("\0")
            half = len(names) // 2
            line.send_bytes(bytes(map(_is_done, names[:half], names[half:], repeat(identity))))


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
        stated = b"%d %d %b %b%b" % (*source, _digest(identity), _left(result), _named(job.source))
        with suppress(OSError, AttributeError):  # AttributeError: only Linux has them in Python
            os.setxattr(job.target, ATTRIBUTE, stated)


def _checked(job: Job, identity: bytes) -> Job:
    stated = _stated(job.target)
    if stated is None:
        return job
    source = state_of(job.source)
    if source is None:  # its error is told when it is opened
        return job
    if _says(stated, source, identity):
        return Job(job.source, job.target, None, EXISTS)
    if os.path.isdir(job.target) and not is_folder(job.target):  # in the way, and no result
        return job
    result = _state(job.target)
    if result is None:
        return job
    if stated[-2 * _HALF : -_HALF] == _left(result):  # as we left it
        if stated.endswith(_named(job.source)):  # of another request, or of the source as it was
            return job
        why = f"{job.target} was made from another image than {job.source}; give another -o or --overwrite"
        return job._replace(refused=BadRequest(why))
    if source[1] > result[1]:
        why = f"{job.target} exists and is older than {job.source}; --overwrite replaces it"
        return job._replace(refused=BadRequest(why))
    return job._replace(skipped=EXISTS)


def _is_done(source: str, target: str, identity: bytes) -> bool:
    stated = _stated(target)
    about = state_of(source) if stated else None
    return stated is not None and about is not None and _says(stated, about, identity)


def _says(stated: bytes, source: tuple[int, int], identity: bytes) -> bool:
    """Whether a result was made of that source, as it is, by that request."""
    return stated.startswith(b"%d %d %b" % (*source, identity))


def _left(result: tuple[int, int]) -> bytes:
    """By which a result is known to be as we left it."""
    return _digest(f"{result}")[:_HALF]


def _named(source: str) -> bytes:
    """By which a source is known by its name, in whatever folder it lies by now."""
    return _digest(os.path.basename(source))[:_HALF]


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
