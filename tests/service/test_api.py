"""The routes, over the network."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi", reason="needs the extra serve")

from served import SLOW, Server, pixels, png, until

from subpixel.images import FORMATS
from subpixel.inference.upscaler import Upscaler


def test_an_image_becomes_what_the_library_makes_of_it(server: Server) -> None:
    job = server.submit(png(seed=1), "model=bicubic&scale=3")
    assert job["state"] == "waiting"
    assert job["target"] == {"format": "png", "width": 72, "height": 48, "bytes": None}
    done = server.finished(job["id"])
    assert (done["state"], done["progress"], done["attempts"], done["chosen"]) == ("done", 1, 1, "bicubic to 72x48")
    result = server.client.get(done["links"]["result"])
    assert result.headers["content-type"] == "image/png"
    assert len(result.content) == done["target"]["bytes"]
    expected = Upscaler("bicubic", scale=3)(pixels(png(seed=1)))
    np.testing.assert_array_equal(pixels(result.content), expected)


def test_a_network_does_it_too_and_small_images_at_once(server: Server) -> None:
    answer = server.client.post("/v1/upscale?model=espcn&scale=2", content=png(seed=2))
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-subpixel-chosen"].startswith("espcn-x2 to 48x32; espcn-x2: openvino")
    np.testing.assert_array_equal(pixels(answer.content), Upscaler("espcn", scale=2)(pixels(png(seed=2))))
    assert not list(server.data.glob("*/*.part"))


def test_a_form_carries_an_image(server: Server) -> None:
    files = {"image": ("photo.png", png(seed=3), "image/png")}
    answer = server.client.post("/v1/upscale?model=nearest&scale=2", files=files)
    assert pixels(answer.content).shape == (32, 48, 3)
    two = {"a": ("a.png", png()), "b": ("b.png", png())}
    assert server.client.post("/v1/upscale?model=nearest", files=two).status_code == 400
    fields = server.client.post("/v1/jobs", files=files, data={"scale": "2"}).json()
    assert fields["detail"] == "the form has fields; what is asked for stands in the query"


def test_events_tell_every_state_and_resume_after_the_last_one_seen(server: Server) -> None:
    job = server.submit(png(seed=4))
    with server.client.stream("GET", job["links"]["events"]) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = list(_events(stream.iter_lines()))
    revisions = [int(event["id"]) for event in events]
    assert revisions == sorted(set(revisions))
    assert events[-1]["data"]["state"] == "done"
    assert {event["event"] for event in events} == {"job"}
    seen = str(revisions[-1] - 1)
    with server.client.stream("GET", job["links"]["events"], headers={"Last-Event-ID": seen}) as stream:
        assert [event["data"] for event in _events(stream.iter_lines())] == [events[-1]["data"]]
    with server.client.stream("GET", job["links"]["events"], headers={"Last-Event-ID": events[-1]["id"]}) as stream:
        assert list(_events(stream.iter_lines())) == []


def test_a_job_that_waits_is_told_again_how_many_are_before_it(servers: Callable[..., Server]) -> None:
    server = servers("--workers", "1", code=f"import subpixel.service.watch as w; w._QUIET = 0.2\n{SLOW}")
    first, second, third = (server.submit(png(8, 1000, seed=n)) for n in range(3))
    until(lambda: server.client.get(first["links"]["self"]).json()["state"] == "running")
    with server.client.stream("GET", third["links"]["events"]) as stream:
        told = (json.loads(line[6:]) for line in stream.iter_lines() if line.startswith("data: "))
        before = next(told)
        server.client.delete(second["links"]["self"])
        after = next(job for job in told if job["ahead"] == 0)
        assert [(job["state"], job["revision"]) for job in (before, after)] == [("waiting", 1)] * 2
    assert before["ahead"] == 1


@pytest.mark.parametrize("senseless", [b"\xb2", b"1" * 5000, b"-1", b"abc", b""])
def test_an_event_that_cannot_have_been_seen_is_none(server: Server, senseless: bytes) -> None:
    job = server.finished(server.submit(png(seed=4))["id"])
    with server.client.stream("GET", job["links"]["events"], headers=[(b"last-event-id", senseless)]) as stream:
        assert stream.status_code == 200, stream.read()
        assert [event["data"]["state"] for event in _events(stream.iter_lines())] == ["done"]


def _operations(description: Any) -> list[str]:
    return [each["operationId"] for path in description["paths"].values() for each in path.values()]


def _events(lines: Any) -> Any:
    event: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if line and name:
            event[name] = json.loads(value) if name == "data" else value
        elif event:
            yield event
            event = {}


def test_results_have_ranges_tags_and_the_format_that_is_accepted(server: Server) -> None:
    job = server.submit(png(40, 30, seed=5), "model=bicubic&encoding.lossless=true")
    result = server.finished(job["id"])["links"]["result"]
    whole = server.client.get(result)
    tag = whole.headers["etag"]
    part = server.client.get(result, headers={"Range": "bytes=10-19", "If-Range": tag})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(whole.content)}"
    changed = server.client.get(result, headers={"Range": "bytes=10-19", "If-Range": '"other"'})
    assert (changed.status_code, changed.content) == (200, whole.content)
    beyond = server.client.get(result, headers={"Range": "bytes=999999-"})
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole.content)}")
    assert beyond.headers["content-type"] == "application/problem+json"
    assert beyond.json() == {
        "type": "/problems/no-such-range",
        "title": "There is no such range",
        "status": 416,
        "detail": f"Range 'bytes=999999-'; there are {len(whole.content):,} bytes",
    }
    one = server.client.get(result, headers={"Range": "bytes=2-3,999999-"})
    assert (one.status_code, one.content) == (206, whole.content[2:4])
    for senseless in ("bytes=abc", "abc", "bytes=", "bytes=9-3", "pages=1-2"):  # RFC 9110, 14.2: may be ignored
        answer = server.client.get(result, headers={"Range": senseless})
        assert (answer.status_code, answer.content) == (200, whole.content), senseless
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = server.client.get(result, headers={"If-None-Match": known})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag), known
        kept = [whole.headers[name] for name in ("cache-control", "vary")]
        assert [same.headers[name] for name in ("cache-control", "vary")] == kept == ["private, no-cache", "Accept"]
    assert server.client.get(result, headers={"If-None-Match": '"other"'}).content == whole.content
    head = server.client.head(result)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole.content)))
    webp = server.client.get(result, headers={"Accept": "image/avif;q=0.5, image/webp"})
    assert webp.headers["content-type"] == "image/webp"
    assert webp.headers["etag"] != tag
    assert webp.content[8:12] == b"WEBP"
    np.testing.assert_array_equal(pixels(webp.content), pixels(whole.content))  # without loss, as was asked for
    assert server.client.get(result, headers={"Accept": "text/html"}).json()["status"] == 406


def test_the_page_is_not_sent_to_whoever_has_it(server: Server) -> None:
    whole = server.client.get("/main.js")
    same = server.client.get("/main.js", headers={"If-None-Match": whole.headers["etag"]})
    assert (same.status_code, same.content, same.headers["cache-control"]) == (304, b"", "no-cache")
    assert server.client.get("/main.js", headers={"If-None-Match": '"other"'}).content == whole.content


def test_a_key_makes_one_job_of_two_requests(server: Server) -> None:
    job = server.submit(png(seed=6), **{"Idempotency-Key": "once"})
    again = server.client.post("/v1/jobs?model=bicubic", content=png(seed=6), headers={"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["id"]) == (200, job["id"])
    other = server.client.post("/v1/jobs?model=bicubic", content=png(seed=7), headers={"Idempotency-Key": "once"})
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
    server.finished(job["id"])
    assert not list((server.data / "uploads").iterdir())


def test_a_body_that_is_said_to_be_too_large_is_refused_and_no_result_goes_to_make_room_for_it(server: Server) -> None:
    """100 GB are more than the disk may hold: all results of all clients went for a header."""
    kept = server.finished(server.submit(png())["id"])["links"]["result"]
    with socket.create_connection(("127.0.0.1", server.port)) as liar:
        liar.settimeout(20)
        liar.sendall(b"POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000000\r\n\r\n")
        assert liar.recv(100).startswith(b"HTTP/1.1 413 ")
    assert server.client.get(kept).status_code == 200


def test_a_job_is_its_clients_alone(servers: Callable[..., Server], tmp_path: Path) -> None:
    """Another's answers as one that does not exist, and stays as it is."""
    names = ("ann", "bob")
    (tmp_path / "tokens").write_text("".join(f"{name} {name * 6}\n" for name in names))
    server = servers("--token-file", str(tmp_path / "tokens"))
    owner, other = ({"authorization": f"Bearer {name * 6}"} for name in names)
    job = server.submit(png(), **owner)
    until(lambda: server.client.get(job["links"]["self"], headers=owner).json()["state"] == "done")
    asked = [("GET", place) for place in job["links"].values()] + [("DELETE", job["links"]["self"])]
    absent = [(method, place.replace(job["id"], "absent")) for method, place in asked]
    foreign, none = (
        [server.client.request(method, place, headers=other) for method, place in each] for each in (asked, absent)
    )
    assert {answer.status_code for answer in foreign} == {404}
    assert [answer.text for answer in foreign] == [answer.text for answer in none]
    assert {server.client.get(place).status_code for _, place in asked} == {401}
    assert server.client.get("/v1/jobs", headers=other).json() == {"jobs": []}
    assert [each["id"] for each in server.client.get("/v1/jobs", headers=owner).json()["jobs"]] == [job["id"]]
    assert server.client.get(job["links"]["result"], headers=owner).status_code == 200


def test_what_is_deleted_is_gone(server: Server) -> None:
    job = server.finished(server.submit(png(seed=8))["id"])
    assert list((server.data / "results").glob(f"{job['id']}*"))
    assert server.client.delete(job["links"]["self"]).json()["state"] == "expired"
    assert not list((server.data / "results").glob(f"{job['id']}*"))
    gone = server.client.get(job["links"]["result"])
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/expired")


@pytest.mark.parametrize(
    ("path", "body", "status", "detail"),
    [
        ("/v1/jobs", b"no image at all", 422, "not an image in a format"),
        ("/v1/jobs", b"", 400, "the body is empty"),
        ("/v1/jobs?scale=0", png(), 400, "scale 0.0; expected a positive number"),
        ("/v1/jobs?scale=2&scale=3", png(), 400, "scale is given twice"),
        ("/v1/jobs?size=9x9&size.x=1", png(), 400, "unknown parameter 'size.x'; did you mean 'size'?"),
        ("/v1/jobs?scal=2", png(), 400, "unknown parameter 'scal'; did you mean 'scale'?"),
        ("/v1/upscale?denoise=1", png(), 400, "unknown parameter 'denoise'; did you mean 'restoration.denoise'?"),
        ("/v1/inspect?=2", png(), 400, "unknown parameter ''; known: bands, codec, consistent, "),
        ("/v1/jobs?fps=3", png(), 400, "unknown parameter 'fps'"),
        ("/v1/jobs?codec=av1", png(), 400, "codec: for videos alone; this is an image"),
        ("/v1/jobs?stop=2&quality=9&scale=2", png(), 400, "quality, stop: for videos alone; this is an image"),
        ("/v1/jobs?window=0,0,1x1", png(), 400, "the file: a window is enlarged of GeoTIFF, FITS, OME-Zarr alone"),
        ("/v1/jobs?tile=0", png(), 400, "the server decides"),
        ("/v1/jobs?execution.threads=64", png(), 400, "the server decides"),
        ("/v1/jobs?model=/etc/passwd", png(), 400, "expected auto, a kernel, or a name"),
        ("/v1/jobs?model=../x.onnx", png(), 400, "expected auto, a kernel, or a name"),
        ("/v1/jobs?scale=2000", png(), 413, "more than the limit of 100,000,000"),
        ("/v1/jobs?encoding.format=webp&size=20000x100&model=nearest", png(), 400, "WebP ends at 16,383"),
        ("/v1/jobs?encoding.format=bmp", png(), 400, "unknown format '.bmp'"),
        ("/v1/upscale?scale=220&model=nearest", png(), 413, "use /v1/jobs"),
    ],
)
def test_mistakes_are_told_at_once(server: Server, path: str, body: bytes, status: int, detail: str) -> None:
    answer = server.client.post(path, content=body)
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert set(problem) == {"type", "title", "status", "detail"}
    assert detail in problem["detail"]
    assert "\n" not in problem["detail"]
    assert str(server.data) not in answer.text
    assert not list((server.data / "uploads").iterdir())


@pytest.mark.parametrize("path", ["/v1/upscale", "/v1/jobs", "/v1/inspect"])
def test_what_is_encoded_is_not_read(server: Server, path: str) -> None:
    """RFC 9110, 15.5.16: the answer says what would be taken."""
    answer = server.client.post(path, content=gzip.compress(png()), headers={"Content-Encoding": "gzip"})
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/encoded"
    assert answer.json()["detail"] == "Content-Encoding 'gzip'; expected the bytes of the image as they are"
    plain = server.client.post("/v1/inspect", content=png(), headers={"Content-Encoding": "identity"})
    assert plain.status_code == 200


def test_what_is_asked_for_wins_over_what_is_accepted(server: Server) -> None:
    for query, accept, kind in [
        ("&encoding.format=png", "image/webp", "image/png"),
        ("&encoding.format=png", "text/html", "image/png"),
        ("", "image/webp", "image/webp"),
        ("", "image/webp;q=0, image/avif", "image/avif"),
        ("", "IMAGE/WebP", "image/webp"),
        ("", "image/png;q=0, image/webp, */*;q=0.1", "image/webp"),
        ("", "*/*;q=0, image/avif;q=0.1", "image/avif"),
        ("", "text/html, */*;q=0.1", "image/png"),
        ("", "video/mp4, image/webp;q=0.5", "image/webp"),
    ]:
        path = f"/v1/upscale?model=nearest{query}"
        answer = server.client.post(path, content=png(), headers={"Accept": accept})
        assert (answer.status_code, answer.headers["content-type"]) == (200, kind), (query, accept)
    none = server.client.post("/v1/upscale", content=png(), headers={"Accept": "image/*;q=0"})
    assert none.status_code == 406
    refused = server.client.post("/v1/upscale", content=png(), headers={"Accept": "text/html"}).json()
    assert refused["status"] == 406
    assert refused["detail"].startswith("Accept 'text/html'; expected one of image/png, image/jpeg, ")
    assert refused["detail"].count("image/tiff") == 1
    for asked in ("image/fits", "video/mp4"):
        other = server.client.post("/v1/upscale", content=png(), headers={"Accept": asked}).json()
        said = "the result is image/png, which becomes nothing that Accept takes"
        assert (other["type"], other["detail"]) == ("/problems/not-acceptable", said)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models?x=2"),
        ("GET", "/v1/jobs?x=2"),
        ("GET", "/v1/jobs/nothing?x=2"),
        ("DELETE", "/v1/jobs/nothing?x=2"),
        ("GET", "/v1/jobs/nothing/events?x=2"),
        ("HEAD", "/v1/jobs/nothing/result?x=2"),
        ("GET", "/v1/jobs/nothing/result?x=2"),
    ],
)
def test_unknown_parameters_are_refused_where_there_are_none(server: Server, method: str, path: str) -> None:
    answer = server.client.request(method, path)
    assert answer.status_code == 400
    if method != "HEAD":
        assert answer.json()["detail"] == "unknown parameter 'x'; this path has none"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/upscale", "POST"),
        ("PUT", "/v1/jobs", "GET, HEAD, POST"),
        ("PATCH", "/v1/jobs/x", "GET, HEAD, DELETE"),
        ("POST", "/v1/jobs/x/result", "GET, HEAD"),
        ("POST", "/main.js", "GET, HEAD"),
        ("POST", "/browser/index.json", "GET"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(server: Server, method: str, path: str, allowed: str) -> None:
    answer = server.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == f"there is no {method} here; expected {allowed.replace(', ', ' or ')}"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1/jobs/{id}"])
def test_what_is_read_has_a_head(server: Server, path: str) -> None:
    """RFC 9110, 9.3.2; what watches a server asks so."""
    if "{id}" in path:
        path = path.format(id=server.finished(server.submit(png(seed=10))["id"])["id"])
    head, whole = server.client.head(path), server.client.get(path)
    assert (head.status_code, head.content, head.headers["content-type"]) == (200, b"", whole.headers["content-type"])
    assert server.client.head("/v1/jobs/nothing").status_code == 404


def test_unknown_paths_methods_and_jobs(server: Server) -> None:
    for method, path, status in [
        ("GET", "/nothing", 404),
        ("GET", "/../settings.py", 404),
        ("GET", "/v1/jobs/nothing", 404),
        ("GET", "/v1/jobs/nothing/events", 404),
        ("DELETE", "/v1/jobs/nothing", 404),
        ("GET", "/v1/jobs", 404),
        ("GET", "/browser/models/nothing.onnx", 404),
        ("PUT", "/nothing", 404),
        ("GET", "/healthz/", 404),
        ("POST", "/v1/jobs/", 404),
    ]:
        answer = server.client.request(method, path)
        assert (answer.status_code, answer.json()["status"]) == (status, status), path


def test_what_is_wrong_with_an_image(server: Server) -> None:
    answer = server.client.post("/v1/inspect?scale=2", content=png(64, 64, seed=9)).json()
    assert (answer["format"], answer["width"], answer["height"], answer["frames"]) == ("PNG", 64, 64, 1)
    assert answer["result"] == {"format": "png", "width": 128, "height": 128}
    assert answer["chosen"]
    assert answer["summary"]
    assert answer["jpeg_quality"] is None


def test_models_health_and_description(server: Server) -> None:
    models = server.client.get("/v1/models").json()
    assert {"auto", "swift-x2", "espcn-x2"} <= {model["name"] for model in models["models"]}
    assert models["formats"] == list(FORMATS)
    assert models["limits"]["max_megapixels"] == 100
    assert server.client.get("/healthz").json() == {"status": "ok"}
    assert server.client.get("/readyz").json() == {"status": "ready"}
    description = server.client.get("/openapi.json").json()
    assert {"/v1/upscale", "/v1/jobs", "/v1/jobs/{id}/result", "/v1/inspect"} <= set(description["paths"])
    operations = _operations(description)
    assert len(operations) == len(set(operations)) > 9
    names = {parameter["name"] for parameter in description["paths"]["/v1/jobs"]["post"]["parameters"]}
    assert {"model", "scale", "restoration.denoise", "encoding.format", "Idempotency-Key"} <= names
    assert not any(name.startswith(("tile", "execution")) for name in names)
    assert {"Job", "Problem"} <= set(description["components"]["schemas"])
    assert description["servers"] == [{"url": "/"}]
    told = {path: _media_types(description["paths"][path]) for path in ("/v1/upscale", "/v1/jobs/{id}/events")}
    assert {"image/png", "image/webp", "image/avif", "image/jpeg", "application/problem+json"} <= told["/v1/upscale"]
    assert told["/v1/jobs/{id}/events"] == {"text/event-stream", "application/problem+json"}
    metrics = server.client.get("/metrics").text
    assert "subpixel_workers 1\n" in metrics
    assert 'route="/healthz",status="200"' in metrics
    assert server.client.get("/").headers["content-type"] == "text/html; charset=utf-8"


def _media_types(path: Any) -> set[str]:
    return {kind for each in path.values() for answer in each["responses"].values() for kind in answer["content"]}
