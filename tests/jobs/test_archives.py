"""Images in archives: read where they lie, and nothing in an archive leads out of it or fills the memory."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from subpixel import Request
from subpixel.errors import BadRequest
from subpixel.images import Image, read, write
from subpixel.jobs import archives
from subpixel.jobs.batch import upscale_batch
from subpixel.jobs.discovery import find_jobs
from subpixel.jobs.pool import Finished, Passed
from subpixel.jobs.resumption import unfinished

REQUEST = Request(model="bicubic", scale=2)
NAMES = (
    "a.png", "deep/b.png", "deep/c d.png", "../out.png", "/root.png", ".hidden.png", "__MACOSX/a.png", "notes.txt",
    "deep/cells.zarr/.zattrs", "deep/cells.zarr/0/1.png",
)  # fmt: skip


@pytest.fixture
def photo(tmp_path: Path) -> bytes:
    write(tmp_path / "photo.png", Image(np.full((4, 6, 3), 0.5, np.float32)))
    return (tmp_path / "photo.png").read_bytes()


@pytest.fixture(params=["zip", "tar"])
def archive(request: pytest.FixtureRequest, tmp_path: Path, photo: bytes) -> str:
    path = tmp_path / f"photos.{request.param}"
    if request.param == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name in NAMES:
                packed.writestr(name, photo)
    else:
        with tarfile.open(path, "w") as packed:
            for name in NAMES:
                about = tarfile.TarInfo(name)
                about.size = len(photo)
                packed.addfile(about, io.BytesIO(photo))
            link = tarfile.TarInfo("link.png")
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            packed.addfile(link)
    return str(path)


def run(archive: str, out: Path) -> dict[str, str]:
    """What became of each image."""
    told = dict[str, str]()
    with REQUEST.upscaler() as upscaler:
        jobs = unfinished(find_jobs([archive], str(out), suffix="x2"), REQUEST.identity)
        for event in upscale_batch(jobs, upscaler, REQUEST.encoding, REQUEST.identity):
            if isinstance(event, Finished):
                told[os.path.relpath(event.job.source, archive)] = str(event.error or "done")
            elif isinstance(event, Passed):
                told |= {os.path.relpath(job.source, archive): "skipped" for job in event.jobs}
    return told


def test_its_images_are_enlarged_and_what_leads_out_is_refused(archive: str, tmp_path: Path) -> None:
    out = tmp_path / "out"
    told = run(archive, out)
    wanted = {"a.png", "deep/b.png", "deep/c d.png"}
    assert {name for name, what in told.items() if what == "done"} == wanted
    refused = {name: what for name, what in told.items() if what != "done"}
    assert "unpack the archive" in refused.pop("deep/cells.zarr")
    assert len(refused) == 2
    assert all("leads out of the archive" in what for what in refused.values())
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == wanted
    assert {path.name for path in tmp_path.iterdir()} == {"out", "photo.png", os.path.basename(archive)}
    assert read(out / "deep/b.png").pixels.shape == (8, 12, 3)
    assert {what for name, what in run(archive, out).items() if name in wanted} == {"skipped"}


def test_a_member_that_unpacks_to_too_much_is_refused(
    archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "LARGEST", 20)
    told = run(archive, tmp_path / "out")
    assert f"cannot read {archive}/a.png: unpacked it has more than 20 bytes" in told["a.png"]
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_costs_itself_alone(archive: str, tmp_path: Path) -> None:
    whole = Path(archive).read_bytes()
    Path(archive).write_bytes(whole[:150])
    (told,) = run(archive, tmp_path / "out").values()
    assert told.startswith(f"{archive}: it is no archive, or damaged")
    assert "\n" not in told
    jobs = list(find_jobs([archive, str(tmp_path)], str(tmp_path / "out"), suffix="x2"))
    assert [Path(job.source).name for job in jobs if not job.refused] == ["photo.png"]


@pytest.mark.parametrize("more", [0, 100])  # bytes of the second header
def test_a_tar_that_is_cut_off_says_so(tmp_path: Path, photo: bytes, more: int) -> None:
    path = tmp_path / "p.tar"
    with tarfile.open(path, "w") as packed:
        for name in ("a.png", "b.png"):
            packed.add(tmp_path / "photo.png", name)
    with tarfile.open(path) as packed:
        second = packed.getmembers()[1].offset
    path.write_bytes(path.read_bytes()[: second + more])
    told = run(str(path), tmp_path / "out")
    assert told["a.png"] == "done"
    assert told["."] == f"{path}: it is cut off or damaged behind a.png: what follows is missing"


def test_links_in_a_tar_are_what_they_lead_to(tmp_path: Path, photo: bytes) -> None:
    with tarfile.open(tmp_path / "p.tar", "w") as packed:
        about = tarfile.TarInfo("deep/a.png")
        about.size = len(photo)
        packed.addfile(about, io.BytesIO(photo))
        kinds = {"deep/soft.png": (tarfile.SYMTYPE, "a.png"), "hard.png": (tarfile.LNKTYPE, "deep/a.png")}
        kinds |= {"twice.png": (tarfile.SYMTYPE, "deep/soft.png"), "out.png": (tarfile.SYMTYPE, "../photo.png")}
        for name, (kind, target) in kinds.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            packed.addfile(link)
    wanted = {"deep/a.png", "deep/soft.png", "hard.png", "twice.png"}
    assert run(str(tmp_path / "p.tar"), tmp_path / "out") == dict.fromkeys(wanted, "done")


def test_members_are_found_however_their_names_are_written(tmp_path: Path, photo: bytes) -> None:
    (tmp_path / "holiday.zip").mkdir()
    path = tmp_path / "holiday.zip/in.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for name in ("./a.png", "x//b.png", "y/./c.png"):
            packed.writestr(name, photo)
    assert run(str(path), tmp_path / "out") == dict.fromkeys(("a.png", "x/b.png", "y/c.png"), "done")


def test_damage_in_a_member_costs_that_member(tmp_path: Path, photo: bytes) -> None:
    path = tmp_path / "p.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.png", photo)
        packed.writestr("b.png", photo)
    whole = bytearray(path.read_bytes())
    whole[whole.index(photo) + 50] ^= 255
    path.write_bytes(whole)
    told = run(str(path), tmp_path / "out")
    assert told["b.png"] == "done"
    assert "the archive does not give it: Bad CRC-32" in told["a.png"]


def test_results_need_a_folder_of_their_own(archive: str) -> None:
    with pytest.raises(BadRequest, match="name the result with -o"):
        find_jobs([archive], suffix="x2")
