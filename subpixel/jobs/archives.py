"""Images in zip and tar archives, read where they lie; nothing is unpacked but the one image that is wanted."""

from __future__ import annotations

import lzma
import os
import posixpath
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from subpixel.errors import UnreadableImage
from subpixel.images import READABLE, split_ending
from subpixel.jobs.walk import Folder

LARGEST = 2**29
"""Bytes of a member, unpacked: a photo, not a bomb."""
_END = re.compile(r"\.(?:zip|tar)(?=/.)", re.IGNORECASE | re.DOTALL)
_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, KeyError, RuntimeError)
_CHUNK = 2**20
_LINKS = 8
"""Of a tar, that lead to one another."""


def is_archive(path: str) -> bool:
    """Whether a path is a file whose name ends in .zip or .tar."""
    return path.lower().endswith((".zip", ".tar")) and os.path.isfile(path)


def split(source: str) -> tuple[str, str] | None:
    """The archive and the name in it of a source such as photos.zip/deep/a.png; None for any other."""
    archives = ((source[: match.end()], source[match.end() + 1 :]) for match in _END.finditer(source))
    return next((pair for pair in archives if os.path.isfile(pair[0])), None)


def below(path: str) -> Iterator[Folder]:
    """The images of an archive, folder by folder; what is damaged is refused, and names that would lead out of it."""
    folders: dict[str, list[str]] = {}
    names, why = _members(path)
    refused = [("", why)] if why else []
    stores = set[str]()
    for name in names:
        place, is_safe = PurePosixPath(name), _is_safe(name)
        if store := next((str(above) for above in place.parents if above.suffix.lower() == ".zarr"), None):
            stores.add(store)
            continue
        if any((part[0] == "." and part != "..") or part == "__MACOSX" for part in place.parts):
            continue
        if split_ending(name)[1].lower() not in READABLE:
            continue
        if is_safe:
            folders.setdefault("" if str(place.parent) == "." else str(place.parent), []).append(place.name)
        else:
            refused.append((name, "its name leads out of the archive"))
    refused += [(store, "a Zarr, which is many files; unpack the archive to enlarge it") for store in stores]
    if refused:
        yield Folder(path, "", os.path.realpath(path), (), sorted(refused))
    for place, names in sorted(folders.items()):
        yield Folder(os.path.join(path, place), place, os.path.join(os.path.realpath(path), place), sorted(names))


def fetch(path: str, member: str, file: Path) -> None:
    """Writes a member into a file, of at most LARGEST bytes, whatever its header says.

    Raises: UnreadableImage; OSError.
    """
    source = f"{path}/{member}"
    try:
        with _opened(path, member) as packed, file.open("wb") as target:
            left = LARGEST
            while chunk := _read(packed, source):
                left -= len(chunk)
                if left < 0:
                    raise UnreadableImage(source, f"unpacked it has more than {LARGEST:,} bytes")
                target.write(chunk)
    except _ERRORS as error:
        raise UnreadableImage(source, f"the archive does not give it: {error}") from error


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and ":" not in parts[0]


def beside(path: str, members: Iterable[str]) -> list[str]:
    """Those of some names that are members of an archive."""
    known = _zip(path, _stamp(path)).NameToInfo if _is_zip(path) else _tar(path, _stamp(path)).files
    return [name for name in members if name in known]


def _read(packed: BinaryIO, source: str) -> bytes:
    try:
        return packed.read(_CHUNK)
    except OSError as error:  # what bz2 says of damage
        raise UnreadableImage(source, f"the archive does not give it: {error}") from error


def _members(path: str) -> tuple[list[str], str]:
    """The names of its files, and what is wrong with it."""
    try:
        if _is_zip(path):
            return list(_zip(path, _stamp(path)).NameToInfo), ""
        tar = _tar(path, _stamp(path))
        return list(tar.files), tar.damage
    except (OSError, *_ERRORS) as error:
        return [], f"it is no archive, or damaged: {error}"


def _opened(path: str, member: str) -> BinaryIO:
    if _is_zip(path):
        return _zip(path, _stamp(path)).open(member)  # type: ignore[return-value]
    offset, size = _tar(path, _stamp(path)).files[member]
    return _Part(path, offset, size)  # type: ignore[return-value]


def _is_zip(path: str) -> bool:
    return path.lower().endswith(".zip")


def _stamp(path: str) -> tuple[int, int]:
    about = os.stat(path)
    return about.st_size, about.st_mtime_ns


@lru_cache(8)
def _zip(path: str, stamp: tuple[int, int]) -> zipfile.ZipFile:
    """Stays open: its index is read once, and any thread may read members."""
    archive = zipfile.ZipFile(path)
    archive.NameToInfo = {_plain(info.filename): info for info in archive.infolist() if not info.is_dir()}
    return archive


def _plain(name: str) -> str:
    """A member's name as a path has it: without "./" and doubled slashes."""
    return str(PurePosixPath(name))


class _Tar(NamedTuple):
    """Where each file in it begins, and how long it is; and where it is damaged."""

    files: dict[str, tuple[int, int]]
    damage: str


@lru_cache(8)
def _tar(path: str, stamp: tuple[int, int]) -> _Tar:
    files, links, last = dict[str, tuple[int, int]](), dict[str, str](), "its beginning"
    with tarfile.open(path, "r:") as archive, open(path, "rb") as raw:
        for member in archive:
            name = last = _plain(member.name)
            if member.isreg() and not member.issparse():
                files[name] = member.offset_data, member.size
            elif member.islnk() or member.issym():
                links[name] = (
                    member.linkname if member.islnk() else posixpath.join(posixpath.dirname(name), member.linkname)
                )
        raw.seek(archive.offset)
        ends = raw.read(tarfile.BLOCKSIZE).count(0) == tarfile.BLOCKSIZE
    for name, target in links.items():
        for _ in range(_LINKS):
            target = posixpath.normpath(target)
            target = links.get(target, target)
        if target in files:
            files[name] = files[target]
    return _Tar(files, "" if ends else f"it is cut off or damaged behind {last}: what follows is missing")


class _Part:
    """A stretch of a file."""

    def __init__(self, path: str, offset: int, size: int) -> None:
        self._file, self._left = open(path, "rb"), size  # noqa: SIM115 - closed in __exit__
        self._file.seek(offset)

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        chunk = self._file.read(min(size, self._left))
        if not chunk and self._left:
            raise EOFError("it ends too early")
        self._left -= len(chunk)
        return chunk
