"""One of n parts of the images, by what they are called: n machines share a folder and need not know each other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass

from subpixel.errors import BadRequest

_EXPECTED = "expected k/n with k from 1 to n, such as 3/8, or array in an array of a scheduler, or array/n"


@dataclass(frozen=True)
class _Array:
    """What a scheduler tells a task of its array; each a variable, or empty where it tells nothing."""

    scheduler: str
    index: str
    first: str = ""
    last: str = ""
    count: str = ""
    step: str = ""
    begins: int = 1
    """The first index where `first` is not told."""


_ARRAYS = (
    _Array(
        "Slurm", "SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_COUNT",
        "SLURM_ARRAY_TASK_STEP",
    ),
    _Array("SGE", "SGE_TASK_ID", "SGE_TASK_FIRST", "SGE_TASK_LAST", step="SGE_TASK_STEPSIZE"),
    _Array("LSF", "LSB_JOBINDEX", last="LSB_JOBINDEX_END", step="LSB_JOBINDEX_STEP"),
    _Array("AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", count="AWS_BATCH_JOB_ARRAY_SIZE", begins=0),
    _Array("PBS", "PBS_ARRAY_INDEX"),
    _Array("Torque", "PBS_ARRAYID"),
)  # fmt: skip


@dataclass(frozen=True)
class Shard:
    """The kth of n parts, k from 1. Raises: BadRequest where k is not one of 1 to n."""

    k: int = 1
    n: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.k <= self.n:
            raise BadRequest(f"shard {self.k}/{self.n}; {_EXPECTED}")

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str] = os.environ) -> Shard:
        """From k/n, or from what a scheduler tells the task of an array: "array", or "array/n" where it tells no n.

        Raises: BadRequest.
        """
        which, _, parts = text.partition("/")
        if which == "array":
            return _of_array(environment, _number(parts, text) if parts else None)
        return cls(_number(which, text), _number(parts, text))

    def holds(self, place: str) -> bool:
        """Whether an image belongs to it; place: its name relative to what was named, as the system has it."""
        if self.n == 1:
            return True
        digest = hashlib.blake2b(os.fsencode(place.replace(os.sep, "/")), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.n == self.k - 1


WHOLE = Shard()
"""All of the images."""


def _number(text: str, given: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise BadRequest(f"shard {given}; {_EXPECTED}")
    return int(text)


def _of_array(environment: Mapping[str, str], n: int | None) -> Shard:
    def number_of(variable: str) -> int | None:
        value = environment.get(variable, "")
        return int(value) if value.isascii() and value.isdecimal() else None

    for array in _ARRAYS:
        index = number_of(array.index)
        if index is None or (array.scheduler == "LSF" and index == 0):  # outside of an array
            continue
        first, step = _or(number_of(array.first), array.begins), number_of(array.step) or 1
        last, count = number_of(array.last), number_of(array.count)
        n = n or count or (None if last is None else (last - first) // step + 1)
        if n is None:
            raise BadRequest(f"{array.scheduler} does not tell how long an array is; say it: --shard array/8")
        k, rest = divmod(index - first, step)
        if rest or not 0 <= k < n:
            raise BadRequest(
                f"task {index} of {array.scheduler}'s array is none of {n} from {first} on; give --shard k/n"
            )
        return Shard(k + 1, n)
    raise BadRequest("--shard array: there is no array of Slurm, SGE, LSF, AWS Batch, PBS or Torque here; give k/n")


def _or(value: int | None, otherwise: int) -> int:
    return otherwise if value is None else value
