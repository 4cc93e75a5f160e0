"""The errors of subpixel: each says what, where, what was expected and what to do, in one line.

SubpixelError
 ├─ UnknownName(KeyError)       a model, architecture, data set ... that does not exist
 ├─ BadRequest(ValueError)      a scale, size or option that makes no sense
 ├─ RecipeError(ValueError)     a training recipe with a wrong key or value
 ├─ DataError(ValueError)       training or benchmark images that cannot be used as asked
 ├─ UnreadableImage(OSError)    an image that cannot be read
 │   └─ TooLarge                of more pixels than may be read
 ├─ UnwritableImage(OSError)    an image that cannot be written
 ├─ BadWeights(ValueError)      a model file that is damaged, or not ours
 ├─ MissingExtra(ImportError)   an optional dependency that is not installed
 ├─ RuntimeUnavailable          a runtime or device that this machine lacks
 ├─ OutOfMemory(MemoryError)    even the smallest tile did not fit
 ├─ QueueUnavailable            a database of tasks that cannot be used
 ├─ ProcessDied                 a process that ended in the middle of its work
 ├─ Unexpected                  an error that nobody foresaw: ours to mend
 ├─ TrainingDiverged            a loss that is not finite
 └─ ParityError                 an exported model that does not compute what the original computes
"""

from __future__ import annotations

import difflib
import traceback
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import ValidationError

_DIRECTIONS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def printable(text: object) -> str:
    """Text in one line that does nothing to a terminal: what controls it, in a file's name for instance, is escaped.

    Bytes of names that are not UTF-8, which Python keeps as surrogates, become \\xNN.
    """
    return "".join(map(_shown, str(text)))


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    harmful = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
    directed = unicodedata.bidirectional(character) in _DIRECTIONS
    return character.encode("unicode_escape").decode() if harmful or directed else character


def unread(error: OSError) -> str:
    """Why a file cannot be read, in the words that are used everywhere."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return "it is a folder" if isinstance(error, IsADirectoryError) else unwritten(error)


def unwritten(error: OSError) -> str:
    """Why a file cannot be written, in the words that are used everywhere."""
    return (error.strerror or str(error)).lower()


def place_in(error: BaseException, names: Iterable[str]) -> str:
    """Where in the packages of these names, such as "mypackage.net:Net", an error was last: " in Net.forward (net.py,
    line 9)", to end a sentence with; empty if it never was there."""
    packages = {name.partition(":")[0].partition(".")[0] for name in names}
    places = [
        f" in {frame.f_code.co_qualname} ({frame.f_code.co_filename}, line {line})"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if str(frame.f_globals.get("__name__")).partition(".")[0] in packages
    ]
    return places[-1] if places else ""


def first_problem(error: ValidationError) -> str:
    """Where the first of values that pydantic refused is, what was expected, and what was given."""
    first, *others = error.errors()
    place, why, given = first["loc"], first["msg"].removeprefix("Value error, "), first["input"]
    if place and str(place[-1]).startswith("literal["):  # a word, or else a number
        place = place[:-1]
        others = [other["msg"].removeprefix("Input should be") for other in others if other["loc"][:-1] == place]
        why = " or".join([why, *others])
    if why.startswith("Input should") and isinstance(given, str | int | float):
        why += f", not {given!r:.40}"
    where = ".".join(map(str, place))
    return f"{where}: {why}" if where else why


def check_type(name: str, value: object, *kinds: type) -> None:
    """Raises: BadRequest for a value that is of none of these types."""
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise BadRequest(f"{name} is of type {type(value).__name__}; expected {expected}")


class SubpixelError(Exception):
    """The parent of every error a user can cause; its text is one line, its exit status is 2."""

    def __str__(self) -> str:  # KeyError would print the repr
        return printable(self.args[0]) if self.args else ""

    def __reduce__(self) -> tuple[Any, ...]:  # Exception's calls the class with the text, which many do not take
        return _restored, (type(self), self.args), self.__dict__


def _restored(kind: type[SubpixelError], args: tuple[Any, ...]) -> SubpixelError:
    layout: Any = kind
    while layout.__module__ != "builtins":
        layout = layout.__base__
    error = layout.__new__(kind)  # only the parent that gave a class its layout can allocate it
    super(SubpixelError, error).__init__(*args)
    return error


class UnknownName(SubpixelError, KeyError):
    """A name that does not exist, with the closest one that does."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name = kind, name
        names = sorted(known)
        close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(names) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class BadRequest(SubpixelError, ValueError):
    """A scale, size or option that makes no sense."""


class RecipeError(SubpixelError, ValueError):
    """A training recipe with a wrong key or value; the text names the key's path."""


class DataError(SubpixelError, ValueError):
    """Training or benchmark images that cannot be used as asked."""


class UnreadableImage(SubpixelError, OSError):
    """An image that cannot be read: the path and why."""

    def __init__(self, path: str | Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"cannot read {path}: {why}")


class TooLarge(UnreadableImage):
    """An image that claims more pixels than may be read."""


class UnwritableImage(SubpixelError, OSError):
    """An image that cannot be written: the path and why."""

    def __init__(self, path: str | Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"cannot write {path}: {why}")


class BadWeights(SubpixelError, ValueError):
    """A model file that is damaged, or not ours."""

    def __init__(self, path: str | Path, why: str) -> None:
        self.path, self.why = path, why
        super().__init__(f"cannot use the model file {path}: {why}")


class MissingExtra(SubpixelError, ImportError):
    """An optional dependency that is not installed, with the pip command that installs it."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'subpixel[{extra}]'")


class RuntimeUnavailable(SubpixelError):
    """A runtime, device or precision that was asked for and is not there."""


class OutOfMemory(SubpixelError, MemoryError):
    """Even the smallest tile did not fit into memory."""


class QueueUnavailable(SubpixelError):
    """A database of tasks that cannot be used: its URL without the password, and why."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(f"cannot use the queue {url}: {why}")


class ProcessDied(SubpixelError):
    """A process that ended in the middle of its work; how: a signal, or its status."""

    def __init__(self, ending: str) -> None:
        self.ending = ending
        super().__init__(f"the process that did it ended ({ending})")


class Unexpected(SubpixelError):
    """An error that nobody foresaw, while one image of many was done; its cause is the original."""

    def __init__(self, where: object, error: BaseException) -> None:
        super().__init__(f"{where}: {type(error).__name__}: {error}; please report it with the image")


class TrainingDiverged(SubpixelError):
    """A loss or gradient that is not finite; the text names the step and the layer."""


class ParityError(SubpixelError):
    """An exported model that does not compute what the original computes."""

    def __init__(self, what: str, difference: float, tolerance: float) -> None:
        super().__init__(f"{what} differs from the original by {difference:.3g}, more than {tolerance:.3g}")
