"""Which images become which files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from subpixel import Request, read, write
from subpixel.errors import BadRequest, SubpixelError, UnknownName, UnwritableImage
from subpixel.images import Image, split_ending
from subpixel.images.streams import STREAM
from subpixel.inference.file import upscale_file
from subpixel.inference.upscaler import Upscaler
from subpixel.inference.window import Window
from subpixel.jobs import resumption, walk
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.job import Job
from subpixel.jobs.naming import Naming, suffix
from subpixel.jobs.targets import ensure_safe


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
    jobs = find_jobs(inputs, output, suffix="x2", format=format)
    return {str(j.source): str(j.target) for j in jobs if not (j.refused or j.skipped)}


def left_out(*inputs: str, output: str | None = None, format: str | None = None) -> dict[str, str]:
    jobs = list(find_jobs(inputs, output, suffix="x2", format=format))
    return {str(j.source): str(j.refused or j.skipped) for j in jobs if j.refused or j.skipped}


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
    assert found("a.png", "./a.png", os.path.abspath("a.png")) == {"a.png": "a_x2.png"}


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
    assert "in is an input" in refused("in", output="in")
    os.symlink("a.png", "link.png")
    assert "is an input" in refused("a.png", output="link.png")
    assert refused("a.png", "in", output="o.png") == (
        "-o o.png names one file, and there can be many images; name a folder"
    )
    assert "names one file" in refused("in", output="o.png")
    assert "names one file" in refused("*.png", output="-")
    assert "cannot be mixed" in refused("-", "a.png")
    assert left_out("*.webp") == {"*.webp": "no images in *.webp"}
    Path("empty").mkdir()
    assert left_out("empty") == {"empty": "no images in empty"}
    assert left_out("empty", "a.png") == {"empty": "no images in empty"}
    assert "an empty name" in refused("")
    assert refused("a.png", format="jpgg") == "unknown format 'jpgg'; did you mean 'jpg'?"
    assert "contradict" in refused("a.png", output="o.png", format="jpg")
    with pytest.raises(UnwritableImage, match=r"unknown format '\.bmp'; choose one of png"):
        found("a.png", output="o.bmp")
    with pytest.raises(UnknownName):
        found("a.png", format="svg")


@pytest.mark.usefixtures("tree")
def test_a_clash_costs_its_own_jobs_and_all_are_told() -> None:
    for name in ("b.png", "ü.png", "ü.gif", "ok.png"):
        Path("in", name).touch()
    assert found("in", output="out", format="webp").keys() == {"in/ok.png", "in/ünï.gif", "in/deep/c d.tiff"}
    clashes = left_out("in", output="out", format="webp")
    assert clashes["in/b.JPG"] == (
        "in/b.JPG: b.png beside it would become out/b.webp as well; give them different outputs"
    )
    assert clashes.keys() == {"in/b.JPG", "in/b.png", "in/ü.gif", "in/ü.png"}
    assert left_out("in", output="out").keys() == {"in/ü.gif", "in/ü.png"}  # b.JPG and b.png stay what they are
    Path("other").mkdir()
    Path("other/ok.png").touch()
    assert "another image becomes out/ok.png" in left_out("in", "other", output="out")["other/ok.png"]


@pytest.mark.usefixtures("tree")
def test_a_result_never_takes_the_place_of_an_input() -> None:
    Path("out").mkdir()
    os.symlink("../in/b.JPG", "out/b.JPG")
    assert "out/b.JPG is an input" in left_out("in", output="out")["in/b.JPG"]
    Path("in/deep/deep").mkdir()
    Path("in/deep/deep/c d.tiff").touch()
    assert left_out("in/deep", output="in") == {
        "in/deep/deep/c d.tiff": "in/deep/deep/c d.tiff: in/deep/c d.tiff is an input and would be overwritten; "
        "give another name with -o"
    }


@pytest.mark.usefixtures("tree")
def test_files_that_are_named_one_by_one_are_not_overwritten_either() -> None:
    os.symlink("in", "linked")
    Path("in/deep/b.JPG").touch()
    for output in ("in", "linked", "in/../in"):
        jobs = list(find_jobs(["in/b.JPG", "in/deep/b.JPG"], output, suffix="x2"))
        assert [str(job.refused).startswith("in/b.JPG: ") for job in jobs] == [True, False]
        assert "is an input and would be overwritten" in str(jobs[0].refused)


@pytest.mark.usefixtures("tree")
def test_a_glob_does_not_find_its_own_results() -> None:
    os.makedirs("in/larger/larger")
    for name in ("in/larger/b.JPG", "in/larger/larger/b.JPG"):
        Path(name).touch()
    wanted = found("in/*", output="out").keys()
    assert {name for name in wanted if "larger" in name} == {"in/larger/b.JPG", "in/larger/larger/b.JPG"}
    for pattern in ("in/*", "in/**/*.JPG"):
        assert not [name for name in found(pattern, output="in/larger") if "larger" in name]


@pytest.mark.usefixtures("tree")
def test_a_result_is_known_whatever_its_name() -> None:
    for name in ("new\nline.png", "new\nline_x2.png"):
        Path("in", name).touch()
    assert "in/new\nline_x2.png" in left_out("in")


def test_a_folder_in_the_way_is_no_result(tree: Path) -> None:
    (tree / "x.png").mkdir()
    job = Job(str(tree / "a.png"), str(tree / "x.png"))
    assert next(resumption.unfinished([job])) == job


def test_a_source_that_changed_while_it_was_read_is_done_again(tmp_path: Path) -> None:
    source, job = tmp_path / "a.png", Job(str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    write(source, Image(np.zeros((4, 4, 3), np.float32)))

    def replaced(source: Path, target: Path, *rest: Any) -> str | None:
        note = upscale_file(source, target, *rest)
        write(source, Image(np.ones((4, 5, 3), np.float32)))
        return note

    request = Request(model="bicubic", scale=2)
    with request.upscaler() as upscaler:
        for _ in upscale_batch([job], upscaler, identity=request.identity, upscale=replaced):
            pass
        assert next(resumption.unfinished([job], request.identity)) == job
        for _ in upscale_batch([job], upscaler, identity=request.identity):
            pass
    assert read(job.target).pixels.shape == (8, 10, 3)
    assert next(resumption.unfinished([job], request.identity)).skipped == resumption.EXISTS


@pytest.mark.usefixtures("tree")
def test_links_are_followed_but_not_in_circles() -> None:
    os.symlink("b.JPG", "in/link.JPG")
    os.symlink("nowhere", "in/broken.png")
    os.symlink("round.png", "in/round.png")
    os.symlink("round", "in/round")
    os.symlink("..", "in/deep/up")
    Path("elsewhere").mkdir()
    Path("elsewhere/e.png").touch()
    os.symlink("../elsewhere", "in/linked")
    assert found("in", output="out") == {
        "in/b.JPG": "out/b.JPG", "in/link.JPG": "out/link.JPG", "in/broken.png": "out/broken.png",
        "in/round.png": "out/round.png", "in/ünï.gif": "out/ünï.png", "in/deep/c d.tiff": "out/deep/c d.tiff",
        "in/linked/e.png": "out/linked/e.png",
    }  # fmt: skip
    assert left_out("in", output="out") == {
        "in/deep/up": "links lead to folders that they lie in", "in/round": "a link cannot be followed",
    }  # fmt: skip


@pytest.mark.usefixtures("tree")
def test_what_is_no_file_is_refused_in_a_folder_and_read_where_it_is_named() -> None:
    os.mkfifo("in/p.png")
    assert left_out("in") == {"in/p.png": "in/p.png: it is a pipe, a socket or a device, not a file"}
    assert found("in/p.png", output="o.png") == {"in/p.png": "o.png"}
    assert "name the result with -o" in refused("in/p.png")
    assert "name the result with -o" in refused("/dev/stdin")


@pytest.mark.usefixtures("tree")
def test_formats_that_need_an_extra_do_not_make_a_folder_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "READABLE", frozenset({".png"}))
    monkeypatch.setitem(walk.MISSING_EXTRAS, ".heic", "heif")
    Path("in/z.HEIC").touch()
    assert left_out("in") == {"in/z.HEIC": "files ending in .heic need an extra: pip install 'subpixel[heif]'"}


@pytest.mark.usefixtures("tree")
def test_names_that_are_not_utf8_and_long_ones_are_found() -> None:
    for name in (b"caf\xe9.png", b"n" * 251 + b".png"):
        with open(b"in/deep/" + name, "wb"):
            pass
    targets = found("in/deep", output="out")
    assert {os.fsencode(target) for target in targets.values()} == {
        b"out/c d.tiff", b"out/caf\xe9.png", b"out/" + b"n" * 251 + b".png",
    }  # fmt: skip
    assert (
        len(list(resumption.unfinished(find_jobs(["in/deep"], suffix="x2")))) == 3
    )  # a target with too long a name as well


@pytest.mark.usefixtures("tree")
def test_results_of_other_sizes_are_left_out_as_well() -> None:
    for name in ("b_x4.JPG", "b_x2.7.png", "b_1920x1080.JPG", "b_x1080.JPG", "b_4096x.webp", "c_x2.png", "b_xy.png"):
        Path("in", name).touch()
    assert {Path(path).name for path in found("in")} == {"b.JPG", "ünï.gif", "c d.tiff", "c_x2.png", "b_xy.png"}
    assert set(left_out("in").values()) == {"they are results of images beside them"}
    assert found("in/b_x4.JPG") == {"in/b_x4.JPG": "in/b_x4_x2.JPG"}  # it was asked for
    assert len(found("in", output="out")) == 10


def made(job: Job, content: str = "result") -> Job:
    Path(job.target).write_text(content)
    resumption.record(job, "swift", resumption.state_of(job.source))
    return job


def test_what_is_done_is_skipped_and_what_is_stale_is_made_anew(tree: Path) -> None:
    job = made(Job(str(tree / "a.png"), str(tree / "x.png")))
    verdict = lambda identity: next(resumption.unfinished([job], identity))  # noqa: E731
    assert verdict("swift").skipped == resumption.EXISTS
    assert verdict("edsr") == job  # another model: anew
    (tree / "a.png").write_text("changed")
    assert verdict("swift") == job
    made(job)
    assert verdict("swift").skipped
    os.utime(tree / "a.png", (1e9, 1e9))  # an older one took its place
    assert verdict("swift") == job


def test_nothing_but_an_untouched_result_is_replaced(tree: Path) -> None:
    job = made(Job(str(tree / "a.png"), str(tree / "x.png")))
    Path(job.target).write_text("retouched by hand")
    assert next(resumption.unfinished([job], "edsr")).skipped == resumption.EXISTS
    os.utime(tree / "a.png", (4e9, 4e9))
    refused = next(resumption.unfinished([job], "edsr"))
    assert "is older than" in str(refused.refused)


def test_without_attributes_times_decide(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getxattr")
    monkeypatch.delattr(os, "setxattr")
    job = made(Job(str(tree / "a.png"), str(tree / "x.png")))
    assert next(resumption.unfinished([job], "edsr")).skipped == resumption.EXISTS
    os.utime(tree / "a.png", (4e9, 4e9))
    assert next(resumption.unfinished([job], "swift")).refused


def test_what_exists_is_done(tree: Path) -> None:
    finished, open_ = Job(str(tree / "in/b.JPG"), str(tree / "a.png")), Job(str(tree / "a.png"), str(tree / "x.png"))
    os.utime(tree / "in/b.JPG", (1e9, 1e9))
    judged = list(resumption.unfinished([finished, open_, Job(STREAM, STREAM)]))
    assert judged == [finished._replace(skipped=resumption.EXISTS), open_, Job(STREAM, STREAM)]
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
        ({"window": Window(8, 0, 64, 32)}, "x2+8+0+64x32"),
    ],
)
def test_the_name_says_the_size(options: dict, tag: str) -> None:
    assert suffix(Upscaler("bicubic", **options)) == tag


def test_a_folder_is_looked_into_when_its_jobs_are_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for k in range(20):
        (tmp_path / f"{k:02}").mkdir()
        (tmp_path / f"{k:02}/a.png").touch()
    looked, scandir = list[str](), os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (looked.append(str(path)), scandir(path))[1])
    monkeypatch.setattr(os.path, "realpath", lambda path: pytest.fail("it is slow") if ".png" in str(path) else path)
    jobs = resumption.unfinished(find_jobs([str(tmp_path)], str(tmp_path / "out"), suffix="x2"))
    assert next(jobs).source == str(tmp_path / "00/a.png")
    assert [path for path in looked if "out" not in path] == [str(tmp_path), str(tmp_path / "00")]
    assert len(list(jobs)) == 19


@pytest.mark.usefixtures("tree")
@pytest.mark.parametrize(("ending", "meant"), [(".jpgg", ".jpg"), (".tif2", ".tif")])
def test_a_mistyped_ending_is_no_folder(ending: str, meant: str) -> None:
    assert refused("a.png", output=f"out{ending}") == f"unknown format '{ending}'; did you mean '{meant}'?"
    assert found("a.png", output=f"out{ending}/") == {"a.png": f"out{ending}/a.png"}


def test_a_result_of_an_image_of_another_name_is_not_replaced(tmp_path: Path) -> None:
    first, second = (Job(str(tmp_path / name), str(tmp_path / "a_x4.png")) for name in ("a.bmp", "a.tga"))
    for path in (first.source, second.source, first.target):
        Path(path).touch()
    resumption.record(first, "bicubic", resumption.state_of(first.source))
    assert next(resumption.unfinished([first], "nearest")).skipped == ""
    os.utime(second.source, (1, 1))
    for request in ("bicubic", "nearest"):
        judged = next(resumption.unfinished([second], request))
        why = f"{first.target} was made from another image than {second.source}; give another -o or --overwrite"
        assert str(judged.refused) == why
    Path(first.target).write_text("retouched by hand")  # nothing is known of it
    assert next(resumption.unfinished([second], "nearest")).skipped == resumption.EXISTS


@pytest.mark.parametrize("below", [None, "out"])
@pytest.mark.parametrize("ending", [None, ".png"])
@pytest.mark.parametrize("names", [["a.png"], ["a.png", "b.JPG"], ["a.png", "b.gif", "c.bmp"], ["a.b.fits.gz", "a"]])
def test_a_folder_knows_its_endings_and_whether_results_are_called_alike(
    tmp_path: Path, names: list[str], ending: str | None, below: str | None
) -> None:
    for name in names:
        (tmp_path / name).touch()
    (folder,) = walk.below(str(tmp_path))
    assert folder.suffixes == {split_ending(name)[1] for name in folder.names}
    naming = Naming(below, "x2", ending)
    assert naming.keeps(folder) is all(naming.name(name) == name for name in folder.names)
