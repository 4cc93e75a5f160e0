"""Which images become which files, and what is refused before anything is read."""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from subpixel.errors import BadRequest, UnknownName, UnwritableImage
from subpixel.images import FORMATS, format_of
from subpixel.inference.upscaler import Upscaler

STREAM = Path("-")
"""Standard input as a source, standard output as a target."""

_NAMES = "avif bmp gif heic heif j2k jfif jp2 jpe jpeg jpg jxl png tif tiff webp"
SUFFIXES = frozenset(f".{name}" for name in _NAMES.split())
"""Names that are taken for images in a folder, and for a file after `-o`."""


@dataclass(frozen=True)
class Job:
    """An image to read and the file to write; either may be STREAM."""

    source: Path
    target: Path


def find_jobs(inputs: Sequence[str], output: str | None = None, *, suffix: str, format: str | None = None) -> list[Job]:
    """The images that files, folders (with all below them), globs and "-" name, each with its target.

    output: a file if there is one input file and it has the ending of an image, else a folder in which the
    input folder is mirrored; by default `NAME_suffix.EXT` beside each image. format: decides the ending, which
    else stays what it is, or becomes .png where it cannot be written. Images that are results of others are
    left out, so that a folder can be done again.
    Raises: BadRequest where nothing is found, an input would be overwritten or two results have one name;
    UnknownName, UnwritableImage for a format that does not exist.
    """
    kind = _checked(format)
    single = _single(inputs, output, kind)
    if single is not None:
        return _consistent([single])
    found = {_real(path): (path, place) for path, place in _found(inputs, output)}.values()  # each once
    ending = f".{kind}" if kind else None
    if output is not None:
        below = Path(output)
        return _consistent([Job(p, below / place.with_suffix(ending or _extension(p))) for p, place in found])
    jobs = [Job(p, p.with_name(f"{p.stem}_{suffix}{ending or _extension(p)}")) for p, _ in found]
    results = {_real(job.target.with_suffix("")) for job in jobs}
    return _consistent([job for job in jobs if _real(job.source.with_suffix("")) not in results])


def find_images(inputs: Sequence[str]) -> list[Path]:
    """The images that files, folders, globs and "-" name, each once, in order. Raises: BadRequest where none is."""
    return list({_real(path): path for path, _ in _found(inputs, None)}.values())


def suffix(upscaler: Upscaler) -> str:
    """What the name of a result says of its size: x2, x2.7, 1920x1080."""
    size = upscaler.target.size
    return size.strip().lower() if size else f"x{upscaler.factor:g}"


def remaining(jobs: Iterable[Job]) -> list[Job]:
    """The jobs whose results do not exist yet."""
    return [job for job in jobs if job.target == STREAM or not job.target.exists()]


def check_target(target: Path, overwrite: bool) -> Path:
    """The target, if nothing is there that may not be replaced. Raises: BadRequest."""
    if target.exists() and not overwrite:
        raise BadRequest(f"{target} exists; --overwrite replaces it")
    return target


def ensure_safe(target: Path, source: Path, overwrite: bool) -> Path:
    """The target, once it is certain that writing it destroys nothing.

    Raises: BadRequest for one that is the source, or exists.
    """
    if target != STREAM:
        check_target(target, overwrite)
    return _consistent([Job(source, target)])[0].target


def _checked(kind: str | None) -> str | None:
    try:
        return kind and format_of(STREAM, kind)
    except UnwritableImage:
        raise UnknownName("format", str(kind), FORMATS) from None


def _single(inputs: Sequence[str], output: str | None, kind: str | None) -> Job | None:
    """The job where one image becomes one named file or stream, or None."""
    if "-" in inputs:
        if len(inputs) > 1:
            raise BadRequest("standard input (-) cannot be mixed with other inputs")
        output = output or "-"
    elif output is None or (output != "-" and not _names_file(output)):
        return None
    if len(inputs) > 1 or Path(inputs[0]).is_dir() or _is_glob(inputs[0]):
        raise BadRequest(f"-o {output} names one file, and there can be many images; name a folder")
    actual = format_of(output, None if Path(output).suffix else kind)
    if kind not in (None, actual) and output != "-":
        raise BadRequest(f"-o {output} and --format {kind} contradict each other; give one of the two")
    return Job(Path(inputs[0]), Path(output))


def _names_file(output: str) -> bool:
    path = Path(output)
    return path.suffix.lower() in SUFFIXES and not path.is_dir() and not output.endswith(os.sep)


def _is_glob(text: str) -> bool:
    return glob.has_magic(text) and not Path(text).exists()


def _found(inputs: Iterable[str], output: str | None) -> Iterator[tuple[Path, Path]]:
    """Every image and its place relative to what was named."""
    output_folder = None if output is None else _real(Path(output))
    for text in inputs:
        if not text:
            raise BadRequest("an empty name; expected an image, a folder or a glob")
        path = Path(text)
        if _is_glob(text):
            images = list(_matching(path, output_folder))
        elif path.is_dir():
            images = list(_below(path, path, output_folder))
        else:
            images = [(path, Path(path.name))]
        if not images:
            raise BadRequest(f"no images in {text}")
        yield from images


def _matching(pattern: Path, output_folder: str | None) -> Iterator[tuple[Path, Path]]:
    """What a glob matches, relative to its part without wildcards."""
    first = next(i for i, part in enumerate(pattern.parts) if glob.has_magic(part))
    base = Path(*pattern.parts[:first])
    for match in sorted(glob.glob(str(pattern), recursive=True)):
        path = Path(match)
        if path.is_dir():
            yield from _below(path, base, output_folder)
        elif path.suffix.lower() in (*SUFFIXES, pattern.suffix.lower()):
            yield path, path.relative_to(base)


def _below(folder: Path, base: Path, output_folder: str | None) -> Iterator[tuple[Path, Path]]:
    """The images of a folder and its folders, without the output folder `own`, ordered by name."""
    for place, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(f for f in folders if f[0] != "." and _real(Path(place, f)) != output_folder)
        paths = (Path(place, name) for name in sorted(files) if name[0] != ".")
        yield from ((path, path.relative_to(base)) for path in paths if path.suffix.lower() in SUFFIXES)


def _refuse(error: OSError) -> None:
    raise BadRequest(f"cannot look into the folder {error.filename}: {(error.strerror or '').lower()}")


def _extension(source: Path) -> str:
    with suppress(UnwritableImage):
        format_of(source)
        return source.suffix
    return ".png"


def _consistent(jobs: list[Job]) -> list[Job]:
    """Raises where a result would replace an input or another result."""
    sources = {_real(job.source) for job in jobs if job.source != STREAM}
    targets = Counter(_real(job.target) for job in jobs if job.target != STREAM)
    for job in jobs:
        target = _real(job.target)
        if target in sources:
            raise BadRequest(f"{job.target} is an input and would be overwritten; give another name with -o")
        if targets[target] > 1:
            rivals = " and ".join(str(other.source) for other in jobs if _real(other.target) == target)
            raise BadRequest(f"{rivals} would all become {job.target}; give them different outputs")
    return jobs


def _real(path: Path) -> str:
    return os.path.realpath(path)
