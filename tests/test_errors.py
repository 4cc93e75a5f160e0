"""Every error crosses from process to process as it is."""

from __future__ import annotations

import contextlib
import copy
import importlib
import pickle
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import subpixel
from subpixel import errors
from subpixel.errors import BadRequest, SubpixelError, UnreadableImage, printable
from subpixel.jobs.request import Request

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "UnknownName": ("model", "swfit-x2", ["swift-x2"]),
    "Unexpected": ("a.png", ZeroDivisionError("by zero")),
    "UnreadableImage": (Path("a.png"), "it is empty"),
    "TooLarge": ("a.png", "it claims too many pixels"),
    "UnwritableImage": ("a.png", "the disk is full"),
    "BadWeights": (Path("a.onnx"), "it is cut"),
    "MissingExtra": ("torch", "train"),
    "QueueUnavailable": ("postgresql://host/name", "it does not answer"),
    "ProcessDied": ("SIGKILL",),
    "ParityError": ("a.onnx at 2x3", 0.5, 1e-4),
}
"""Of the errors that make their text themselves; all others take it as it is."""


def _descendants(kind: type[SubpixelError]) -> Iterator[type[SubpixelError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _descendants(child)


def _kinds() -> list[type[SubpixelError]]:
    """The tree, with what other modules of the package add to it."""
    for module in pkgutil.walk_packages(subpixel.__path__, "subpixel."):
        if not module.name.endswith("__main__"):
            with contextlib.suppress(ImportError):  # an extra that is not installed
                importlib.import_module(module.name)
    return [kind for kind in _descendants(SubpixelError) if kind.__module__.startswith("subpixel.")]


def test_every_error_survives_pickling() -> None:
    kinds = _kinds()
    assert {kind.__name__ for kind in kinds} >= {*ARGUMENTS, "OutOfMemory", "RecipeError"}
    for kind in kinds:
        error = kind(*ARGUMENTS.get(kind.__name__, ("what, where, and what to do",)))
        error.add_note("seen in job 7")
        for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(again) is kind
            assert (str(again), again.args, vars(again)) == (str(error), error.args, vars(error))
            assert isinstance(again, kind.__mro__[2])


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_attributes_of_the_builtin_parents_survive(protocol: int) -> None:
    missing = pickle.loads(pickle.dumps(errors.MissingExtra("torch", "train"), protocol))
    assert missing.msg == "torch is not installed; run: pip install 'subpixel[train]'"
    unreadable = pickle.loads(pickle.dumps(errors.UnreadableImage(Path("a.png"), "it is empty"), protocol))
    assert (unreadable.path, unreadable.why, unreadable.errno) == (Path("a.png"), "it is empty", None)


def test_an_error_of_another_signature_survives_without_a_line_of_its_own() -> None:
    again = pickle.loads(pickle.dumps(Later(3, where="low")))
    assert (type(again), str(again), again.step, again.where) == (Later, "step 3 at low", 3, "low")


class Later(SubpixelError, OSError):
    """What a later module may add."""

    def __init__(self, step: int, *, where: str) -> None:
        self.step, self.where = step, where
        super().__init__(f"step {step} at {where}")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ünï 日本 👩‍🚀.png", "ünï 日本 👩‍🚀.png"),
        ("a\nb\t\x1b[31m\x9b.png", "a\\nb\\t\\x1b[31m\\x9b.png"),
        ("caf\udce9.png", "caf\\xe9.png"),
        ("gpj.\u202eexe\u2028", "gpj.\\u202eexe\\u2028"),
    ],
)
def test_a_name_does_nothing_to_a_terminal(name: str, shown: str) -> None:
    assert printable(name) == shown
    assert str(UnreadableImage(name, "it is torn")) == f"cannot read {shown}: it is torn"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"scale": "two"}, "scale: Input should be a valid number, unable to parse string as a number, not 'two'"),
        ({"tile": [1]}, "tile: Input should be 'auto' or a valid integer"),
        ({"bands": "x"}, "bands: Input should be a valid tuple, not 'x'"),
        ({"sclae": 2}, "sclae: Extra inputs are not permitted"),
    ],
)  # fmt: skip
def test_what_was_given_is_said(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRequest) as told:
        Request.parse(changes)
    assert str(told.value) == said
