"""Parts of a folder: together they are all of it, none twice, and what a scheduler says of an array is understood."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from subpixel.errors import BadRequest
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.shard import Shard


def test_the_parts_are_disjoint_and_together_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for k in range(300):
        folder = Path(f"in/{k % 7}/deep")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{k}.png").touch()
    Path("in/0/deep/0.gif").touch()  # with 0.png a clash, which one part of each tells of
    Path("empty").mkdir()

    def found(shard: Shard) -> list[str]:
        return [job.source for job in find_jobs(["in", "empty"], "out", suffix="x2", format="webp", shard=shard)]

    everything = found(Shard(1, 1))
    parts = [found(Shard(k, 8)) for k in range(1, 9)]
    assert len(everything) == 302
    assert sorted(name for part in parts for name in part) == sorted(everything)
    assert all(20 < len(part) < 60 for part in parts)
    order = {name: k for k, name in enumerate(everything)}
    assert all(part == sorted(part, key=order.__getitem__) for part in parts)


def test_a_part_depends_on_the_relative_name_alone(tmp_path: Path) -> None:
    for top in ("here", "there/mounted"):
        (tmp_path / top / "deep").mkdir(parents=True)
        for k in range(20):
            (tmp_path / top / f"deep/{k}.png").touch()
    names = [
        [os.path.basename(job.source) for job in find_jobs([str(tmp_path / top)], suffix="x2", shard=Shard(2, 3))]
        for top in ("here", "there/mounted")
    ]
    assert names[0] == names[1] != []
    # by `printf deep/0.png | b2sum -l 64`, modulo 3: it must never change, or a second run would do other images
    assert [k for k in range(10) if Shard(1, 2).holds(f"deep/{k}.png")] == [0, 1, 4, 8, 9]


@pytest.mark.parametrize(
    ("environment", "k", "n"),
    [
        ({"SLURM_ARRAY_TASK_ID": "4", "SLURM_ARRAY_TASK_MIN": "0", "SLURM_ARRAY_TASK_COUNT": "8"}, 5, 8),
        (
            {
                "SLURM_ARRAY_TASK_ID": "30", "SLURM_ARRAY_TASK_MIN": "10", "SLURM_ARRAY_TASK_MAX": "40",
                "SLURM_ARRAY_TASK_COUNT": "4", "SLURM_ARRAY_TASK_STEP": "10",
            },
            3, 4,
        ),
        ({"SGE_TASK_ID": "7", "SGE_TASK_FIRST": "1", "SGE_TASK_LAST": "13", "SGE_TASK_STEPSIZE": "2"}, 4, 7),
        ({"LSB_JOBINDEX": "2", "LSB_JOBINDEX_END": "5", "LSB_JOBINDEX_STEP": "1"}, 2, 5),
        ({"AWS_BATCH_JOB_ARRAY_INDEX": "0", "AWS_BATCH_JOB_ARRAY_SIZE": "10"}, 1, 10),
        ({"SGE_TASK_ID": "undefined", "LSB_JOBINDEX": "0", "SLURM_ARRAY_TASK_ID": "1", "SLURM_ARRAY_TASK_MIN": "1",
          "SLURM_ARRAY_TASK_COUNT": "2"}, 1, 2),
    ],
)  # fmt: skip
def test_what_schedulers_say(environment: dict[str, str], k: int, n: int) -> None:
    assert Shard.parse("array", environment) == Shard(k, n)


@pytest.mark.parametrize("variable", ["PBS_ARRAY_INDEX", "PBS_ARRAYID"])
def test_a_scheduler_that_does_not_tell_how_long_its_array_is(variable: str) -> None:
    assert Shard.parse("array/8", {variable: "8"}) == Shard(8, 8)
    with pytest.raises(BadRequest, match="does not tell how long"):
        Shard.parse("array", {variable: "3"})
    with pytest.raises(BadRequest, match="none of 8 from 1 on"):
        Shard.parse("array/8", {variable: "0"})


@pytest.mark.parametrize("text", ["0/3", "4/3", "1", "a/b", "-1/3", "1/0", "/", "", "array/x", "1/2/3", "array"])
def test_what_makes_no_sense(text: str) -> None:
    with pytest.raises(BadRequest, match="k/n"):
        Shard.parse(text, {})


def test_one_image_has_no_parts() -> None:
    with pytest.raises(BadRequest, match="one image has no parts"):
        find_jobs(["a.png"], "b.png", suffix="x2", shard=Shard(1, 2))
