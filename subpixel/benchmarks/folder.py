"""How large folders are done: the time to the first result, the memory, and how fast what is done is passed over."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from subpixel.benchmarks.memory import peak
from subpixel.images import Image, write
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.resumption import record, state_of, unfinished

_LINKS = 30_000
"""Names that one file is given, at most; file systems end at 65,000."""
_IDENTITY = "made by the benchmark"


@dataclass(frozen=True)
class Walk:
    """What a folder of so many images cost."""

    files: int
    first: float
    """Seconds from the start of the process to the first result."""
    peak: float
    """MiB of that process until then."""
    scan: float
    """Seconds in which every image was found and its result looked for, none of which exist."""
    resume: float
    """The same where every result exists."""


def measure(place: Path, files: int, per_folder: int = 1000) -> Walk:
    """Makes a folder of small images in an empty `place`, so many in each of its folders, and measures.

    Raises: RuntimeUnavailable on systems other than Linux, whose memory is counted in other ways.
    """
    peak()
    images, results = place / "images", place / "results"
    _make(images, files, per_folder)
    first, most = _first_result(images, results)
    scan = _passed_over(images, place / "nowhere", 0)
    _finish(images, place / "finished")
    return Walk(files, first, most, scan, _passed_over(images, place / "finished", files))


def _make(images: Path, files: int, per_folder: int) -> None:
    """Hard links to a few files, which are made much faster than files."""
    source, folder = images, images
    for k in range(files):
        if k % per_folder == 0:
            folder = images / f"{k // per_folder:05}"
            folder.mkdir(parents=True)
        if k % _LINKS == 0:
            source = images / f".{k}.png"
            write(source, Image(np.zeros((8, 8, 3), np.float32)))
        os.link(source, folder / f"{k:07}.png")


def _finish(images: Path, results: Path) -> None:
    """The results of all images: hard links, too, each to one that was made from what its image is a link to."""
    first = dict[int, Path]()
    for job in find_jobs([str(images)], str(results), suffix="x2"):
        target, inode = Path(job.target), os.stat(job.source).st_ino
        target.parent.mkdir(parents=True, exist_ok=True)
        if inode in first:
            os.link(first[inode], target)
            continue
        target.write_bytes(Path(job.source).read_bytes())
        record(job, _IDENTITY, state_of(job.source))
        first[inode] = target


def _passed_over(images: Path, results: Path, expected: int) -> float:
    """Seconds in which all images are looked at, of which so many are done."""
    start = time.perf_counter()
    jobs = unfinished(find_jobs([str(images)], str(results), suffix="x2"), _IDENTITY)
    skipped = sum(1 for job in jobs if job.skipped)
    assert skipped == expected, f"{skipped} of {expected} results were known again"
    return time.perf_counter() - start


def _first_result(images: Path, results: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "subpixel", "upscale", str(images), "-o", str(results), "-m", "bicubic", "-q"]
    start = time.perf_counter()
    process = subprocess.Popen(command)
    try:
        while process.poll() is None and next(results.rglob("[!.]*.png"), None) is None:
            time.sleep(0.01)
        seconds = time.perf_counter() - start
        return seconds, peak(process.pid)
    finally:
        process.terminate()
        process.wait()
