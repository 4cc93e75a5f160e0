"""From file to file, whatever a file is: photos by the road of photos, the rest plane by plane with its coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

from subpixel import atomic
from subpixel.domains.formats import Format, check_selection, format_of, in_one_line, world_file
from subpixel.domains.frames import verify
from subpixel.domains.planes import Enlarged, Plane, Tally, grid_of, upscaler_for
from subpixel.domains.source import Source
from subpixel.errors import BadRequest, SubpixelError, UnreadableImage, UnwritableImage
from subpixel.images import Encoding, split_ending
from subpixel.images.streams import comes_once
from subpixel.inference.file import OnProgress, check_call
from subpixel.inference.file import upscale_file as upscale_photo
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import Shape


def upscale_file(
    source: str | Path | bytes | BinaryIO,
    target: str | Path | BinaryIO,
    upscaler: Upscaler,
    encoding: Encoding = Encoding(),
    on_progress: OnProgress | None = None,
) -> str | None:
    """Enlarges a file into a file, which appears when it is complete; returns what that could not keep, or converted.

    GeoTIFF, FITS, DICOM, NIfTI, OME-TIFF, OME-Zarr and slides go plane by plane, and their coordinates are read back
    and compared before the result appears; everything else goes as `inference.upscale_file` does it.
    Raises: UnreadableImage, UnwritableImage, and what `Upscaler` raises.
    """
    check_call(upscaler, on_progress)
    file_format = None
    if isinstance(source, str | Path) and not comes_once(source):
        file_format = format_of(source, upscaler.channels)
    check_selection(source, file_format, upscaler)
    if file_format is None:
        note = upscale_photo(source, target, upscaler, encoding, on_progress)
        world = world_file(source) if isinstance(source, str | Path) else None
        return "; ".join(filter(None, [note, f"left out: where it lies, by {world.name}" if world else None])) or None
    path, place = Path(str(source)), _place(file_format, target)
    with closing(file_format.open(path, upscaler.bands, upscaler.channels)) as opened:
        return _upscale(file_format, opened, path, place, upscaler, encoding.keep_time, on_progress)


def _place(file_format: Format, target: str | Path | BinaryIO) -> Path:
    """Where the result goes. Raises: UnwritableImage for what is no file of its format."""
    if not isinstance(target, str | Path) or split_ending(str(target))[1].lower() not in file_format.endings:
        name = target if isinstance(target, str | Path) else "the stream"
        endings = " or ".join(filter(None, file_format.endings))
        why = f"what becomes of {file_format.name} ends in {endings}; name it so with -o"
        raise UnwritableImage(name, why)
    return Path(target)


def _upscale(
    file_format: Format,
    opened: Source,
    path: Path,
    target: Path,
    upscaler: Upscaler,
    keep_time: bool,
    on_progress: OnProgress | None,
) -> str | None:
    first = atomic.temporary(target.parent)
    part = first.with_name(f"part{split_ending(target.name)[1].lower()}")
    try:
        results = _Results(opened.planes, upscaler, on_progress, file_format.faults)
        notes = opened.create(part, results.of)
        with closing(file_format.open(part, channels=upscaler.channels)) as again:
            _compare(path, opened.planes, again.planes, upscaler)
        for ending in file_format.beside:  # they would be read with the new image, and tell of the old one
            target.with_name(target.name + ending).unlink(missing_ok=True)
        atomic.resemble(part, target, path, keep_time)
        atomic.commit(part, target)
    except SubpixelError as error:
        raise error if str(path) in str(error) else UnreadableImage(path, in_one_line(error)) from error
    except file_format.faults as error:
        raise UnwritableImage(target, in_one_line(error)) from error
    finally:
        atomic.discard(first)
    return "; ".join(dict.fromkeys([*notes, *results.notes])) or None


def _compare(path: Path, planes: Sequence[Plane], results: Sequence[Plane], upscaler: Upscaler) -> None:
    """Raises: UnwritableImage where the planes that were read back are not those, or lie elsewhere."""
    if len(planes) != len(results):
        raise UnwritableImage(path, f"its {len(planes)} planes became {len(results)}")
    seen = set[tuple[int, int]]()
    for plane, result in zip(planes, results, strict=True):
        grid = grid_of(plane, upscaler)
        if result.sides != (grid.height, grid.width):
            raise UnwritableImage(path, f"a plane of {grid.width} x {grid.height} pixels became {result.sides}")
        if (pair := (id(plane.frame), id(result.frame))) not in seen:
            seen.add(pair)
            verify(path, plane.frame, result.frame, grid)


class _Results:
    """The results of the planes, and how far they are."""

    def __init__(
        self,
        planes: Sequence[Plane],
        upscaler: Upscaler,
        on_progress: OnProgress | None,
        faults: tuple[type[Exception], ...],
    ) -> None:
        if not planes:
            raise BadRequest("there is no image in it")
        self._upscaler, self._on_progress, self._faults = upscaler, on_progress, faults
        self._tallies = list[Tally]()
        windows = [grid_of(plane, upscaler).window for plane in planes]
        self._done, self._total = 0.0, sum(window.width * window.height for window in windows)
        shape = Shape(windows[0].height, windows[0].width, planes[0].values.shape.channels)
        self._plan = upscaler_for(planes[0], upscaler).prepare(shape, limited=False)
        if on_progress:
            on_progress(self._plan, 0)

    def of(self, plane: Plane) -> Enlarged:
        result = Enlarged(plane.guarded(self._faults), self._upscaler, self._advance)
        self._tallies.append(result.tally)
        return result

    @property
    def notes(self) -> list[str]:
        """What all planes together lost at the limits of their types, and saw of filled values."""
        clipped, rim = sum(each.clipped for each in self._tallies), sum(each.rim for each in self._tallies)
        total = sum(each.numbers for each in self._tallies)
        notes = [f"{clipped:,} of {total:,} numbers clipped to the range of their type"] if clipped else []
        reach = max(each.reach for each in self._tallies)
        seen = f"{rim:,} pixels lie within {reach} of missing ones and saw filled values"
        return notes + ([seen] if rim else [])

    def _advance(self, source_pixels: float) -> None:
        self._done += source_pixels
        if self._on_progress:
            self._on_progress(self._plan, int(self._plan.target.height * min(1.0, self._done / self._total)))
