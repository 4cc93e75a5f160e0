"""Images in, larger images out: a model or a kernel, a runtime, and tiles."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast, overload

import numpy as np
from numpy.typing import NDArray

from subpixel import models
from subpixel.analysis import DegradationReport, inspect_rows
from subpixel.errors import BadRequest, OutOfMemory, check_type
from subpixel.images import Image, check_unmasked, open_image, quantise
from subpixel.inference.choice import (
    AUTO,
    CLEAN,
    DEGRADED,
    Choice,
    Restoration,
    choose,
    default_factor,
    detail_pair,
    family,
)
from subpixel.inference.consistency import parse
from subpixel.inference.plan import Plan, Step, Tile, exact_enough, inputs_of, target_shape, tile_of
from subpixel.inference.rows import ArrayRows, Rows
from subpixel.inference.target import Target
from subpixel.inference.window import Window
from subpixel.ports import Shape
from subpixel.resample import KERNELS
from subpixel.runtimes import Execution, Runtime, open_runtime

if TYPE_CHECKING:
    import PIL.Image

_KEPT = 8
"""Compiled networks that are kept for the next image."""
_SMALLEST_TILE = 16
"""Pixels a side of a tile: a smaller one would be hardly more than halo."""


class Upscaler:
    """Enlarges images; what it compiles is kept for the next image. Any number of threads may share one.

    model: "auto" looks at each image and chooses; else a model ("swift-x2"), a family that has several factors
    ("swift"), the path of an .onnx file, a loaded Model, or a kernel ("nearest", "bilinear", "bicubic", "lanczos").
    scale, size, fit: see `Target`; without them the model's own factor, 2 for a family or a kernel. restoration: how
    much is undone of what is wrong with an image, for "auto" and for models that are told of it. tile: the side of a
    tile in input pixels, 0 for the whole image at once, else 16 or more, "auto" for what suits the memory; a graph
    for one size gets at most that. tta: the mean over 8 flips and turns, 8 times as slow. consistent: what the result,
    reduced so, is the image again: "box", "bicubic" or "sigma=PIXELS"; "auto" is none for photos and the box for what
    `subpixel.domains` enlarges. bands: those of a GeoTIFF that are taken, counted from 1; none: all. window: the part
    of what has coordinates that is enlarged; None: all. execution: how it is run. video: `prepare` is asked for the
    plan of one, so that its networks may have a memory.

    Called with an image it returns one of the same kind: Image, numpy array (uint8, uint16, or float; H W, H W 1 to 4,
    or as many channels as its networks take) or Pillow image; a path, the bytes of a file and an open binary file are
    read and give an Image.
    Raises: UnknownName, BadRequest, BadWeights, RuntimeUnavailable, MissingExtra; OutOfMemory when it runs.
    """

    def __init__(
        self,
        model: str | Path | models.Model = AUTO,
        *,
        scale: float | None = None,
        size: str | None = None,
        fit: bool = False,
        restoration: Restoration = Restoration(),
        tile: Tile = "auto",
        tta: bool = False,
        consistent: str = "auto",
        bands: tuple[int, ...] = (),
        window: Window | None = None,
        execution: Execution = Execution(),
        video: bool = False,
    ) -> None:
        check_type("the model", model, str, Path, models.Model)
        check_type("the restoration", restoration, Restoration)
        check_type("the execution", execution, Execution)
        check_type("tta", tta, bool)
        check_type("the window", window, Window, type(None))
        self.target = Target(scale, size, fit)
        self.tile: Tile = checked_tile(tile)
        self.execution = execution
        self._restoration, self._tta = restoration, tta
        self.bands, self.window = checked_bands(bands), window
        self.consistent, self._reduction = consistent, parse(consistent)
        self._model = model
        is_kernel = isinstance(model, str) and model in KERNELS
        self._kernel = str(model) if is_kernel else "bicubic"
        self._family = {} if is_kernel else family(CLEAN if model == AUTO else model)
        self._begin()
        self._check_networks(video)

    def _check_networks(self, video: bool) -> None:
        """Raises: BadRequest; see `Card.check_enlarges`. What auto chooses from is the package's own."""
        for model in () if self._model == AUTO else self._family.values():
            self._card(model).check_enlarges(video)

    def _begin(self) -> None:
        self._models: dict[str, models.Model] = {}
        self._runtimes: dict[tuple[object, ...], Runtime] = {}
        self._opening = threading.RLock()

    @property
    def factor(self) -> float:
        """What it enlarges by where no size is asked for."""
        return self.target.scale or default_factor(self._family)

    @cached_property
    def channels(self) -> int:
        """Of the images that its networks take; 3 where there is none."""
        return next((card.ports.channels for card in map(self._card, self._family.values())), 3)

    @cached_property
    def _is_conditioned(self) -> bool:
        """Whether the networks want to know what is wrong with an image."""
        return any(card.condition for card in map(self._card, self._family.values()))

    @property
    def inspects(self) -> bool:
        """Whether what it does depends on what is wrong with an image."""
        return self._model == AUTO or self._is_conditioned

    def plan(self, source: Rows, deep: bool = True) -> Plan:
        """What will be done to an image, which is looked at first where that decides; its networks are compiled.

        deep: see `prepare`.
        Raises: BadRequest for a network that enlarges the frames of videos.
        """
        self._check_networks(video=False)
        report = inspect_rows(source) if self.inspects else DegradationReport()
        return self.prepare(source.shape, report, deep=deep)

    def prepare(
        self,
        shape: Shape,
        report: DegradationReport = DegradationReport(),
        limited: bool = True,
        sides: tuple[int, int] | None = None,
        deep: bool = True,
    ) -> Plan:
        """What will be done to an image of this shape of which the report is true; its networks are compiled.

        limited: False for one whose floats are no image's, may leave [0, 1], and are made consistent by the caller.
        sides: height and width of the result; None: as they are asked for. deep: False for floats that are levels of 8
        bits.
        """
        choice = self._choose(report)
        sides = sides or self.target.sides(shape.height, shape.width, self.factor)
        networks = [self._load(model) for model in choice.networks(shape.height, shape.width, sides)]
        if choice.detail and networks:  # where a kernel does all, there is none
            start, end = map(self._load, detail_pair(networks[0].card))
            networks[0] = networks[0].with_difference(start, end, choice.detail)
        networks = [model.on_gray for model in networks] if shape.channels == 1 else networks
        cards = [model.card for model in networks]
        tiles = [
            tile_of(card, self.tile, height, width, len(cards))
            for card, (height, width) in zip(cards, inputs_of(cards, shape.height, shape.width), strict=True)
        ]
        execution = exact_enough(self.execution, shape)
        runtimes = [self._runtime(model, choice.condition, execution) for model in networks]
        steps = tuple(map(Step, cards, runtimes, tiles))
        factor = int(np.prod([card.scale for card in cards]))
        kernel = None if (shape.height * factor, shape.width * factor) == sides else choice.kernel
        condition, share = choice.condition or {}, self._restoration.grain * 25 / 255
        grain = (share * condition.get("noise", 0.0), share * condition.get("chroma_noise", 0.0))
        reduction = self._reduction if limited else None
        in_floats = bool(self._tta or grain[0] or reduction or choice.blur or not limited)
        target = target_shape(shape, sides, cards, kernel, in_floats)
        idle = bool(choice.first) and not steps and not choice.blur
        reason = choice.reason if limited else ""
        deep = deep and limited and shape.dtype != "uint8"
        return Plan(shape, target, steps, kernel, self._tta, idle, grain, reason, reduction, choice.blur, limited, deep)

    def _choose(self, report: DegradationReport) -> Choice:
        if self._model == AUTO:
            return choose(report, self._restoration)
        if self._is_conditioned:
            condition, detail = self._restoration.condition(report), self._restoration.detail
            return Choice(self._family, family(CLEAN), condition, detail, reason=report.summary)
        name = next((self._load(model).card.family for model in self._family.values()), self._kernel)
        if asked := self._restoration.removed:
            raise BadRequest(f"{asked[0]}: {name} is told nothing of an image; use {AUTO} or {DEGRADED}")
        if self._restoration.detail and not self._family:
            raise BadRequest(f"detail: {name} invents none; use {AUTO} or {DEGRADED}")
        return Choice(self._family, detail=self._restoration.detail, kernel=self._kernel)

    def _card(self, model: str | models.Model) -> models.Card:
        return self._load(model).card

    def _load(self, model: str | models.Model) -> models.Model:
        if isinstance(model, models.Model):
            return model
        with self._opening:
            if model not in self._models:
                self._models[model] = models.load(model)
            return self._models[model]

    def _runtime(self, model: models.Model, condition: Mapping[str, float] | None, execution: Execution) -> Runtime:
        """The compiled network, told of the condition if it is one that listens."""
        values = condition if condition and model.card.condition else {}
        key = (model.card.name, model.card.sha256, execution.precision, *values.values())
        with self._opening:
            if key not in self._runtimes:
                while len(self._runtimes) >= _KEPT:
                    del self._runtimes[next(iter(self._runtimes))]  # whoever still uses it keeps it alive
                conditioned = model.conditioned(values) if values else model
                self._runtimes[key] = open_runtime(conditioned, execution)
            return self._runtimes[key]

    @overload
    def __call__(self, image: Image | str | Path | bytes | BinaryIO) -> Image: ...
    @overload
    def __call__(self, image: NDArray[Any]) -> NDArray[Any]: ...
    @overload
    def __call__(self, image: PIL.Image.Image) -> PIL.Image.Image: ...
    def __call__(self, image: Any) -> Any:
        if isinstance(image, np.ndarray):
            check_unmasked(image)
            array = np.asarray(cast("NDArray[Any]", image))  # a matrix would be multiplied as one
            result = self._computed(_array_rows(array, self.channels))
            depth = {"uint8": 8, "uint16": 16}.get(array.dtype.newbyteorder("=").name, 32)
            result = result if result.dtype == np.uint8 else quantise(result, depth)  # pyright: ignore[reportArgumentType]
            return result.reshape(*result.shape[:2], *array.shape[2:]).astype(array.dtype, copy=False)
        if isinstance(image, Image):
            result = self._computed(ArrayRows.of(image), deep=image.metadata.depth > 8)
            return Image.from_samples(result, image.metadata, image.has_alpha)
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

    def _computed(self, source: Rows, deep: bool = True) -> NDArray[Any]:
        """The whole result, floats or 8-bit levels. deep: see `prepare`."""
        rows = self.plan(source, deep).rows(source)
        try:
            return rows.rows(0, rows.shape.height)
        except OutOfMemory:
            raise
        except MemoryError as error:
            size = f"{rows.shape.width} x {rows.shape.height} pixels"
            raise OutOfMemory(f"a result of {size} does not fit into memory; use upscale_file") from error

    def with_default(self, model: str) -> Upscaler:
        """This one where a model was asked for; with auto, one that takes `model` for what no network is made for."""
        if self._model != AUTO:
            return self
        return Upscaler(
            model,
            scale=self.target.scale,
            size=self.target.size,
            fit=self.target.fit,
            restoration=self._restoration,
            tile=self.tile,
            tta=self._tta,
            consistent=self.consistent,
            execution=self.execution,
        )

    def close(self) -> None:
        """Frees the runtimes; the next image opens them again."""
        with self._opening:
            for runtime in self._runtimes.values():
                runtime.close()
            self._runtimes.clear()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_models", "_runtimes", "_opening")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _array_rows(array: NDArray[Any], channels: int) -> ArrayRows:
    """An array as rows: levels as they are, in the machine's byte order; floats checked and in float32.

    channels: of the networks; an array that has as many has no alpha. Raises: BadRequest.
    """
    most = max(4, channels)
    if array.ndim not in (2, 3) or 0 in array.shape or (array.ndim == 3 and array.shape[2] > most):
        raise BadRequest(f"the array has shape {array.shape}; expected (height, width) or (height, width, 1 to {most})")
    alpha = array.ndim == 3 and array.shape[2] in (2, 4) and array.shape[2] != channels
    levels = array.dtype.newbyteorder("=")
    if levels.name not in ("uint8", "uint16"):
        return ArrayRows.of(Image.from_array(array, alpha=alpha))
    samples = (array[..., None] if array.ndim == 2 else array).astype(levels, copy=False)
    height, width, count = samples.shape
    return ArrayRows(samples, Shape(height, width, count - alpha, alpha, "uint8" if levels.itemsize == 1 else "uint16"))


def checked_tile(tile: object) -> Tile:
    """The side of a tile as a plain number. Raises: BadRequest for one that no tile has."""
    if tile == "auto":
        return "auto"
    if isinstance(tile, int | np.integer) and tile is not False and (tile == 0 or tile >= _SMALLEST_TILE):
        return int(tile)
    raise BadRequest(f"tile {tile!r}; expected auto, 0 for the whole image, or {_SMALLEST_TILE} or more")


def checked_bands(bands: Any) -> tuple[int, ...]:
    """The numbers of bands as plain ones. Raises: BadRequest for what no bands are."""
    check_type("bands", bands, tuple, list)
    if not all(isinstance(band, int | np.integer) and band is not True and band >= 1 for band in bands):
        raise BadRequest(f"bands {bands!r:.60}; expected numbers such as (1, 2, 5), counted from 1")
    return tuple(map(int, bands))
