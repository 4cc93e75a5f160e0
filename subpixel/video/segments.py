"""A video in the making: segments of some ten seconds in `OUT.partial/`, from which an interrupted job goes on."""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from subpixel import atomic
from subpixel.errors import BadRequest, UnwritableImage, unwritten
from subpixel.jobs.folders import make_folder, remove_empty
from subpixel.video.damage import Damage
from subpixel.video.decoding import Frame

SECONDS = 10.0
"""The length of a segment."""
TAIL = 8
"""Frames at the end of a segment by which its end is found again."""
_NOTE = "job.json"
_HEAD, _FOOT = struct.Struct("<qBI"), struct.Struct("<I")


@dataclass(frozen=True)
class Packet:
    """A compressed frame."""

    pts: int
    is_key: bool
    data: bytes


@dataclass
class End:
    """How a segment ends."""

    number: int
    frames: int = 0
    origin: int = 0
    """The time of the video's first frame."""
    tail: list[list[int]] = field(default_factory=list[list[int]])
    """Time and checksum of the last frames that went in."""
    damage: dict[str, Any] = field(default_factory=dict[str, Any])
    ends: int | None = None
    """When the video's last frame ends, where that is in it."""


class Segment:
    """A segment that is being written: packets one behind the other, then its `End` as JSON and the length of that."""

    def __init__(self, file: BinaryIO, number: int, origin: int) -> None:
        self._file, self.end = file, End(number, origin=origin)
        self._tail = deque[list[int]](maxlen=TAIL)

    def saw(self, frame: Frame) -> None:
        """Notes a frame that goes in."""
        self.end.frames += 1
        self._tail.append([frame.pts, frame.crc()])

    def write(self, packets: Iterable[Any]) -> None:
        """Appends what the encoder gave."""
        for packet in packets:
            data = bytes(packet)
            self._file.write(_HEAD.pack(packet.pts, packet.is_keyframe, len(data)) + data)

    def close(self, damage: Damage, ends: int | None = None) -> None:
        """Says how it ends; the file is to be closed then."""
        self.end.tail, self.end.damage, self.end.ends = list(self._tail), asdict(damage), ends
        text = json.dumps(asdict(self.end)).encode()
        self._file.write(text + _FOOT.pack(len(text)))
        self._file.flush()


def partial_of(target: Path) -> Path:
    """The folder beside a target that holds what is done of it."""
    return target.with_name(f"{target.name}.partial")


def is_begun(target: Path) -> bool:
    """Whether a job lies beside a target; `Partial.begin` refuses it where it is another one."""
    return (partial_of(target) / _NOTE).is_file()


class Partial:
    """The folder beside a target; `job` says what it is made of."""

    def __init__(self, target: Path, job: dict[str, Any]) -> None:
        self.target, self.folder = target, partial_of(target)
        self.images = self.folder / "images"
        """Where the frames lie that become a folder of images."""
        self._job, self._new_folders = job, list[Path]()

    def begin(self) -> list[End]:
        """Makes the folder, or finds the segments in it. Raises: BadRequest for those of another job, or what is none.

        A folder that is empty, but for what a dead process may leave, is used.
        """
        note = self.folder / _NOTE
        names = {path.name for path in self.folder.iterdir()} if self.folder.is_dir() else set[str]()
        if _NOTE in names:
            self._check(note)
            return self._ended()
        if any(not name.startswith(atomic.PREFIX) for name in names):
            raise BadRequest(
                f"the folder {self.folder} would hold what is done, but is in use for something else; move it, or name "
                "another result"
            )
        self._new_folders = make_folder(self.folder)
        try:
            atomic.write_text(note, json.dumps(self._job, indent=1))
        except OSError as error:
            raise UnwritableImage(self.folder, unwritten(error)) from error
        return []

    def _check(self, note: Path) -> None:
        try:
            earlier = json.loads(note.read_text("utf-8"))
        except (OSError, ValueError):
            earlier = {}
        other = [name for name, value in self._job.items() if earlier.get(name) != value]
        if other:
            raise BadRequest(
                f"{self.folder} holds the beginning of another job (other {', '.join(other)}); remove it, or repeat "
                "the call that made it"
            )

    def path(self, number: int) -> Path:
        """Of a segment; the first is 0."""
        return self.folder / f"{number:06}.segment"

    def _ended(self) -> list[End]:
        return [_end(path) for path in sorted(self.folder.glob("*.segment"))]

    def frames(self) -> int:
        """How many are done."""
        return sum(end.frames for end in self._ended())

    def ends(self) -> int | None:
        """When the last frame of all ends."""
        ended = self._ended()
        return ended[-1].ends if ended else None

    def packets(self) -> Iterator[Packet]:
        """All packets, segment by segment, in the order the encoders gave them."""
        for path in sorted(self.folder.glob("*.segment")):
            with path.open("rb") as file:
                for pts, is_key, size in _heads(file):
                    yield Packet(pts, is_key, file.read(size))

    def times(self) -> list[int]:
        """The times of all packets, in the same order."""
        times = list[int]()
        for path in sorted(self.folder.glob("*.segment")):
            with path.open("rb") as file:
                for pts, _, size in _heads(file):
                    times.append(pts)
                    file.seek(size, os.SEEK_CUR)
        return times

    def remove(self) -> None:
        """Removes the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def remove_if_empty(self) -> None:
        """Removes the folder where no segment is complete, with those that were made for it."""
        if not any(self.folder.glob("*.segment")):
            self.remove()
            remove_empty(self._new_folders)


def _end(path: Path) -> End:
    with path.open("rb") as file:
        length = _foot(file)
        file.seek(-_FOOT.size - length, os.SEEK_END)
        return End(**json.loads(file.read(length)))


def _foot(file: BinaryIO) -> int:
    """The length of what stands behind the packets."""
    file.seek(-_FOOT.size, os.SEEK_END)
    (length,) = _FOOT.unpack(file.read())
    return length


def _heads(file: BinaryIO) -> Iterator[tuple[int, bool, int]]:
    """Time, whether it is a key frame, and length of each packet, whose bytes are to be read or skipped."""
    length = _foot(file)
    stop = file.tell() - _FOOT.size - length
    file.seek(0)
    while file.tell() < stop:
        pts, is_key, size = _HEAD.unpack(file.read(_HEAD.size))
        yield pts, bool(is_key), size
