"""Images in zip and tar archives, read where they lie; nothing is unpacked but the one image that is wanted."""

from __future__ import annotations

import os
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from subpixel.errors import UnreadableImage
from subpixel.images import READABLE, split_ending
from subpixel.jobs.walk import Folder

LARGEST = 2**29
"""Bytes of a member, unpacked: a photo, not a bomb."""
_MEMBER = re.compile(r"(.+?\.(?:zip|tar))/(.+)", re.IGNORECASE | re.DOTALL)
_ERRORS = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, KeyError, RuntimeError)
_CHUNK = 2**20


def is_archive(path: str) -> bool:
    """Whether a path is a file whose name ends in .zip or .tar."""
    return path.lower().endswith((".zip", ".tar")) and os.path.isfile(path)


def split(source: str) -> tuple[str, str] | None:
    """The archive and the name in it of a source such as photos.zip/deep/a.png; None for any other."""
    match = _MEMBER.fullmatch(source)
    return (match[1], match[2]) if match and os.path.isfile(match[1]) else None


def below(path: str) -> Iterator[Folder]:
    """The images of an archive, folder by folder. Names that would lead out of it are refused.

    Raises: UnreadableImage for an archive that is damaged.
    """
    folders: dict[str, list[str]] = {}
    refused: list[tuple[str, str]] = []
    stores = set[str]()
    for name in _members(path):
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
            while chunk := packed.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise UnreadableImage(source, f"unpacked it has more than {LARGEST:,} bytes")
                target.write(chunk)
    except _ERRORS as error:
        raise UnreadableImage(source, f"the archive does not give it: {error}") from error


def _is_safe(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts and ":" not in parts[0]


def _members(path: str) -> list[str]:
    try:
        return list(_zip(path, _stamp(path)).NameToInfo) if _is_zip(path) else list(_tar(path, _stamp(path)))
    except (OSError, *_ERRORS) as error:
        raise UnreadableImage(path, f"it is no archive, or damaged: {error}") from error


def _opened(path: str, member: str) -> BinaryIO:
    if _is_zip(path):
        return _zip(path, _stamp(path)).open(member)  # type: ignore[return-value]
    offset, size = _tar(path, _stamp(path))[member]
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
    for name in [info.filename for info in archive.infolist() if info.is_dir()]:
        del archive.NameToInfo[name]
    return archive


@lru_cache(8)
def _tar(path: str, stamp: tuple[int, int]) -> dict[str, tuple[int, int]]:
    """Where each file in it begins, and how long it is."""
    with tarfile.open(path, "r:") as archive:
        return {
            member.name.removeprefix("./"): (member.offset_data, member.size)
            for member in archive
            if member.isreg() and not member.issparse()
        }


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
