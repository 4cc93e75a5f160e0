"""Enlarges every file below a folder, each within bounds, beside what Pillow makes of it: a table of what came of them.

python tests/odd_files.py FOLDER    (for instance Tests/images of Pillow's source distribution)
"""

from __future__ import annotations

import resource
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

SECONDS, MEMORY = 120, 4 * 2**30
"""Of a file; memory is that of the whole process, libraries included."""


@dataclass(frozen=True)
class Outcome:
    """What came of a file."""

    path: Path
    kind: str
    """made, refused, traceback, hang, crash or leftovers."""
    why: str = ""
    pillow: str = ""
    """What Pillow says: the format and the number of its frames, or nothing where it cannot read it."""

    @property
    def is_ours_alone(self) -> bool:
        """Whether Pillow reads what is refused."""
        return self.kind == "refused" and bool(self.pillow)


def outcomes(folder: Path) -> Iterator[Outcome]:
    """Every file below a folder in turn, in a process that is replaced when a file breaks or stops it."""
    pool = _pool()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        future = pool.submit(attempt, path)
        try:
            yield future.result(SECONDS)
        except (TimeoutError, BrokenProcessPool) as error:
            kind = "hang" if isinstance(error, TimeoutError) else "crash"
            for process in list(pool._processes.values()):
                process.kill()
            pool.shutdown(cancel_futures=True)
            pool = _pool()
            yield Outcome(path, kind)
    pool.shutdown()


def _pool() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, get_context("spawn"), initializer=_bounded)


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    warnings.simplefilter("ignore")


def attempt(path: Path) -> Outcome:
    """Enlarges a file by two into a folder that is then looked at."""
    from subpixel import Upscaler
    from subpixel.domains import upscale_file
    from subpixel.errors import SubpixelError
    from subpixel.images import suffix_of_result

    with tempfile.TemporaryDirectory() as place:
        own = suffix_of_result(path.suffix)
        kept = own if own.lower() in (".tif", ".tiff", ".fits") else ".png"
        target = Path(place, f"out{kept}")
        kind, why = "made", ""
        try:
            why = upscale_file(path, target, Upscaler("bicubic", scale=2)) or ""
        except SubpixelError as error:
            kind, why = "refused", str(error).replace(str(path), path.name)
            kind = kind if "\n" not in why else "traceback"
        except Exception as error:
            kind, why = "traceback", f"{type(error).__name__}: {error}"
        left = {found.name for found in Path(place).iterdir()}
        kind = kind if left == ({target.name} if kind == "made" else set()) else "leftovers"
        return Outcome(path, kind, why, _pillow(path))


def _pillow(path: Path) -> str:
    import PIL.Image

    try:
        with PIL.Image.open(path) as image:
            image.load()
            return f"{image.format} {image.mode} {getattr(image, 'n_frames', 1)}"
    except Exception:
        return ""


def main() -> None:
    counts = Counter[str]()
    for outcome in outcomes(Path(sys.argv[1])):
        counts[outcome.kind] += 1
        counts["refused, and read by Pillow"] += outcome.is_ours_alone
        if outcome.is_ours_alone or outcome.kind not in ("made", "refused"):
            print(f"{outcome.kind}: {outcome.path.name} [{outcome.pillow}]: {outcome.why}", flush=True)
    print("\n".join(f"| {kind} | {count} |" for kind, count in counts.most_common()))


if __name__ == "__main__":
    main()
