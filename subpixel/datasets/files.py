"""Image files below a folder and inside its zip archives, which are read without unpacking."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from subpixel import color
from subpixel.errors import DataError, UnreadableImage, unread
from subpixel.images import Image, open_image, quantise, read
from subpixel.images.formats import PHOTOS

T = TypeVar("T")
Size = tuple[int, int]
"""Height and width."""

_LARGEST = 2**29
"""Bytes of a member of an archive: a photo, not a bomb."""
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, KeyError, RuntimeError)


@dataclass(frozen=True)
class ImageFile:
    """An image on disk, or a member of a zip archive."""

    place: PurePosixPath
    """Where it lies below the folder, as if the archives were unpacked."""
    path: Path
    """The file, or the archive."""
    member: str
    """Its name in the archive; empty for a file."""
    stamp: str
    """Changes when the content does."""

    @property
    def name(self) -> str:
        """For messages: the path of the file, or of the archive and in it."""
        return f"{self.path}/{self.member}" if self.member else str(self.path)

    @property
    def key(self) -> str:
        """Differs for every file and every content of it."""
        return f"{self.path.resolve()}/{self.member} {self.stamp}"

    @property
    def bytes(self) -> int:
        """Of the file, or of the unpacked member."""
        return int(self.stamp.split()[0])

    @property
    def is_readable(self) -> bool:
        """Whether its header can be read."""
        try:
            self.size()
        except UnreadableImage:
            return False
        return True

    def digest(self) -> str:
        """The sha256 of the file. Raises: UnreadableImage."""
        return hashlib.sha256(self._open(_content)).hexdigest()

    def size(self) -> Size:
        """Its height and width, from its header. Raises: UnreadableImage."""
        shape = self._open(lambda source: open_image(source, every_channel=True)).shape
        return shape.height, shape.width

    def read(self) -> Image:
        """The whole image. Raises: UnreadableImage."""
        return self._open(read)

    def samples(self, channels: int = 3) -> NDArray[Any]:
        """H W C levels, uint8, or uint16 where the file has more bits; 2 and 4 channels have alpha last.

        channels: of a network; one of neither gray nor RGB gets all that a TIFF holds, if they are so many.
        Raises: UnreadableImage.
        """
        every = channels not in (1, 3)
        samples = self._open(lambda source: _samples(source, every))
        if every and samples.shape[2] != channels:
            raise UnreadableImage(self.name, f"it has {samples.shape[2]} channels; expected {channels}")
        return samples

    def levels(self, channels: int) -> NDArray[Any]:
        """H W C of a network's channels, see `fitted`. Raises: UnreadableImage."""
        return fitted(self.samples(channels), channels)

    def rgb(self) -> NDArray[Any]:
        """The levels for RGB. Raises: UnreadableImage."""
        return self.levels(3)

    def _open(self, reader: Callable[[Path | bytes], T]) -> T:
        if not self.member:
            return reader(self.path)
        try:
            with zipfile.ZipFile(self.path) as archive:
                size = archive.getinfo(self.member).file_size
                if size > _LARGEST:
                    raise UnreadableImage(self.name, f"unpacked it has {size:,} bytes, more than {_LARGEST:,}")
                content = archive.read(self.member)
        except UnreadableImage:
            raise
        except (OSError, *_ZIP_ERRORS) as error:
            raise UnreadableImage(self.name, f"the archive does not give it: {error}") from error
        try:
            return reader(content)
        except UnreadableImage as error:
            raise UnreadableImage(self.name, error.why) from error


def _samples(source: Path | bytes, every_channel: bool) -> NDArray[Any]:
    image = open_image(source, every_channel)
    rows = image.rows(0, image.shape.height)
    return rows if rows.dtype.kind == "u" else quantise(rows, 16)


def fitted(samples: NDArray[Any], channels: int) -> NDArray[Any]:
    """Levels H W C as a network takes them: without alpha, gray as R = G = B for RGB, RGB as its luma for gray."""
    if channels not in (1, 3):
        return samples
    colours = samples[..., :1] if samples.shape[2] < 3 else samples[..., :3]
    if colours.shape[2] > channels:
        return color.gray(colours)
    return np.broadcast_to(colours, (*samples.shape[:2], channels))


def _content(source: Path | bytes) -> bytes:
    try:
        return source if isinstance(source, bytes) else source.read_bytes()
    except OSError as error:
        raise UnreadableImage(str(source), unread(error)) from None


def find_images(folder: Path) -> list[ImageFile]:
    """The images below a folder or in a zip archive, ordered by place; hidden files are left out.

    An archive counts as if it were unpacked where it lies: into a folder of its own name, unless everything in it is
    in one folder already. A file that is there both packed and unpacked counts once.
    Raises: DataError for a folder that does not exist or holds no images, and an archive that cannot be read.
    """
    try:
        files = list(_walk(folder)) if folder.is_dir() else _members(folder, PurePosixPath())
    except OSError as error:
        raise DataError(f"cannot look into {error.filename or folder}: {(error.strerror or '').lower()}") from error
    by_place = {file.place: file for file in sorted(files, key=lambda f: not f.member)}  # the last one stays: unpacked
    if not by_place:
        raise DataError(f"no images in {folder}; expected {', '.join(sorted(PHOTOS))} files, or a .zip of them")
    return [by_place[place] for place in sorted(by_place)]


def _walk(folder: Path) -> Iterator[ImageFile]:
    for path in _paths(folder):
        place = PurePosixPath(path.relative_to(folder).as_posix())
        if _is_image(place):
            status = path.stat()
            if stat.S_ISREG(status.st_mode):  # a pipe would be waited for
                yield ImageFile(place, path, "", f"{status.st_size} {status.st_mtime_ns}")
        elif path.suffix.lower() == ".zip" and not _is_hidden(place) and path.is_file():
            yield from _members(path, place.parent)


def _paths(folder: Path) -> Iterator[Path]:
    """All files below, those of linked folders too; a folder that is there twice, or lies in itself, counts once."""
    seen = {os.path.realpath(folder)}
    for root, folders, names in os.walk(folder, onerror=_raise, followlinks=True):
        folders[:] = sorted(name for name in folders if _first(os.path.join(root, name), seen))
        yield from (Path(root, name) for name in names)


def _first(folder: str, seen: set[str]) -> bool:
    real = os.path.realpath(folder)
    return real not in seen and not seen.add(real)


def _raise(error: OSError) -> None:
    raise error


def _members(path: Path, place: PurePosixPath) -> list[ImageFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if not m.is_dir() and _is_image(PurePosixPath(m.filename))]
    except _ZIP_ERRORS as error:
        raise DataError(f"cannot read the archive {path}: {error}; expected a folder of images or a .zip") from error
    tops = {PurePosixPath(m.filename).parts[:-1][:1] for m in members}
    base = place if len(tops) == 1 and () not in tops else place / path.stem
    return [ImageFile(base / m.filename, path, m.filename, f"{m.file_size} {m.CRC}") for m in members]


def _is_image(place: PurePosixPath) -> bool:
    return place.suffix.lower() in PHOTOS and not _is_hidden(place)


def _is_hidden(place: PurePosixPath) -> bool:
    """Also what macOS adds to archives."""
    return any(part[0] == "." or part == "__MACOSX" for part in place.parts)
