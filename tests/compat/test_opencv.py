"""The drop-in against cv2.dnn_superres itself: the same files, the same pixels, the same six lines."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from subpixel import models
from subpixel.compat import opencv as dnn_superres
from subpixel.errors import BadRequest, BadWeights, UnknownName
from subpixel.imports import graphdef
from subpixel.imports.graphdef import Node
from subpixel.inference.upscaler import Upscaler

FILES = {
    **{f"{kind}_x{s}": s for kind in ("ESPCN", "FSRCNN", "FSRCNN-small") for s in (2, 3, 4)},
    "LapSRN_x2": 2, "LapSRN_x4": 4, "LapSRN_x8": 8,
}  # fmt: skip
SIZES = [(1, 1), (1, 9), (7, 2), (37, 53), (64, 64)]
Pixels = NDArray[np.uint8]


def _folder(shared: Path) -> Path:
    return shared / "reference/weights/opencv_pb"


def _both(opencv: ModuleType, path: Path, algorithm: str, scale: int) -> tuple[Callable[..., Pixels], ...]:
    pair = []
    for module in (opencv.dnn_superres, dnn_superres):
        sr = module.DnnSuperResImpl_create()
        sr.readModel(str(path))
        sr.setModel(algorithm, scale)
        assert (sr.getAlgorithm(), sr.getScale()) == (algorithm, scale)
        pair.append(sr.upsample)
    return tuple(pair)


def _photo(shared: Path, name: str) -> Pixels:
    (path,) = (shared / "data/bench").glob(name)
    return np.ascontiguousarray(np.asarray(Image.open(path).convert("RGB"))[..., ::-1])


def _levels(ours: Pixels, theirs: Pixels) -> NDArray[np.int64]:
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    return np.abs(ours.astype(int) - theirs)


@pytest.mark.parametrize("name", FILES)
def test_opencvs_files_give_opencvs_pixels(name: str, shared: Path, opencv: ModuleType) -> None:
    """One level where rounding is a toss-up; two where it is one in luma and chroma at once."""
    scale = FILES[name]
    theirs, ours = _both(
        opencv, _folder(shared) / f"{name}.pb", name.partition("_")[0].partition("-")[0].lower(), scale
    )
    photo = _photo(shared, "Set5/*butterfly*" if "LapSRN" not in name else "Set5/*woman*")
    cut = photo[:100, :120] if "LapSRN" in name else photo[:211, :197]
    off = _levels(ours(cut), theirs(cut.copy()))
    assert off.max() <= 2
    assert (off > 1).mean() < 1e-4
    assert (off > 0).mean() < 0.1
    assert off.mean() < 0.1
    for height, width in SIZES:
        off = _levels(ours(photo[:height, :width]), theirs(photo[:height, :width].copy()))
        assert off.max() <= 1 or (off > 1).mean() < 1e-4


@pytest.mark.parametrize("name", ["FSRCNN_x3", "ESPCN_x2", "LapSRN_x2"])
def test_gray_images(name: str, shared: Path, opencv: ModuleType) -> None:
    theirs, ours = _both(opencv, _folder(shared) / f"{name}.pb", name.partition("_")[0].lower(), FILES[name])
    gray = np.ascontiguousarray(_photo(shared, "Set5/*butterfly*")[:70, :90, 1])
    assert _levels(ours(gray), theirs(gray)).max() <= 1
    assert _levels(ours(gray[..., None]), theirs(gray)).max() <= 1


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_edsr_computes_its_formula(scale: int, edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    """BGR in 0..255 minus OpenCV's mean, the layers written out in NumPy, plus the mean, rounded.

    OpenCV 5.0 itself cannot load a graph with a DepthToSpace of several channels.
    """
    nodes = edsr(scale)
    path = tmp_path / f"EDSR_x{scale}.pb"
    path.write_bytes(graphdef.write(nodes))
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.readModel(path)
    sr.setModel("edsr", scale)
    mean = np.array([103.1545782, 111.561547, 114.35629928])
    for size in SIZES:
        photo = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        expected = np.rint(np.clip(_computed(nodes, photo - mean) + mean, 0, 255))
        assert _levels(sr.upsample(photo), expected.astype(np.uint8)).max() <= 1


def _computed(nodes: list[Node], image: NDArray[np.float64]) -> NDArray[np.float64]:
    """The last value in height, width, channels of a graph that is in order."""
    values: dict[str, NDArray[np.float64]] = {}
    for node in nodes:
        x, *rest = (values[name] for name in node.inputs) if node.inputs else (image,)
        if node.op == "Const":
            x = np.asarray(node.attributes["value"], np.float64)
        elif node.op == "Conv2D":
            padded = np.pad(x, ((1, 1), (1, 1), (0, 0)))
            windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (0, 1))
            x = np.einsum("hwcij,ijco->hwo", windows, rest[0])
        elif node.op in ("Add", "BiasAdd", "Mul"):
            x = x * rest[0] if node.op == "Mul" else x + rest[0]
        elif node.op == "Relu":
            x = np.maximum(x, 0)
        elif node.op == "DepthToSpace":
            block = int(node.attributes["block_size"])  # pyright: ignore[reportArgumentType]
            height, width, depth = x.shape
            split = x.reshape(height, width, block, block, depth // block**2)
            x = split.transpose(0, 2, 1, 3, 4).reshape(height * block, width * block, -1)
        values[node.name] = x
    return values[nodes[-1].name]


def test_the_outputs_of_lapsrn(shared: Path, opencv: ModuleType) -> None:
    """OpenCV's binding leaves its list of results empty; its engine gives the luma, which gray images show."""
    photo = _photo(shared, "Set5/*woman*")[:60, :50]
    sr = dnn_superres.DnnSuperResImpl.create()
    sr.readModel(str(_folder(shared) / "LapSRN_x4.pb"))
    sr.setModel("lapsrn", 4)
    half, whole = sr.upsampleMultioutput(photo, [2, 4], ["NCHW_output_2x", "NCHW_output_4x"])
    np.testing.assert_array_equal(whole, sr.upsample(photo))
    assert half.shape == (120, 100, 3)
    for gray in (photo[..., 1], photo[:1, :9, 0]):
        made = sr.upsampleMultioutput(gray, [2, 4], ["NCHW_output_2x", "NCHW_output_4x"])
        for ours, theirs in zip(made, _luma(opencv, _folder(shared) / "LapSRN_x4.pb", gray), strict=True):
            assert _levels(ours, theirs).max() <= 1
            assert (ours != theirs).mean() < 1e-2
    with pytest.raises(BadRequest, match="enlarges by 2 at NCHW_output_2x, not by 4"):
        sr.upsampleMultioutput(photo, [4], ["NCHW_output_2x"])
    with pytest.raises(BadRequest, match="1 scale factors for 2 nodes"):
        sr.upsampleMultioutput(photo, [2], ["NCHW_output_2x", "NCHW_output_4x"])
    with pytest.raises(BadWeights, match="no node NCHW_output_3x"):
        sr.upsampleMultioutput(photo, [3], ["NCHW_output_3x"])


def _luma(opencv: ModuleType, path: Path, gray: Pixels) -> list[Pixels]:
    """Both outputs of LapSRN_x4.pb in OpenCV's engine."""
    opencv.dnn_superres.DnnSuperResImpl_create()  # makes DepthToSpace known
    engine = {"engine": opencv.dnn.ENGINE_CLASSIC} if hasattr(opencv.dnn, "ENGINE_CLASSIC") else {}  # since 5.0
    net = opencv.dnn.readNetFromTensorflow(str(path), **engine)
    net.setInput(opencv.dnn.blobFromImage(gray.copy(), 1 / 255))
    outputs = net.forward(["NCHW_output_2x", "NCHW_output_4x"])
    return [np.rint(np.clip(made[0, 0], 0, 1) * 255).astype(np.uint8) for made in outputs]


def test_the_binding_is_called_as_opencvs_is(shared: Path, opencv: ModuleType) -> None:
    """Every way to call it that OpenCV's binding accepts, positional and by name."""
    folder, photo = _folder(shared), _photo(shared, "Set5/*woman*")[:30, :25].copy()
    expected = None
    for module in (opencv.dnn_superres, dnn_superres):
        for make in (module.DnnSuperResImpl_create, module.DnnSuperResImpl.create):
            sr = make()
            sr.readModel(path=str(folder / "LapSRN_x4.pb"))
            sr.setModel(algo="lapsrn", scale=np.int64(4))
            sr.setPreferableBackend(backendId=0)
            sr.setPreferableTarget(targetId=0)
            assert (sr.getAlgorithm(), sr.getScale(), type(sr.getScale())) == ("lapsrn", 4, int)
            expected = sr.upsample(photo) if expected is None else expected
            for made in (sr.upsample(img=photo), sr.upsample(photo, None), sr.upsample(photo, result=None)):
                assert _levels(made, expected).max() <= 1
            with pytest.raises(TypeError, match="integer"):
                sr.setModel("lapsrn", "4")
            for results in ([], None, ()):
                sr.upsampleMultioutput(photo, results, (2, 4), ("NCHW_output_2x", "NCHW_output_4x"))
            sr.upsampleMultioutput(img=photo, imgs_new=[], scale_factors=[4], node_names=["NCHW_output_4x"])


def test_a_result_that_fits_is_filled(shared: Path, opencv: ModuleType) -> None:
    photo = _photo(shared, "Set5/*woman*")[:30, :25].copy()
    for upsample in _both(opencv, _folder(shared) / "FSRCNN_x2.pb", "fsrcnn", 2):
        expected = upsample(photo)
        assert expected.any()
        fits = np.zeros((60, 50, 3), np.uint8)
        assert upsample(photo, fits) is fits
        np.testing.assert_array_equal(fits, expected)
        for other in (np.zeros((50, 60, 3), np.uint8), np.zeros((60, 50), np.uint8), np.zeros((60, 50, 3), np.float32)):
            np.testing.assert_array_equal(upsample(photo, other), expected)
            assert not other.any()


def _read_only(*shape: int) -> Pixels:
    array = np.zeros(shape, np.uint8)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    ("result", "why"),
    [
        (_read_only(60, 50, 3), "the result is a read-only array; expected one that can be written, or None"),
        (_read_only(50, 60, 3), "the result is a read-only array; expected one that can be written, or None"),
        ([1], "the result is of type list; expected ndarray"),
        ("x", "the result is of type str; expected ndarray"),
    ],
)
def test_a_result_that_opencv_refuses_is_refused(result: Any, why: str, opencv: ModuleType) -> None:
    photo = np.zeros((30, 25, 3), np.uint8)
    with pytest.raises(opencv.error, match="result"):  # before it looks for a model
        opencv.dnn_superres.DnnSuperResImpl_create().upsample(photo, result)
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.setModel("fsrcnn", 2)
    with pytest.raises(BadRequest) as told:
        sr.upsample(photo, result)
    assert str(told.value) == why


def test_the_list_of_results_is_filled(shared: Path) -> None:
    """As OpenCV does it in C++: appended, in the order of the nodes."""
    photo = _photo(shared, "Set5/*woman*")[:30, :25]
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.readModel(str(_folder(shared) / "LapSRN_x4.pb"))
    sr.setModel("lapsrn", 4)
    factors, nodes = [4, 2], ["NCHW_output_4x", "NCHW_output_2x"]
    results = [photo]
    returned = sr.upsampleMultioutput(photo, results, factors, nodes)
    assert [r.shape for r in results] == [(30, 25, 3), (120, 100, 3), (60, 50, 3)]
    for one, other, third in zip(results[1:], returned, sr.upsampleMultioutput(photo, factors, nodes), strict=True):
        np.testing.assert_array_equal(one, other)
        np.testing.assert_array_equal(one, third)


def test_without_a_file_the_packages_own_weights_are_used() -> None:
    name = next(n for n in models.names() if n.startswith("espcn-x"))
    scale = models.load(name).card.scale
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.setModel("ESPCN", scale)
    assert sr.getAlgorithm() == "espcn"
    photo = np.zeros((20, 30, 3), np.uint8)
    photo[:, 10:20] = (250, 120, 20)  # blue, green, red
    result = sr.upsample(photo)
    assert result.shape == (20 * scale, 30 * scale, 3)
    assert result.flags.c_contiguous
    assert np.abs(result[10 * scale, 15 * scale].astype(int) - (250, 120, 20)).max() < 25
    sr.setModel("lapsrn", 7)
    with pytest.raises(BadRequest, match=r"no weights for lapsrn-x7 .*call readModel"):
        sr.upsample(photo)


@pytest.mark.skipif("edsr-base-x2" not in models.names(), reason="the package has no EDSR")
def test_edsr_stands_for_the_baseline() -> None:
    photo = np.random.default_rng(2).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.setModel("edsr", 2)
    expected = Upscaler("edsr-base-x2")(photo[..., ::-1])[..., ::-1]
    np.testing.assert_array_equal(sr.upsample(photo), expected)


def test_the_order_of_the_calls_does_not_matter(edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    path = tmp_path / "EDSR_x2.pb"
    path.write_bytes(graphdef.write(edsr(2)))
    photo = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    first, second = dnn_superres.DnnSuperResImpl(), dnn_superres.DnnSuperResImpl()
    first.readModel(str(path))
    first.setModel("edsr", 2)
    second.setModel("edsr", 2)
    second.readModel(str(path))
    second.setPreferableBackend(3)
    second.setPreferableTarget(0)
    np.testing.assert_array_equal(first.upsample(photo), second.upsample(photo))


@pytest.mark.parametrize("content", [None, b"", b"no graph"])
def test_a_file_that_cannot_be_read_changes_nothing(
    content: bytes | None, edsr: Callable[[int], list[Node]], tmp_path: Path
) -> None:
    (tmp_path / "EDSR_x2.pb").write_bytes(graphdef.write(edsr(2)))
    if content is not None:
        (tmp_path / "bad.pb").write_bytes(content)
    photo = np.random.default_rng(0).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    own, of_file = dnn_superres.DnnSuperResImpl_create(), dnn_superres.DnnSuperResImpl_create()
    own.setModel("fsrcnn", 2)
    of_file.readModel(tmp_path / "EDSR_x2.pb")
    of_file.setModel("edsr", 2)
    for sr in (own, of_file):
        before = sr.upsample(photo)
        with pytest.raises(BadWeights):
            sr.readModel(tmp_path / "bad.pb")
        np.testing.assert_array_equal(sr.upsample(photo), before)
    own.setModel("espcn", 3)
    assert own.upsample(photo).shape == (27, 24, 3)


def test_half_precision_is_a_target(shared: Path) -> None:
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.readModel(str(_folder(shared) / "FSRCNN_x2.pb"))
    sr.setModel("fsrcnn", 2)
    photo = _photo(shared, "Set5/*butterfly*")[:80, :80]
    exact = sr.upsample(photo)
    sr.setPreferableTarget(10)
    assert _levels(sr.upsample(photo), exact).mean() < 1.5


def test_mistakes_are_said_in_one_line(edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    path = tmp_path / "EDSR_x2.pb"
    path.write_bytes(graphdef.write(edsr(2)))
    sr = dnn_superres.DnnSuperResImpl_create()
    photo = np.zeros((4, 5, 3), np.uint8)
    assert (sr.getAlgorithm(), sr.getScale()) == ("", 0)
    with pytest.raises(BadRequest, match="call setModel"):
        sr.upsample(photo)
    with pytest.raises(BadRequest, match="call readModel"):
        sr.upsampleMultioutput(photo, [2], ["NCHW_output"])
    with pytest.raises(UnknownName, match="did you mean 'fsrcnn'"):
        sr.setModel("fsrnn", 3)
    with pytest.raises(BadWeights, match="no such file"):
        sr.readModel("nothing.pb")
    sr.readModel(path)
    sr.setModel("edsr", 3)
    with pytest.raises(BadRequest, match="enlarges by 2 at NCHW_output, not by 3"):
        sr.upsample(photo)
    sr.setModel("edsr", 2)
    for wrong in (photo.astype(np.float32), np.zeros((4, 5, 4), np.uint8), np.zeros((0, 5, 3), np.uint8), None, [1]):
        with pytest.raises(BadRequest, match="expected"):
            sr.upsample(wrong)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("algorithm", "factor", "why"),
    [
        ("swift-video", 2, "swift-video-x2 carries what it sees from frame to frame; it is for videos: subpixel video"),
        ("Swift", 5, "the package has no weights for swift-x5 (it has swift-x2, swift-x3, swift-x4)"),
        (3, 2, "the algorithm is of type int; expected str"),
        (None, 2, "the algorithm is of type NoneType; expected str"),
        ("fsrcnn", 0, "the factor 0; expected 1 or more, for instance setModel('fsrcnn', 3)"),
    ],
)
def test_what_no_file_could_mend_is_refused_at_once(algorithm: Any, factor: int, why: str) -> None:
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.setModel("espcn", 3)
    with pytest.raises(BadRequest) as told:
        sr.setModel(algorithm, factor)
    assert str(told.value) == why
    assert (sr.getAlgorithm(), sr.getScale()) == ("espcn", 3)


def test_a_factor_that_a_file_may_bring_waits_for_it(edsr: Callable[[int], list[Node]], tmp_path: Path) -> None:
    """OpenCV takes any factor, before the file or after it."""
    (tmp_path / "EDSR_x8.pb").write_bytes(graphdef.write(edsr(8)))
    sr, photo = dnn_superres.DnnSuperResImpl_create(), np.zeros((4, 5, 3), np.uint8)
    sr.setModel("edsr", 8)
    have = "edsr-base-x2, edsr-base-x3, edsr-base-x4"
    with pytest.raises(BadRequest, match=rf"edsr-base-x8 \(it has {have}\); call readModel with a \.pb file$"):
        sr.upsample(photo)
    sr.readModel(tmp_path / "EDSR_x8.pb")
    assert sr.upsample(photo).shape == (32, 40, 3)


def test_the_algorithms_that_are_named_are_for_photos() -> None:
    with pytest.raises(UnknownName) as told:
        dnn_superres.DnnSuperResImpl_create().setModel("zzz", 2)
    assert "swift-large" in str(told.value)
    assert "swift-video" not in str(told.value)


def test_a_large_image_is_enlarged_in_tiles(shared: Path) -> None:
    """The result of a part is the part of the result, far from the part's borders."""
    sr = dnn_superres.DnnSuperResImpl_create()
    sr.readModel(str(_folder(shared) / "FSRCNN-small_x2.pb"))
    sr.setModel("fsrcnn", 2)
    photo = np.random.default_rng(0).integers(0, 256, (700, 900, 3), dtype=np.uint8)
    start = time.monotonic()
    whole = sr.upsample(photo)
    assert time.monotonic() - start < 60
    part = sr.upsample(photo[300:400, 400:500])
    off = _levels(part[40:-40, 40:-40], whole[640:760, 840:960])
    assert off.max() <= 1
