"""Damage that a decoder patches up in silence: it complains in libav's log, to which a process of its own listens.

In our own process the log would take Python's lock inside FFmpeg's threads, see docs/decisions/010-video.md.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from subpixel.video.damage import decoded

if TYPE_CHECKING:
    from subpixel.video.source import Source

_OF_OURS = b"packet "
"""Begins the line behind the complaints about a packet: its time in seconds, and how many frames it gave."""
_UNKNOWN = "nan"


class DecoderLog:
    """Decodes a part of a source once more, beside the work, in one thread; `frames` is known at the end.

    start, stop: seconds from the source's beginning.
    """

    def __init__(self, source: Source, start: float, stop: float | None) -> None:
        self._source, self._start, self._stop = source, start, stop

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        began, stop = self._source.began, math.inf if self._stop is None else self._stop
        part = began + self._start if self._start else -math.inf, began + stop
        given = os.path.abspath(self._source.path), self._source.index, os.getpid(), *part
        self._process = subprocess.Popen([sys.executable, "-P", "-m", __name__, *map(str, given)], stderr=self._log)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def frames(self) -> int:
        """Packets that gave no error and a complaint."""
        self._process.wait()
        self._log.seek(0)
        return sum(self._is_ours(seconds) for seconds in complaint_times(self._log))

    def _is_ours(self, seconds: float) -> bool:
        since = seconds - self._source.began
        return not since < self._start and not (self._stop is not None and since >= self._stop)  # unknown times are


def complaint_times(lines: Any) -> Iterator[float]:
    """The times of packets behind which there are complaints, from the lines that were written."""
    is_new = False
    for line in lines:
        if not line.startswith(_OF_OURS):
            is_new = True
            continue
        seconds, frames = line.split()[1:]
        if is_new and int(frames) >= 0:
            yield float(seconds)
        is_new = False


def _listen(path: str, index: int, parent: int, start: float, stop: float) -> None:
    """Decodes as long as the parent lives, and says after each packet that it was done; libav writes in between.

    start, stop: seconds as the file counts them, between which it has to.
    """
    import av
    import av.error
    import av.logging

    from subpixel.video.source import READING, SETTLING

    av.logging.restore_default_callback()
    av.logging.set_libav_level(av.logging.ERROR)
    with av.open(path, **READING) as file:
        stream: Any = file.streams[index]
        stream.thread_count = 1
        os.write(2, _OF_OURS + f"{_UNKNOWN} -1\n".encode())  # what is said of the header is known
        if math.isfinite(start):
            with suppress(av.error.FFmpegError):
                file.seek(int((start - SETTLING) / stream.time_base), stream=stream, backward=True)
        for number, packet in enumerate(file.demux(stream)):
            if os.getppid() != parent or _seconds(packet, packet.dts) >= stop:
                return
            if number == 0 and _seconds(packet, packet.pts) > start > -math.inf:  # it landed behind
                break
            _decode(packet)
        else:
            return
    _listen(path, index, parent, -math.inf, stop)


def _decode(packet: Any) -> None:
    frames = decoded(packet)
    count = -1 if frames is None else len(frames)
    os.write(2, _OF_OURS + f"{_seconds(packet, packet.pts)} {count}\n".encode())


def _seconds(packet: Any, ticks: int | None) -> float:
    return math.nan if ticks is None else float(ticks * packet.time_base)


if __name__ == "__main__":
    _listen(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), float(sys.argv[5]))
