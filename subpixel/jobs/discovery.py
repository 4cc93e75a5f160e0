"""Which images become which files, found one after the other, and what is refused before anything is read."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

from subpixel import atomic
from subpixel.errors import BadRequest, UnknownName, UnwritableImage
from subpixel.images import FORMATS, SUFFIXES, format_of, split_ending
from subpixel.images.kinds import ENDINGS, is_folder
from subpixel.images.streams import STREAM, comes_once
from subpixel.jobs import archives, stores
from subpixel.jobs.job import Job
from subpixel.jobs.naming import Naming, real_path
from subpixel.jobs.shard import WHOLE, Shard
from subpixel.jobs.targets import ensure_safe
from subpixel.jobs.walk import Folder, below

_DEVICES = ("/dev", "/dev/fd")

_Kind = Literal["file", "folder", "glob", "archive", "store"]


def find_jobs(
    inputs: Sequence[str], output: str | None = None, *, suffix: str, format: str | None = None, shard: Shard = WHOLE
) -> Iterator[Job]:
    """The images that files, folders (with all below them), globs and "-" name, each with its target.

    output: a file if there is one input file and it has the ending of an image, else a folder in which the
    input folder is mirrored; by default `NAME_suffix.EXT` beside each image, as parts are called anywhere. format:
    decides the ending, which else stays what it is, or becomes .png where it cannot be written. shard: the part of
    them that is wanted.
    Beside the images, those that are results of others are left out, so that a folder can be done again. Images
    that would take each other's place, or that of an input, come as refused jobs; so do folders without an image.
    Raises: BadRequest where an input or the output makes no sense; UnknownName, UnwritableImage for a format that
    does not exist.
    """
    kind = _checked(format)
    named = _named(inputs)
    single = _single(inputs, output, kind)
    if single is not None:
        if shard.n > 1:
            raise BadRequest("one image has no parts for --shard; name a folder")
        return iter([single])
    naming = Naming(output, suffix, f".{kind}" if kind else None)
    known = _Inputs.of(named, naming.output)
    if kind is None and naming.output in known.folders:
        raise BadRequest(f"{output} is an input and would be overwritten; give another folder with -o")
    pipe = next((text for text in inputs if comes_once(text) or os.path.dirname(text) in _DEVICES), None)
    far = next((text for text, kind in named if kind in ("archive", "store") or stores.is_url(text)), None)
    pipe = pipe or far
    if output is not None and stores.is_url(output):
        stores.check_target(output)
    if output is None and pipe is not None:
        raise BadRequest(f"{pipe} is no file in a folder of yours; name the result with -o")
    return _found(named, naming, known, shard)


def find_images(inputs: Sequence[str]) -> list[Path]:
    """The images that files, folders, globs and "-" name, each once, in order. Raises: BadRequest where none is."""
    paths = dict[str, Path]()
    for text, folders in _folders(_named(inputs), None):
        images = [(folder.real, Path(folder.path, name)) for folder in folders for name in folder.names]
        if not images:
            raise BadRequest(f"no images in {text}")
        for real, path in images:
            paths.setdefault(os.path.join(real, path.name), path)
    return list(paths.values())


def check_there(inputs: Sequence[str]) -> None:
    """Raises: BadRequest for a file that is not there, before anything is begun elsewhere."""
    for text in inputs:
        is_here = text != STREAM and not stores.is_url(text) and _kind(text) == "file"
        if is_here and not os.path.exists(text) and archives.split(text) is None:
            raise BadRequest(f"there is no {text}")


@dataclass(frozen=True)
class _Inputs:
    """What was named, by real paths: what no result may take the place of."""

    folders: frozenset[str]
    files: frozenset[str]
    around: frozenset[str]
    """The folders that hold the files."""
    output: str | None

    @classmethod
    def of(cls, named: Sequence[tuple[str, _Kind]], output: str | None) -> _Inputs:
        folders = [_base(text) if kind == "glob" else text for text, kind in named if kind != "file"]
        files = [text for text, kind in named if kind == "file"]
        real = frozenset(map(real_path, files))
        return cls(frozenset(map(real_path, folders)), real, frozenset(map(os.path.dirname, real)), output)

    def near(self, folder: str) -> bool:
        """Whether a folder can hold one of them."""
        return self.has(folder) or folder in self.around

    def has(self, real: str) -> bool:
        return real in self.files or any(self._within(real, folder) for folder in self.folders)

    def takes(self, target: str) -> bool:
        """Whether a target is there and is one of them."""
        return (stores.is_url(target) or os.path.lexists(target)) and self.has(real_path(target))

    def _within(self, real: str, folder: str) -> bool:
        """Whether it lies in an input folder; the output folder in there is none of it."""
        if not _lies_in(real, folder):
            return False
        own = self.output if self.output != folder else None
        return own is None or not (_lies_in(own, folder) and _lies_in(real, own))


def _lies_in(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))


@dataclass
class _Taken:
    """What was found through the inputs before; hashes, because paths of a million files would fill the memory."""

    several: bool
    sources: set[int] = field(default_factory=set)
    targets: set[int] = field(default_factory=set)

    def source(self, real: str) -> bool:
        return _added(hash(real), self.sources)

    def target(self, path: str) -> bool:
        return _added(hash(os.path.normpath(path)), self.targets)


def _added(key: int, known: set[int]) -> bool:
    """Whether it was there; it is now."""
    before = len(known)
    known.add(key)
    return len(known) == before


def _found(named: Sequence[tuple[str, _Kind]], naming: Naming, known: _Inputs, shard: Shard) -> Iterator[Job]:
    taken = _Taken(len(named) > 1 or named[0][1] == "glob")
    for text, folders in _folders(named, naming.output):
        empty = True
        for folder in folders:
            empty = empty and not (folder.names or folder.refused or folder.skipped)
            jobs = _jobs(folder, naming, known, taken)
            if shard.n == 1:
                yield from jobs
            else:
                yield from (
                    job for job in jobs if shard.holds(os.path.join(folder.place, os.path.basename(job.source)))
                )
        if empty and shard.holds(text):
            yield Job(text, text, BadRequest(f"no images in {text}"))


def _jobs(folder: Folder, naming: Naming, known: _Inputs, taken: _Taken) -> Iterator[Job]:
    """The jobs of one folder."""
    place, here = naming.folder(folder), os.path.join(folder.path, "")
    for name, why in folder.refused:
        path = here + name if name else folder.path
        yield Job(path, path, BadRequest(f"{path}: {why}"))
    for name, why in folder.skipped:
        path = here + name if name else folder.path
        yield Job(path, path, skipped=why)
    results, within = os.path.join(place, ""), naming.below is not None and known.near(real_path(place))
    several = taken.several
    linked = _looked_at(place)
    tagged, alike = naming.below is None or len(folder.suffixes) > 1, naming.keeps(folder)
    for name in folder.names:
        if several and taken.source(os.path.join(folder.real, name)):
            continue
        called = name if alike else naming.name(name)
        job = Job(here + name, results + called)
        if tagged and naming.is_result(name, folder):
            yield job._replace(skipped="they are results of images beside them")
        elif tagged and (rivals := naming.rivals(name, called, folder)):
            why = f"{' and '.join(rivals)} beside it would become {job.target} as well"
            yield _refused(job, f"{why}; give them different outputs")
        elif several and taken.target(job.target):
            yield _refused(job, f"another image becomes {job.target} as well; give them different outputs")
        elif (within or (linked and os.path.islink(job.target))) and known.takes(job.target):
            yield _refused(job, f"{job.target} is an input and would be overwritten; give another name with -o")
        else:
            yield job


def _looked_at(place: str) -> bool:
    """Whether a folder of results, if it is there, has links at all; what dead processes left in it is swept.

    One look, in place of one at every result.
    """
    linked = left = False
    with suppress(OSError), os.scandir(place or ".") as entries:
        for entry in entries:
            linked = linked or entry.is_symlink()
            left = left or entry.name.startswith(atomic.PREFIX)
    if left:
        atomic.sweep(place)
    return linked


def _refused(job: Job, why: str) -> Job:
    return job._replace(refused=BadRequest(f"{job.source}: {why}"))


def _folders(named: Sequence[tuple[str, _Kind]], without: str | None) -> Iterator[tuple[str, Iterator[Folder]]]:
    """What was named, as folders; first the files that were named one by one."""
    files = [text for text, kind in named if kind == "file"]
    if files:
        yield "", _of_files([(name, os.path.basename(name)) for name in files])
    for text, kind in named:
        if kind != "file":
            yield text, _inside(text, kind, without)


def _inside(text: str, kind: _Kind, without: str | None) -> Iterator[Folder]:
    if kind == "archive":
        return archives.below(text)
    if kind == "store":
        return stores.below(text)
    return _matching(Path(text), without) if kind == "glob" else below(text, without=without)


def _of_files(files: list[tuple[str, str]]) -> Iterator[Folder]:
    """Files, each with its place, by the folder they lie in."""
    by_folder: dict[tuple[str, str], set[str]] = {}
    for path, place in files:
        by_folder.setdefault((os.path.dirname(path), os.path.dirname(place)), set()).add(os.path.basename(path))
    for (path, place), names in by_folder.items():
        yield Folder(path, place, real_path(path), sorted(names))


def _matching(pattern: Path, without: str | None) -> Iterator[Folder]:
    """What a glob matches, relative to its part without wildcards."""
    base, files = _base(str(pattern)), list[tuple[str, str]]()
    own = without if without and without != (real := real_path(base)) and _lies_in(without, real) else None
    for match in sorted(glob.glob(str(pattern), recursive=True)):
        if own and _lies_in(real_path(match), own):
            continue
        place = "" if match == os.path.join(base, "") else os.path.relpath(match, base)
        if os.path.isdir(match) and not is_folder(match):
            yield from below(match, place, without)
        elif split_ending(match)[1].lower() in (*SUFFIXES, pattern.suffix.lower()):
            files.append((match, place))
    yield from _of_files(files)


def _base(pattern: str) -> str:
    parts = Path(pattern).parts
    return str(Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))]))


def _named(inputs: Sequence[str]) -> list[tuple[str, _Kind]]:
    if not all(inputs):
        raise BadRequest("an empty name; expected an image, a folder or a glob")
    return [(text, _kind(text)) for text in inputs]


def _kind(text: str) -> _Kind:
    if stores.is_url(text):
        return "file" if stores.names_image(text) else "store"
    if archives.is_archive(text):
        return "archive"
    if os.path.isdir(text) and not is_folder(text):
        return "folder"
    return "glob" if glob.has_magic(text) and not os.path.lexists(text) else "file"


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
    elif output is None:
        return None
    elif output != "-" and not names_file(output):
        _check_folder(output)
        return None
    if len(inputs) > 1 or _kind(inputs[0]) != "file":
        raise BadRequest(f"-o {output} names one file, and there can be many images; name a folder")
    is_own = split_ending(output)[1].lower() in ENDINGS
    actual = None if is_own else format_of(output, None if Path(output).suffix else kind)
    if kind not in (None, actual) and output != "-":
        raise BadRequest(f"-o {output} and --format {kind} contradict each other; give one of the two")
    if stores.is_url(output):
        stores.check_target(output)
    elif not stores.is_url(inputs[0]):
        ensure_safe(Path(output), Path(inputs[0]), overwrite=True)
    return Job(inputs[0], output)


def _check_folder(output: str) -> None:
    """Raises: UnknownName for a new folder that is called like a file with a mistyped ending; BadRequest for a file."""
    if not output or os.path.isfile(output):
        raise BadRequest(f"-o {output or repr(output)} is no folder, and no image by its ending; name one or the other")
    ending = split_ending(output)[1].lower()
    if get_close_matches(ending, SUFFIXES, 1, 0.8) and not (os.path.isdir(output) or output.endswith(os.sep)):
        raise UnknownName("format", ending, SUFFIXES)


def names_file(output: str) -> bool:
    """Whether an output is a file and no folder."""
    ending = split_ending(output)[1].lower()
    return ending in SUFFIXES and (is_folder(output) or not (os.path.isdir(output) or output.endswith(os.sep)))
