"""Files that appear whole or not at all: written in a locked folder beside the target, fsync, and a rename."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import shutil
import stat
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leftovers of a killed process stay
    fcntl = None

PREFIX = ".subpixel-"
"""What the name of every temporary folder begins with."""
_NAME = re.compile(re.escape(PREFIX) + "[0-9a-f]{16}")
_held: dict[Path, int | None] = {}  # the temporary folders of this process, each with its lock
_claims: set[Path] = set()
_swept: set[str] = set()
_REPLACED = "replaced"
"""Where in a temporary folder the folder waits whose place another takes."""
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)
"""What a file system without locks answers."""


def temporary(folder: Path) -> Path:
    """A file to write that is not there yet, alone in a new folder within `folder`; `discard` it, whatever happens.

    What dead processes have left in `folder` is swept. Raises: OSError.
    """
    sweep(folder)
    while True:
        place = folder / f"{PREFIX}{secrets.token_hex(8)}"
        place.mkdir(0o700)
        _held[place] = None
        _held[place] = _lock(place)
        try:
            os.stat(place)
        except FileNotFoundError:  # it was taken for a leftover before it was locked
            discard(place / "part")
        except OSError:
            discard(place / "part")
            raise
        else:
            return place / "part"


def discard(part: Path) -> None:
    """Removes what `temporary` gave, with all that was written beside it. Raises: nothing."""
    _remove(part.parent)
    lock = _held.pop(part.parent, None)
    if lock is not None:
        os.close(lock)


def discard_all() -> None:
    """Removes every temporary file of this process, which must end then."""
    for place in list(_held):
        discard(place / "part")
    for place in list(_claims):
        _remove(place)


@contextmanager
def claimed(target: str | Path) -> Generator[bool]:
    """Whether a file is ours to make until the block ends: of all processes and threads that ask, one is told so.

    A hidden file beside the target is locked; it is called after the target, and its lock ends with its process,
    however that ends. Where the system knows no locks, everyone is told so. Raises: OSError.
    """
    name = hashlib.blake2b(os.fsencode(os.path.basename(target)), digest_size=8).hexdigest()
    place = Path(os.path.dirname(target), PREFIX + name)
    try:
        handle = _exclusive(place)
    except BlockingIOError:
        yield False
        return
    _claims.add(place)
    try:
        yield True
    finally:
        if handle is not None:
            _remove(place)  # while it is locked, or another's would be removed
            os.close(handle)
        _claims.discard(place)


def _exclusive(place: Path) -> int | None:
    """A lock of a file that is made; None where there are none. Raises: BlockingIOError, another has it; OSError."""
    while fcntl is not None:
        handle = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if _locked(handle, place, wait=False):
                return handle
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            _remove(place)
            break
    return None


def commit(part: Path, target: Path) -> None:
    """Lets a complete file, or folder, take its target's place, once its bytes are on the disk. Raises: OSError."""
    for path in sorted(part.rglob("*")) if part.is_dir() else [part]:
        if path.is_file():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
    if part.is_dir() and target.is_dir():  # a folder takes no other's place: until it has, that can be given back
        part.with_name(_REPLACED).mkdir()
        target.rename(part.with_name(_REPLACED) / target.name)
    part.replace(target)
    with suppress(OSError):  # not every file system lets a folder be opened or synced
        handle = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def resemble(part: Path, target: Path, source: Path | None, keep_time: bool = False) -> None:
    """Gives a file, before it takes its target's place, the mode of that, or else of its source; its owner may write.

    Where asked for, also the source's time. Raises: OSError.
    """
    model = target if target.exists() else source
    if model is not None and model.is_file() and part.is_file():
        part.chmod(stat.S_IMODE(model.stat().st_mode) | stat.S_IWUSR)
    if source is not None and keep_time:
        about = source.stat()
        os.utime(part, ns=(about.st_atime_ns, about.st_mtime_ns))


@contextmanager
def replacing(target: Path) -> Generator[Path]:
    """A file to write, which becomes the target where the block ends without an error, and is gone otherwise.

    Raises: OSError; what was at the target before is still there then.
    """
    part = temporary(target.parent)
    try:
        yield part
        commit(part, target)
    finally:
        discard(part)


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a file from bytes. Raises: OSError."""
    with replacing(target) as part:
        part.write_bytes(content)


def write_text(target: Path, text: str) -> None:
    """Writes a file of UTF-8 text. Raises: OSError."""
    write_bytes(target, text.encode("utf-8"))


def sweep(folder: str | Path, again: bool = False) -> None:
    """Removes the temporary folders and claims of processes that are dead; raises nothing.

    again: also where this process has done so before.

    A lock says whether the process lives: it ends with its process, however that ends.
    """
    if str(folder) in _swept and not again:
        return
    _swept.add(str(folder))
    with suppress(OSError), os.scandir(folder or ".") as entries:
        dead = [Path(entry) for entry in entries if entry.name.startswith(PREFIX) and _NAME.fullmatch(entry.name)]
        for place in dead:
            lock = _lock(place, wait=False)
            if lock is not None:
                _remove(place)
                os.close(lock)


def _remove(place: Path) -> None:
    """A temporary folder, or a claim; it stays for the next sweep if what it holds of others cannot be given back."""
    with suppress(OSError):
        _give_back(place)
        try:
            place.unlink()
        except OSError:
            shutil.rmtree(place, ignore_errors=True)


def _give_back(place: Path) -> None:
    """What was to be replaced, and was not, has its name again. Raises: OSError."""
    for old in (place / _REPLACED).glob("*"):
        if not (place.parent / old.name).exists():
            old.rename(place.parent / old.name)


def _lock(place: Path, wait: bool = True) -> int | None:
    """The lock of a temporary folder or a claim; None where another process has it, or the system knows none."""
    if fcntl is None:
        return None
    with suppress(OSError):
        handle = os.open(place, os.O_RDONLY)
        if _locked(handle, place, wait):
            return handle
    return None


def _locked(handle: int, place: Path, wait: bool) -> bool:
    """Whether it was locked and still lies there; else it is closed. Raises: OSError."""
    assert fcntl is not None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(handle), os.stat(place)):
            return True
    except FileNotFoundError:  # whoever had it removed it in between
        pass
    except OSError:
        os.close(handle)
        raise
    os.close(handle)
    return False
