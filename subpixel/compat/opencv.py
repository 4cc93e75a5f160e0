"""A drop-in for cv2.dnn_superres: change one import.

    from subpixel.compat import opencv as dnn_superres

    sr = dnn_superres.DnnSuperResImpl_create()
    sr.readModel("FSRCNN_x3.pb")
    sr.setModel("fsrcnn", 3)
    result = sr.upsample(img)

With a file that was read the result is OpenCV's: within 1 level of 255, and 2 in the rare pixel (fewer than 1 in
10,000) where luma and chroma both lie on a half and their float noise decides. Without `readModel` the package's own
weights are used. OpenCV itself is not needed.
"""
# ruff: noqa: N802 (the names are OpenCV's)

from __future__ import annotations

import operator
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from subpixel import models
from subpixel.errors import BadRequest, UnknownName, check_type
from subpixel.imports import tensorflow
from subpixel.inference.upscaler import Upscaler
from subpixel.ports import ModelName
from subpixel.runtimes import Execution

Uint8Image = NDArray[np.uint8]
"""8-bit levels: H W 3 in the order blue, green, red; H W or H W 1 for gray."""

ALGORITHMS = ("edsr", "espcn", "fsrcnn", "lapsrn")
"""OpenCV's; the families of the package's own models can be set as well."""

_HALF = (2, 7, 10)  # OpenCV's targets OPENCL_FP16, CUDA_FP16 and CPU_FP16


class DnnSuperResImpl:
    """Enlarges images as cv2.dnn_superres.DnnSuperResImpl does."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._algorithm, self._scale, self._half = "", 0, False
        self._upscalers: dict[str, Upscaler] = {}

    @staticmethod
    def create() -> DnnSuperResImpl:
        """A new, empty object."""
        return DnnSuperResImpl()

    def readModel(self, path: str | Path) -> None:
        """Takes the network and the weights of one of OpenCV's .pb files.

        Raises: BadWeights for a file that is damaged or something else; what was read before stays.
        """
        path = Path(path)
        upscaler = self._read(path, tensorflow.OUTPUT)
        self._path, self._upscalers = path, {tensorflow.OUTPUT: upscaler}

    def setModel(self, algo: str, scale: int) -> None:
        """Names the algorithm, "edsr", "espcn", "fsrcnn" or "lapsrn", and its factor; or a family of the package's own.

        OpenCV accepts anything here. Refused is what no file that is read later could mend.
        Raises: UnknownName; BadRequest for a name that is no text, a factor below 1, a family of the package that has
        no such factor, or one that is for videos; TypeError for a factor that is no integer.
        """
        check_type("the algorithm", algo, str)
        algorithm, factor = algo.lower(), operator.index(scale)
        if factor < 1:
            raise BadRequest(f"the factor {factor}; expected 1 or more, for instance setModel('fsrcnn', 3)")
        if algorithm not in ALGORITHMS:
            _check_family(algorithm, factor)
        self._algorithm, self._scale = algorithm, factor
        if self._path is None:
            self._upscalers.clear()

    def upsample(self, img: Uint8Image, result: Uint8Image | None = None) -> Uint8Image:
        """The enlarged image, H W 3 -> sH sW 3, or H W -> sH sW.

        result: is filled and returned if it has the shape and type of the enlarged image.
        Raises: BadRequest for an image of another type or shape, before `setModel`, or for a factor that the file
        does not have or the package has no weights for; for a result that is no array or cannot be written.
        """
        if not self._algorithm:
            raise BadRequest("no model is set; call setModel, for instance setModel('fsrcnn', 3)")
        if result is not None:
            _check_result(result)
        enlarged = self._enlarged(img, tensorflow.OUTPUT, self._scale)
        if result is None or (result.shape, result.dtype) != (enlarged.shape, enlarged.dtype):
            return enlarged
        result[...] = enlarged
        return result

    @overload
    def upsampleMultioutput(
        self, img: Uint8Image, scale_factors: Sequence[int], node_names: Sequence[str], /
    ) -> list[Uint8Image]: ...

    @overload
    def upsampleMultioutput(
        self,
        img: Uint8Image,
        imgs_new: Sequence[Uint8Image] | None,
        scale_factors: Sequence[int],
        node_names: Sequence[str],
    ) -> list[Uint8Image]: ...

    def upsampleMultioutput(
        self, img: Uint8Image, imgs_new: Any, scale_factors: Sequence[Any], node_names: Sequence[str] | None = None
    ) -> list[Uint8Image]:
        """The image at several sizes, from several nodes of the file that was read (LapSRN has one for each factor).

        imgs_new: a list that the results are appended to, as in C++; OpenCV's binding for Python leaves it empty and
        returns nothing.
        Raises: BadRequest as `upsample` and where the factors do not fit; BadWeights for a node that is not there.
        """
        if node_names is None:
            imgs_new, scale_factors, node_names = None, imgs_new, scale_factors
        if self._path is None:
            raise BadRequest("no file with several outputs was read; call readModel, for instance with LapSRN_x4.pb")
        if len(scale_factors) != len(node_names):
            raise BadRequest(f"{len(scale_factors)} scale factors for {len(node_names)} nodes; expected as many")
        results = [self._enlarged(img, node, scale) for node, scale in zip(node_names, scale_factors, strict=True)]
        if isinstance(imgs_new, list):
            imgs_new += results
        return results

    def getScale(self) -> int:
        """The factor that was set, 0 before."""
        return self._scale

    def getAlgorithm(self) -> str:
        """The algorithm that was set, in lower case, "" before."""
        return self._algorithm

    def setPreferableBackend(self, backendId: int) -> None:  # noqa: N803
        """Accepted and without effect: there is one backend."""

    def setPreferableTarget(self, targetId: int) -> None:  # noqa: N803
        """A target of half precision lets a file that was read run in bf16, faster and within 4 levels or so.

        The others have no effect.
        """
        self._half = targetId in _HALF
        self._upscalers.clear()

    def _enlarged(self, img: Uint8Image, node: str, scale: int) -> Uint8Image:
        upscaler = self._upscaler(node)
        _check(img)
        factor = upscaler.factor
        if factor != scale:
            raise BadRequest(f"the file enlarges by {factor:g} at {node}, not by {scale}")
        if img.ndim == 2 or img.shape[2] == 1:
            return upscaler(img.reshape(img.shape[:2]))
        result = upscaler(img[..., ::-1])
        red = result[..., 0].copy()
        result[..., 0], result[..., 2] = result[..., 2], red
        return result

    def _upscaler(self, node: str) -> Upscaler:
        if node not in self._upscalers:
            self._upscalers[node] = self._own() if self._path is None else self._read(self._path, node)
        return self._upscalers[node]

    def _own(self) -> Upscaler:
        name = ModelName("edsr-base" if self._algorithm == "edsr" else self._algorithm, self._scale)
        if str(name) not in models.names():
            raise BadRequest(f"{_lacking(name)}; call readModel with a .pb file")
        return Upscaler(str(name))

    def _read(self, path: Path, node: str) -> Upscaler:
        model = tensorflow.load(path, node, exact=not self._half)
        return Upscaler(model, execution=Execution(precision="auto" if self._half else "f32"))


DnnSuperResImpl_create = DnnSuperResImpl.create


def _check_family(family: str, scale: int) -> None:
    """Raises: UnknownName, BadRequest for what is no model for photos in the package."""
    name = ModelName(family, scale)
    if not _of_family(family):
        known = {each.family for text in models.of_photos() if (each := ModelName.parse(text))}
        raise UnknownName("algorithm", family, {*ALGORITHMS, *known})
    if str(name) not in models.names():
        raise BadRequest(_lacking(name))
    models.load(str(name)).card.check_enlarges()


def _lacking(name: ModelName) -> str:
    return f"the package has no weights for {name} (it has {', '.join(_of_family(name.family))})"


def _of_family(family: str) -> list[str]:
    """The package's models of a family, by name."""
    return [text for text in models.names() if (name := ModelName.parse(text)) and name.family == family]


def _check(img: Any) -> None:
    shape = getattr(img, "shape", None)
    if not isinstance(img, np.ndarray) or img.dtype != np.uint8:
        raise BadRequest(f"an image of type {getattr(img, 'dtype', type(img).__name__)}; expected uint8")
    if img.size == 0 or not (img.ndim == 2 or (img.ndim == 3 and img.shape[2] in (1, 3))):
        raise BadRequest(f"an image of shape {shape}; expected (height, width) or (height, width, 3)")


def _check_result(result: Any) -> None:
    """Raises: BadRequest for what OpenCV refuses, whatever its shape, and for a number, which it ignores."""
    check_type("the result", result, np.ndarray)
    if not result.flags.writeable:
        raise BadRequest("the result is a read-only array; expected one that can be written, or None")
