"""Images in, larger images out: a model or a kernel, a runtime, and tiles."""

from __future__ import annotations

import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast, overload

import numpy as np
from numpy.typing import NDArray

from subpixel import models
from subpixel.errors import BadRequest, OutOfMemory, UnknownName
from subpixel.images import Image, open_image, quantise
from subpixel.inference.plan import Plan, Step, Tile, inputs_of, target_shape, tile_of
from subpixel.inference.rows import ArrayRows, Rows
from subpixel.inference.target import Target, chain
from subpixel.ports import ModelName, Shape
from subpixel.resample import KERNELS
from subpixel.runtimes import Execution, Runtime, open_runtime

if TYPE_CHECKING:
    import PIL.Image


class Upscaler:
    """Enlarges images; what it compiles is kept for the next image. Any number of threads may share one.

    model: a model ("swift-x2"), a family that has several factors ("swift"), the path of an .onnx file, a loaded Model,
    or a kernel ("nearest", "bilinear", "bicubic", "lanczos"). scale, size, fit: see `Target`; without them the model's
    own factor, 2 for a family or a kernel. tile: the side of a tile in input pixels, 0 for the whole image at once,
    "auto" for what suits the memory; a graph for one size gets at most that. tta: the mean over 8 flips and turns, 8
    times as slow. execution: how it is run.

    Called with an image it returns one of the same kind: Image, numpy array (uint8, uint16, or float; H W or
    H W 1 to 4) or Pillow image; a path, the bytes of a file and an open binary file are read and give an Image.
    Raises: UnknownName, BadRequest, BadWeights, RuntimeUnavailable, MissingExtra; OutOfMemory when it runs.
    """

    def __init__(
        self,
        model: str | Path | models.Model = "swift",
        *,
        scale: float | None = None,
        size: str | None = None,
        fit: bool = False,
        tile: Tile = "auto",
        tta: bool = False,
        execution: Execution = Execution(),
    ) -> None:
        self.target = Target(scale, size, fit)
        self.tile: Tile = _checked(tile)
        self.execution = execution
        self._tta = tta
        is_kernel = isinstance(model, str) and model in KERNELS
        self._kernel = str(model) if is_kernel else "bicubic"
        self._models: dict[int, str | models.Model] = {} if is_kernel else _by_scale(model)
        self._begin()

    def _begin(self) -> None:
        self._runtimes: dict[int, Runtime] = {}
        self._opening = threading.Lock()

    @property
    def factor(self) -> float:
        """What it enlarges by where no size is asked for."""
        return self.target.scale or min(self._models, default=2)

    def prepare(self, shape: Shape) -> Plan:
        """What will be done to an image of this shape; the networks it needs are compiled."""
        sides = self.target.sides(shape.height, shape.width, self.factor)
        scales = chain(shape.height, shape.width, sides, self._models)
        cards = [self._model(scale).card for scale in scales]
        tiles = [
            tile_of(card, self.tile, height, width, len(cards))
            for card, (height, width) in zip(cards, inputs_of(cards, shape.height, shape.width), strict=True)
        ]
        steps = tuple(Step(card, self._runtime(card.scale), tile) for card, tile in zip(cards, tiles, strict=True))
        factor = int(np.prod([card.scale for card in cards]))
        kernel = None if (shape.height * factor, shape.width * factor) == sides else self._kernel
        target = target_shape(shape, sides, cards, kernel, self._tta)
        return Plan(shape, target, steps, kernel, self._tta, idle=bool(self._models) and not steps)

    def _model(self, scale: int) -> models.Model:
        with self._opening:
            model = self._models[scale]
            if isinstance(model, str):
                model = self._models[scale] = models.load(model)
            return model

    def _runtime(self, scale: int) -> Runtime:
        model = self._model(scale)
        with self._opening:
            if scale not in self._runtimes:
                self._runtimes[scale] = open_runtime(model, self.execution)
            return self._runtimes[scale]

    @overload
    def __call__(self, image: Image | str | Path | bytes | BinaryIO) -> Image: ...
    @overload
    def __call__(self, image: NDArray[Any]) -> NDArray[Any]: ...
    @overload
    def __call__(self, image: PIL.Image.Image) -> PIL.Image.Image: ...
    def __call__(self, image: Any) -> Any:
        if isinstance(image, np.ndarray):
            array = cast("NDArray[Any]", image)
            result = self._computed(_array_rows(array))
            depth = {"uint8": 8, "uint16": 16}.get(array.dtype.newbyteorder("=").name, 32)
            result = result if result.dtype == np.uint8 else quantise(result, depth)  # pyright: ignore[reportArgumentType]
            return result.reshape(*result.shape[:2], *array.shape[2:]).astype(array.dtype, copy=False)
        if isinstance(image, Image):
            return Image.from_samples(self._computed(ArrayRows.of(image)), image.metadata)
        pillow = sys.modules.get("PIL.Image")
        if pillow is not None and isinstance(image, pillow.Image):
            return self(Image.from_pil(image)).to_pil()
        if isinstance(image, str | Path | bytes) or hasattr(image, "read"):
            source = open_image(image)
            result = self._computed(source)
            if result.dtype == np.uint8:
                return Image.from_array(result, source.metadata)
            return Image.from_samples(result, source.metadata)
        given = f"an image of type {type(image).__name__}"
        raise BadRequest(f"{given}; expected an Image, a numpy array, a Pillow image, a path, bytes or an open file")

    def _computed(self, source: Rows) -> NDArray[Any]:
        """The whole result, floats or 8-bit levels."""
        rows = self.prepare(source.shape).rows(source)
        try:
            return rows.rows(0, rows.shape.height)
        except OutOfMemory:
            raise
        except MemoryError as error:
            size = f"{rows.shape.width} x {rows.shape.height} pixels"
            raise OutOfMemory(f"a result of {size} does not fit into memory; use upscale_file") from error

    def close(self) -> None:
        """Frees the runtimes; the next image opens them again."""
        with self._opening:
            for runtime in self._runtimes.values():
                runtime.close()
            self._runtimes.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_runtimes", "_opening")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _by_scale(model: str | Path | models.Model) -> dict[int, str | models.Model]:
    """The models to use, by their factor: names of the package's, or one that is loaded."""
    if isinstance(model, models.Model):
        return {model.card.scale: model}
    names = {text: name for text in models.names() if (name := ModelName.parse(text))}
    family: dict[int, str | models.Model] = {n.scale: text for text, n in names.items() if n.family == str(model)}
    if family:
        return family
    try:
        loaded = models.load(model)
    except UnknownName:
        families = {name.family for name in names.values()}
        raise UnknownName("model", str(model), {*names, *families, *KERNELS}) from None
    return {loaded.card.scale: loaded}


def _array_rows(array: NDArray[Any]) -> ArrayRows:
    """An array as rows: levels as they are, in the machine's byte order; floats checked and in float32.

    Raises: BadRequest.
    """
    levels = array.dtype.newbyteorder("=")
    if levels.name not in ("uint8", "uint16"):
        return ArrayRows.of(Image.from_array(array))
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] > 4):
        raise BadRequest(f"the array has shape {array.shape}; expected (height, width) or (height, width, 1 to 4)")
    samples = (array[..., None] if array.ndim == 2 else array).astype(levels, copy=False)
    height, width, count = samples.shape
    alpha = count in (2, 4)
    return ArrayRows(samples, Shape(height, width, count - alpha, alpha, "uint8" if levels.itemsize == 1 else "uint16"))


def _checked(tile: object) -> Tile:
    if tile == "auto":
        return "auto"
    if isinstance(tile, int) and tile >= 0:
        return tile
    raise BadRequest(f"tile {tile!r}; expected auto, 0 for the whole image, or a side in pixels")
