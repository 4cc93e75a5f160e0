"""The frames that an interrupted job still has to make."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain

from subpixel.video.damage import Damage
from subpixel.video.decoding import Frame, Frames
from subpixel.video.recurrence import WARMING


class Resumed:
    """The frames that come after those whose times and checksums are `tail`; all of them where there is none.

    They are looked for in `sought`, which begins shortly before; where they are not found there, or are others than
    they were, all are decoded from the beginning.
    """

    def __init__(self, sought: Frames, whole: Frames, tail: list[list[int]] | None) -> None:
        self.damage = Damage()
        self._sought, self._whole, self._tail = sought, whole, tail
        self.before: deque[Frame] = deque(maxlen=WARMING)
        """The last frames of the segment before the first one, once that is there."""
        self.ends: int | None = None
        """When the last of them ends, in ticks of the result, once all were given."""

    def __iter__(self) -> Iterator[Frame]:
        if self._tail is None:
            yield from self._counted(self._whole, iter(self._whole))
            return
        frames = iter(self._sought)
        if self._found(frames, self._tail):
            yield from self._counted(self._sought, frames)
            return
        frames = iter(self._whole)
        yield from self._counted(self._whole, self._after(frames, self._tail))

    def _counted(self, source: Frames, frames: Iterator[Frame]) -> Iterator[Frame]:
        """Counts what is lost from here on, beside what was lost before."""
        earlier, before = vars(self.damage).copy(), vars(source.damage).copy()
        for frame in chain(frames, [None]):
            for name, value in vars(source.damage).items():
                setattr(self.damage, name, earlier[name] + value - before[name])
            if frame is not None:
                yield frame
        self.ends = source.ends

    def _found(self, frames: Iterator[Frame], tail: list[list[int]]) -> bool:
        """Whether the frames begin before the tail and hold it as it is; they are taken up to its end."""
        wanted = {last[0]: last[1] for last in tail}
        for frame in frames:
            if frame.pts in wanted:
                self.before.append(frame)
                if frame.crc() != wanted.pop(frame.pts):
                    return False
            if frame.pts >= tail[-1][0]:
                return not wanted
        return False

    def _after(self, frames: Iterator[Frame], tail: list[list[int]]) -> Iterator[Frame]:
        self.before.clear()
        for frame in frames:
            if frame.pts > tail[-1][0]:
                yield frame
            elif frame.pts >= tail[0][0]:
                self.before.append(frame)
