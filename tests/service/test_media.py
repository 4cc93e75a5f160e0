"""What is no photo: videos, which go on after a kill, and images of science, which keep their format."""

from __future__ import annotations

import gzip
import io
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

import PIL.Image
from clip import clip
from served import CHANGED, Server, png, until

import subpixel
from subpixel.cli import main
from subpixel.jobs.request import Request

Make = Callable[..., Server]

COUNTED = """
import time
if __name__ == "__mp_main__":
    import subpixel.video.upscaling as upscaling
    upscaling.SECONDS = 0.4
    _call = upscaling.FrameUpscaler.__call__
    def counted(self, planes):
        with open({file!r}, "a") as file:
            file.write("x")
        time.sleep({seconds})
        return _call(self, planes)
    upscaling.FrameUpscaler.__call__ = counted
"""
"""Segments of 0.4 s, and a letter in a file for each frame that is computed."""


def enlarged(source: Path, target: Path, **asked: Any) -> bytes:
    """What the library makes of a video."""
    from subpixel.video import VideoRequest, upscale

    list(upscale(source, target, VideoRequest.parse(asked)))
    return target.read_bytes()


@pytest.mark.parametrize(
    ("name", "kind", "media_type"), [("a.mp4", "mp4", "video/mp4"), ("a.mkv", "mkv", "video/x-matroska")]
)
def test_a_video_becomes_what_the_library_makes_of_it(
    server: Server, tmp_path: Path, name: str, kind: str, media_type: str
) -> None:
    source = clip(tmp_path / name)
    job = server.submit(source.read_bytes(), "model=bicubic&scale=2&quality=80")
    assert (job["target"]["format"], job["target"]["width"], job["target"]["height"]) == (kind, 128, 96)
    done = server.finished(job["id"])
    assert (done["state"], done["progress"], done["attempts"]) == ("done", 1, 1), done["error"]
    assert done["chosen"].startswith("bicubic to 128x96")
    result = server.client.get(done["links"]["result"])
    assert result.headers["content-type"] == media_type
    assert result.content == enlarged(source, tmp_path / f"b.{kind}", model="bicubic", scale=2, quality=80)
    other = server.client.get(done["links"]["result"], headers={"Accept": "image/png"})
    assert (other.status_code, other.json()["type"]) == (406, "/problems/not-acceptable")
    assert not list((server.data / "results").glob("*.partial"))


def test_a_network_with_a_memory_is_for_videos(server: Server, tmp_path: Path) -> None:
    table = np.arange(48, dtype=np.float32).reshape(6, 8)
    fits = pytest.importorskip("astropy.io.fits", reason="needs the extra astro")
    fits.PrimaryHDU(table).writeto(tmp_path / "a.fits")
    for body in (png(), (tmp_path / "a.fits").read_bytes()):
        for where in ("jobs", "upscale"):
            answer = server.client.post(f"/v1/{where}?model=swift-video", content=body)
            assert answer.status_code == 400, answer.text
            assert answer.json()["detail"].startswith("swift-video-x2 carries what it sees from frame to frame; it is")
    assert not list((server.data / "uploads").iterdir())
    job = server.submit(clip(tmp_path / "a.mkv", frames=2).read_bytes(), "model=swift-video")
    assert server.finished(job["id"])["chosen"].startswith("swift-video-x2")


def test_what_is_too_much_of_a_video_is_refused_at_once(servers: Make, tmp_path: Path) -> None:
    body = clip(tmp_path / "a.mp4", frames=20).read_bytes()
    server = servers("--max-video", "0.0001")
    for query, status, detail in [
        ("scale=2", 413, "128 x 96 pixels in 20 frames is more than the limit of 100,000"),
        ("scale=400", 413, "25600 x 19200 pixels is more than the limit of 100,000,000"),
        ("scale=1&codec=vp9", 400, "codec"),
        ("scale=1&encoding.format=png", 400, "expected one of mkv, mp4"),
        ("scale=1&start=9", 400, "the part begins at 9 s"),
        ("scale=1&quality=0", 400, "quality"),
    ]:
        answer = server.client.post(f"/v1/jobs?model=bicubic&{query}", content=body)
        assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
        assert str(server.data) not in answer.text
    assert server.client.post("/v1/jobs", content=b"\x1aE\xdf\xa3 and then nothing").status_code == 422
    assert server.client.post("/v1/jobs", content=b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n").status_code == 422
    answer = server.client.post("/v1/inspect", content=body)
    assert (answer.status_code, "it is read as a video; only photos" in answer.json()["detail"]) == (422, True)
    assert not list((server.data / "uploads").iterdir())


def test_a_video_is_cancelled_and_leaves_nothing(servers: Make, tmp_path: Path) -> None:
    body = clip(tmp_path / "a.mkv", frames=50).read_bytes()
    server = servers("--workers", "1", code=COUNTED.format(file=str(tmp_path / "frames"), seconds=0.2))
    job = server.submit(body, "model=bicubic&scale=2")
    until(lambda: 0 < server.client.get(job["links"]["self"]).json()["progress"] < 1)
    assert list((server.data / "results").glob("*.partial"))
    assert server.client.delete(job["links"]["self"]).json()["state"] == "cancelled"
    until(lambda: not [*server.data.glob("uploads/*"), *server.data.glob("results/*")])
    assert len((tmp_path / "frames").read_text()) < 50


def test_a_video_goes_on_where_the_server_was_killed(
    servers: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, frames = clip(tmp_path / "a.mkv", frames=40), tmp_path / "frames"
    changed = CHANGED.format(changes="lease=1.0")
    server = servers("--workers", "1", code=changed + COUNTED.format(file=str(frames), seconds=0.1))
    job = server.submit(source.read_bytes(), "model=bicubic&scale=2")
    partial = server.data / "results" / f"{job['id']}.mkv.partial"
    until(lambda: len(list(partial.glob("*.segment"))) >= 2)
    server.stop(signal.SIGKILL)
    before = len(frames.read_text())
    assert 20 <= before < 40
    server.start()
    done = server.finished(job["id"])
    assert (done["state"], done["attempts"]) == ("done", 1), done["error"]
    assert len(frames.read_text()) - before < 40 - 10
    monkeypatch.setattr("subpixel.video.upscaling.SECONDS", 0.4)
    result = server.client.get(done["links"]["result"]).content
    assert result == enlarged(source, tmp_path / "b.mkv", model="bicubic", scale=2)


def fits() -> bytes:
    """Stars' counts, with places on the sky."""
    astropy: Any = pytest.importorskip("astropy.io.fits", reason="needs the extra astro")
    image = astropy.PrimaryHDU(np.random.default_rng(0).normal(1000, 30, (20, 30)).astype(np.float32))
    for name, value in {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 15.0, "CRPIX2": 10.0}.items():
        image.header[name] = value
    image.header.update({"CDELT1": -0.001, "CDELT2": 0.001, "CRVAL1": 10.0, "CRVAL2": 20.0})
    buffer = io.BytesIO()
    image.writeto(buffer)
    return buffer.getvalue()


def test_an_image_of_science_stays_one(server: Server, tmp_path: Path) -> None:
    from subpixel.domains import upscale_file

    job = server.submit(fits(), "scale=2&window=3,4,20x10")
    assert job["source"] == {"format": "FITS", "width": 30, "height": 20, "bytes": len(fits())}
    assert job["target"] == {"format": "fits", "width": 40, "height": 20, "bytes": None}
    done = server.finished(job["id"])
    assert done["state"] == "done", done["error"]
    result = server.client.get(done["links"]["result"])
    assert result.headers["content-type"] == "image/fits"
    (tmp_path / "a.fits").write_bytes(fits())
    upscale_file(
        tmp_path / "a.fits", tmp_path / "b.fits", Request.parse({"scale": 2, "window": "3,4,20x10"}).upscaler()
    )
    assert _numbers(result.content) == _numbers((tmp_path / "b.fits").read_bytes())
    other = server.client.get(done["links"]["result"], headers={"Accept": "image/png"})
    assert (other.status_code, other.json()["type"]) == (406, "/problems/not-acceptable")


def test_what_is_not_a_photo_is_waited_for_in_a_format_that_it_becomes(server: Server, tmp_path: Path) -> None:
    video = clip(tmp_path / "a.mp4", frames=5).read_bytes()
    for content, accept, status, kind in [
        (fits(), "image/fits", 200, "image/fits"),
        (fits(), "image/png, image/fits;q=0.1", 200, "image/fits"),
        (fits(), "image/png", 406, "application/problem+json"),
        (video, "image/png, video/webm;q=0.5", 200, "video/webm"),
        (video, "image/png", 406, "application/problem+json"),
    ]:
        answer = server.client.post("/v1/upscale?model=nearest", content=content, headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (status, kind), (accept, answer.content[:300])


def test_a_geotiff_stays_one(server: Server) -> None:
    job = server.finished(server.submit(whole_numbers(), "scale=2&model=nearest")["id"])
    assert (job["source"]["format"], job["target"]["format"]) == ("GeoTIFF", "tif")
    refused = server.client.get(job["links"]["result"], headers={"Accept": "image/png"})
    assert (refused.status_code, refused.json()["type"]) == (406, "/problems/not-acceptable"), refused.text
    assert server.client.get(job["links"]["result"], headers={"Accept": "image/tiff"}).status_code == 200


def test_a_damaged_image_of_science_is_said_to_be_that_and_not_where_it_lies(server: Server) -> None:
    job = server.finished(server.submit(fits()[:-1000], "scale=2&model=nearest")["id"])
    assert (job["state"], job["error"]["type"]) == ("failed", "/problems/failed-image")
    assert job["error"]["detail"].startswith("cannot read the image: it is damaged: cannot reshape array")
    assert str(server.data) not in json.dumps(job)
    answer = server.client.post("/v1/jobs?scale=2&model=nearest", content=fits()[:-2880])  # which has no number left
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("cannot read the image: it is damaged: cannot reshape array")


def _numbers(content: bytes) -> tuple[bytes, Any]:
    from astropy.io import fits

    with fits.open(io.BytesIO(content)) as opened:
        return opened[0].data.tobytes(), opened[0].header["CRPIX1"]


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/v1/jobs?encoding.format=png", 400, "FITS becomes fits, and nothing else"),
        ("/v1/jobs?scale=2000", 413, "more than the limit of 100,000,000"),
        ("/v1/jobs?scale=0.5", 400, "is enlarged only"),
        ("/v1/jobs?window=15,0,20x20", 400, "window 15,0,20x20 does not lie within its 30 x 20 pixels"),
        ("/v1/jobs?bands=1", 400, "the file: bands are chosen of a GeoTIFF alone"),
        ("/v1/inspect", 422, "it is read as FITS; only photos are inspected"),
    ],
)
def test_what_an_image_of_science_cannot_become_is_told(server: Server, path: str, status: int, detail: str) -> None:
    answer = server.client.post(path, content=fits())
    assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text


def whole_numbers() -> bytes:
    """A TIFF that says nothing of places, in whole numbers of 32 bits, which no photo has."""
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.arange(60, dtype=np.int32).reshape(6, 10)).save(buffer, "TIFF")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("make", "kind"), [(whole_numbers, "GeoTIFF"), (fits, "FITS"), (lambda: b"\0\0\0\x18ftypmp42", "a video")]
)
def test_why_a_file_is_not_inspected_is_one_sentence_in_service_and_command(
    server: Server, tmp_path: Path, make: Callable[[], bytes], kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    why = f"it is read as {kind}; only photos are inspected"
    answer = server.client.post("/v1/inspect", content=make())
    assert (answer.status_code, answer.json()["detail"]) == (422, f"cannot read the image: {why}")
    (tmp_path / "a.tif").write_bytes(make())
    with pytest.raises(SystemExit) as ended:
        main(["inspect", str(tmp_path / "a.tif")])
    told = capfd.readouterr().err
    assert (ended.value.code, told) == (2, f"subpixel: cannot read {tmp_path / 'a.tif'}: {why}\n")


def test_of_an_animation_the_first_frame_is_inspected(server: Server) -> None:
    file, images = io.BytesIO(), [PIL.Image.fromarray(np.full((64, 64, 3), level, np.uint8)) for level in (9, 99)]
    images[0].save(file, "PNG", save_all=True, append_images=images[1:], duration=100)
    answer = server.client.post("/v1/inspect?scale=2", content=file.getvalue()).json()
    assert (answer["frames"], answer["summary"]) == (2, subpixel.inspect(images[0]).summary)


def test_a_volume_is_known_by_its_first_bytes(server: Server) -> None:
    """An upload has no name, and this one is compressed."""
    nib: Any = pytest.importorskip("nibabel", reason="needs the extra medical")
    volume = nib.Nifti1Image(np.random.default_rng(0).integers(0, 900, (20, 30, 2)).astype(np.int16), np.eye(4))
    job = server.submit(gzip.compress(volume.to_bytes()), "scale=2&model=bicubic")
    assert (job["source"]["format"], job["source"]["width"], job["source"]["height"]) == ("NIfTI", 30, 20)
    done = server.finished(job["id"])
    assert done["state"] == "done", done["error"]
    result = server.client.get(done["links"]["result"])
    assert result.headers["content-type"] == "application/x-nifti"
    made = nib.Nifti1Image.from_bytes(result.content)
    assert (made.shape, made.header.get_zooms()) == ((40, 60, 2), (0.5, 0.5, 1.0))


@pytest.mark.parametrize("body", [b"\x1f\x8b\x08\0" + bytes(100), gzip.compress(bytes(1000))], ids=["broken", "zeros"])
def test_what_is_compressed_and_no_volume_is_refused(server: Server, body: bytes) -> None:
    answer = server.client.post("/v1/jobs", content=body)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unreadable-image")
