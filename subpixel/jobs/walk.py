"""The images in folders, one folder after the other: a million files need no list of them all."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from subpixel.images import MISSING_EXTRAS, READABLE, split_ending
from subpixel.images.kinds import is_folder


@dataclass(frozen=True)
class Folder:
    """The images of one folder, ordered by name."""

    path: str
    """As it was named, with what lies between that and this folder."""
    place: str
    """Relative to what was named."""
    real: str
    """Without symbolic links."""
    names: Sequence[str]
    refused: Sequence[tuple[str, str]] = ()
    """Names that cannot be done, and why."""
    skipped: Sequence[tuple[str, str]] = ()
    """Names that are left out, and why."""
    endings: Collection[str] | None = None
    """Those of the names, where they are known already."""

    @cached_property
    def suffixes(self) -> frozenset[str]:
        """The endings of its images, each once."""
        own = (split_ending(name)[1] for name in self.names)
        return frozenset(own if self.endings is None else self.endings)

    def has(self, name: str) -> bool:
        """Whether an image of this name is in it."""
        at = bisect_left(self.names, name)
        return at < len(self.names) and self.names[at] == name

    def namesakes(self, stem: str) -> list[str]:
        """The images called so, whatever their endings."""
        return [stem + suffix for suffix in self.suffixes if self.has(stem + suffix)]


@dataclass(frozen=True)
class _Place:
    """A folder that is still to be looked into."""

    path: str
    place: str
    real: str
    above: frozenset[tuple[int, int]]
    """Device and inode of the folders it lies in."""


def below(top: str, place: str = "", without: str | None = None) -> Iterator[Folder]:
    """A folder and all folders below it, links followed; `without` is the real path of one that is left out.

    What is hidden is left out. Where a folder cannot be looked into, that is told as a refused name.
    """
    waiting = [_Place(top, place, os.path.realpath(top), frozenset())]
    while waiting:
        here = waiting.pop()
        names = here.path, here.place, here.real
        try:
            about = os.stat(here.path)
            identity = about.st_dev, about.st_ino
            if identity in here.above:
                yield Folder(*names, (), skipped=[("", "links lead to folders that they lie in")])
                continue
            contents = _looked_into(here.path)
        except OSError as error:
            why = f"cannot look into the folder: {(error.strerror or '').lower()}"
            yield Folder(*names, (), refused=[("", why)])
            continue
        yield Folder(
            *names, sorted(contents.images), sorted(contents.refused), sorted(contents.skipped), contents.endings
        )
        waiting += [
            _Place(os.path.join(here.path, name), os.path.join(here.place, name), real, here.above | {identity})
            for name in sorted(contents.folders, reverse=True)
            if (real := contents.real(here.real, name)) != without
        ]


@dataclass(frozen=True)
class _Contents:
    """What lies in a folder, in no order."""

    images: list[str] = field(default_factory=list)
    endings: set[str] = field(default_factory=set)
    folders: list[str] = field(default_factory=list)
    links: set[str] = field(default_factory=set)
    """Those of the folders that are links."""
    refused: list[tuple[str, str]] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    def add(self, entry: os.DirEntry[str]) -> None:
        name = entry.name
        written = split_ending(name)[1]
        ending = written.lower()
        if ending in READABLE and entry.is_file(follow_symlinks=False):  # first: there may be a million
            self.images.append(name)
            self.endings.add(written)
        elif entry.is_dir() and not (ending in READABLE and is_folder(name)):
            self.folders.append(name)
            if entry.is_symlink():
                self.links.add(name)
        elif ending in READABLE and (entry.is_file() or entry.is_dir() or entry.is_symlink()):
            self.images.append(name)  # a link that leads nowhere is told of when it is opened
            self.endings.add(written)
        elif ending in READABLE:
            self.refused.append((name, "it is a pipe, a socket or a device, not a file"))
        elif ending in MISSING_EXTRAS:
            why = f"files ending in {ending} need an extra: pip install 'subpixel[{MISSING_EXTRAS[ending]}]'"
            self.skipped.append((name, why))

    def add_lost(self, name: str) -> None:
        """A link that leads in a circle, or into a folder that is closed to us: it is told of when it is opened."""
        ending = split_ending(name)[1]
        if ending.lower() in READABLE:
            self.images.append(name)
            self.endings.add(ending)
        else:
            self.skipped.append((name, "a link cannot be followed"))

    def real(self, parent: str, name: str) -> str:
        path = os.path.join(parent, name)
        return os.path.realpath(path) if name in self.links else path


def _looked_into(path: str) -> _Contents:
    contents = _Contents()
    with os.scandir(path) as entries:
        for entry in entries:
            if not entry.name.startswith("."):
                try:
                    contents.add(entry)
                except OSError:
                    contents.add_lost(entry.name)
    return contents
