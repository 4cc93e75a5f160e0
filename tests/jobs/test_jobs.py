"""Which images become which files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from subpixel.errors import BadRequest, SubpixelError, UnknownName, UnwritableImage
from subpixel.inference.upscaler import Upscaler
from subpixel.jobs.discovery import STREAM, Job, ensure_safe, find_jobs, remaining, suffix


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (
        "a.png",
        "in/b.JPG",
        "in/deep/c d.tiff",
        "in/ünï.gif",
        "in/notes.txt",
        "in/.hidden.png",
        "in/.x/y.png",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


def found(*inputs: str, output: str | None = None, format: str | None = None) -> dict[str, str]:
    return {str(j.source): str(j.target) for j in find_jobs(inputs, output, suffix="x2", format=format)}


def refused(*inputs: str, output: str | None = None, format: str | None = None) -> str:
    with pytest.raises(SubpixelError) as caught:
        found(*inputs, output=output, format=format)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.usefixtures("tree")
def test_results_lie_beside_the_inputs_and_keep_a_format_that_can_be_written() -> None:
    assert found("a.png", "in") == {
        "a.png": "a_x2.png",
        "in/b.JPG": "in/b_x2.JPG",
        "in/ünï.gif": "in/ünï_x2.png",
        "in/deep/c d.tiff": "in/deep/c d_x2.tiff",
    }
    assert found("a.png", format="jpeg") == {"a.png": "a_x2.jpg"}
    assert found("a.png", "./a.png", os.path.abspath("a.png")) == {os.path.abspath("a.png"): f"{os.getcwd()}/a_x2.png"}


@pytest.mark.usefixtures("tree")
def test_an_output_folder_mirrors_the_input() -> None:
    mirrored = {"in/b.JPG": "out/b.webp", "in/ünï.gif": "out/ünï.webp", "in/deep/c d.tiff": "out/deep/c d.webp"}
    assert found("in", output="out", format="webp") == mirrored
    assert found("in/**", output="out", format="webp") == mirrored
    assert found("a.png", output="v1.2") == {"a.png": "v1.2/a.png"}
    Path("folder.png").mkdir()
    assert found("a.png", output="folder.png") == {"a.png": "folder.png/a.png"}


@pytest.mark.usefixtures("tree")
def test_files_and_streams() -> None:
    assert found("a.png", output="b.jpg") == {"a.png": "b.jpg"}
    assert found("a.png", output="-") == {"a.png": "-"}
    assert found("-") == {"-": "-"}
    assert found("-", output="b.tif") == {"-": "b.tif"}
    assert found("missing.png") == {"missing.png": "missing_x2.png"}  # told of when its turn comes


@pytest.mark.usefixtures("tree")
def test_globs_are_expanded_but_a_file_with_brackets_is_a_file() -> None:
    assert found("in/*.JPG") == {"in/b.JPG": "in/b_x2.JPG"}
    assert found("*/*/c*") == {"in/deep/c d.tiff": "in/deep/c d_x2.tiff"}
    Path("p[1].png").touch()
    assert found("p[1].png") == {"p[1].png": "p[1]_x2.png"}


@pytest.mark.usefixtures("tree")
def test_a_second_run_does_not_enlarge_the_results_of_the_first() -> None:
    first = found("in")
    for target in first.values():
        Path(target).touch()
    assert found("in") == first
    assert found("in", format="webp").keys() == first.keys()
    first = found("in", output="in/large")
    Path("in/large").mkdir()
    Path("in/large/b.JPG").touch()
    assert found("in", output="in/large") == first


@pytest.mark.usefixtures("tree")
def test_what_is_refused() -> None:
    assert "a.png is an input and would be overwritten" in refused("a.png", output="a.png")
    assert "is an input" in refused("in", output="in")
    os.symlink("a.png", "link.png")
    assert "is an input" in refused("a.png", output="link.png")
    Path("in/b.png").touch()
    assert "in/b.JPG and in/b.png would all become out/b.webp" in refused("in", output="out", format="webp")
    assert refused("a.png", "in", output="o.png") == (
        "-o o.png names one file, and there can be many images; name a folder"
    )
    assert "names one file" in refused("in", output="o.png")
    assert "names one file" in refused("*.png", output="-")
    assert "cannot be mixed" in refused("-", "a.png")
    assert refused("*.webp") == "no images in *.webp"
    Path("empty").mkdir()
    assert refused("empty") == "no images in empty"
    assert "an empty name" in refused("")
    assert refused("a.png", format="jpgg") == "unknown format 'jpgg'; did you mean 'jpg'?"
    assert "contradict" in refused("a.png", output="o.png", format="jpg")
    with pytest.raises(UnwritableImage, match=r"unknown format '\.bmp'; choose one of png"):
        found("a.png", output="o.bmp")
    with pytest.raises(UnknownName):
        found("a.png", format="svg")


def test_what_exists_is_done(tree: Path) -> None:
    done, open_ = Job(tree / "x.png", tree / "a.png"), Job(tree / "a.png", tree / "x.png")
    assert remaining([done, open_, Job(STREAM, STREAM)]) == [open_, Job(STREAM, STREAM)]
    with pytest.raises(BadRequest, match="exists; --overwrite"):
        ensure_safe(tree / "a.png", tree / "x.png", overwrite=False)
    with pytest.raises(BadRequest, match="is an input"):
        ensure_safe(tree / "a.png", tree / "a.png", overwrite=True)
    assert ensure_safe(tree / "a.png", tree / "x.png", overwrite=True) == tree / "a.png"


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({}, "x2"),
        ({"scale": 2.7}, "x2.7"),
        ({"scale": 8}, "x8"),
        ({"size": " 4096X"}, "4096x"),
        ({"scale": 0.5}, "x0.5"),
    ],
)
def test_the_name_says_the_size(options: dict, tag: str) -> None:
    assert suffix(Upscaler("bicubic", **options)) == tag
