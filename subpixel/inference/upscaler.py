"""Images in, larger images out: a model or a kernel, a runtime, and tiles."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Literal, Self, cast, overload

import numpy as np
from numpy.typing import NDArray

from subpixel import models
from subpixel.errors import BadRequest, OutOfMemory, UnknownName
from subpixel.images import Image, ImageReader, create, open_image, read
from subpixel.images.metadata import Metadata
from subpixel.inference import tiles
from subpixel.inference.plan import Plan, Target, plan
from subpixel.inference.rows import AlphaRows, ArrayRows, BledRows, ResizedRows, Rows, Uint8Rows, WithAlpha
from subpixel.inference.tiled import TiledNetwork, on_floats, self_ensemble
from subpixel.resample import KERNELS
from subpixel.runtimes import Runtime, open_runtime

if TYPE_CHECKING:
    import PIL.Image

Tile = Literal["auto"] | int

_FEATURES = 512 * 2**20
"""Bytes that the networks of a chain may take for what they compute with, together."""
_DEEP = 2 * 2**30
"""The same, where smaller windows would be hardly more than halo."""
_RESULTS = 128 * 2**20
"""Bytes that a row of tiles may take for its result, in all networks of a chain together."""
_BLEED = 8
"""Pixels that colour bleeds into what is transparent: what bicubic, Lanczos and shallow networks can see."""


class Upscaler:
    """Enlarges images; what it compiles is kept for the next image.

    model: a model ("swift-x2"), a family that has several factors ("swift"), the path of an .onnx file, or a
    kernel ("nearest", "bilinear", "bicubic", "lanczos"). scale, size, fit: see `plan.Target`; without them
    the model's own factor, 2 for a family or a kernel. tile: the side of a tile in input pixels, 0 for the
    whole image at once, "auto" for what suits the memory; a graph for one size gets at most that. tta: the mean
    over 8 flips and turns, 8 times as slow. The others: see `runtimes`.

    Called with an image it returns one of the same kind: Image, numpy array (uint8, uint16, or float; H W or
    H W 1 to 4) or Pillow image; a path is read and gives an Image.
    Raises: UnknownName, BadRequest, BadWeights, RuntimeUnavailable, MissingExtra; OutOfMemory when it runs.
    """

    def __init__(
        self,
        model: str | Path = "swift",
        *,
        scale: float | None = None,
        size: str | None = None,
        fit: bool = False,
        tile: Tile = "auto",
        runtime: str = "auto",
        precision: str = "auto",
        threads: int | None = None,
        device: str = "auto",
        tta: bool = False,
    ) -> None:
        self.target = Target(scale, size, fit)
        self.tile: Tile = _checked(tile)
        self._tta = tta
        self._kernel = str(model) if model in KERNELS else "bicubic"
        self._loaded: dict[str, models.Model] = {}
        self._names = {} if model in KERNELS else self._find(model)
        self._how = (runtime, precision, threads, device)
        self._runtimes: dict[int, Runtime] = {}

    def _find(self, model: str | Path) -> dict[int, str]:
        """The models to use, by their factor."""
        names = models.names()
        family = {int(n.rpartition("-x")[2]): n for n in names if n.rpartition("-x")[0] == str(model)}
        if family:
            return family
        try:
            loaded = models.load(model)
        except UnknownName:
            families = {n.rpartition("-x")[0] for n in names}
            raise UnknownName("model", str(model), {*names, *families, *KERNELS}) from None
        self._loaded[loaded.card.name] = loaded
        return {loaded.card.scale: loaded.card.name}

    def plan(self, height: int, width: int) -> Plan:
        """What will be done to an image of this size."""
        sides = self.target.sides(height, width, min(self._names, default=2))
        return plan(height, width, sides, self._names, self._kernel)

    def describe(self, height: int, width: int) -> str:
        """What will be done to an image of this size: the plan, the runtime, its precision and the tile."""
        made = self.plan(height, width)
        parts = [made.describe(self._names)]
        for scale in dict.fromkeys(made.scales):
            runtime = self._runtime(scale)
            parts.append(f"{self._names[scale]}: {runtime.name} {runtime.precision} on {runtime.device}")
        for scale in made.scales:
            tall, wide = self._tile(height, width, scale, len(made.scales))
            parts.append(f"tile {wide}x{tall}")
            height, width = height * scale, width * scale
        return "; ".join([*parts, "self-ensemble of 8"] if self._tta and made.scales else parts)

    def rows(self, source: Rows) -> Rows:
        """The enlarged image, as rows that are computed when they are pulled.

        An opened 8-bit RGB file that one network enlarges gives 8-bit levels, everything else floats.
        """
        if isinstance(source, ImageReader) and (source.metadata.depth, source.channels, source.has_alpha) == (
            8,
            3,
            False,
        ):
            levels = self._levels(Uint8Rows(source.height, source.width, source.levels))
            if levels is not None:
                return levels
        made = self.plan(source.height, source.width)
        if not source.has_alpha:
            return self._colour(source, made)
        reach = _BLEED * max(1, -(-source.height // made.height), -(-source.width // made.width))
        alpha = ResizedRows(AlphaRows(source), made.height, made.width, made.kernel or "bicubic")
        return WithAlpha(self._colour(BledRows(source, reach), made), alpha)

    def _colour(self, rows: Rows, made: Plan) -> Rows:
        for scale in made.scales:
            run = self._runtime(scale).run
            tile = self._tile(rows.height, rows.width, scale, len(made.scales))
            patch_run = on_floats(self_ensemble(run) if self._tta else run)
            card = self._card(scale)
            rows = TiledNetwork(
                rows, patch_run, scale, card.halo, tile, tile_stride=card.tile_stride, fixed_size=card.fixed_size
            )
        return ResizedRows(rows, made.height, made.width, made.kernel) if made.kernel else rows

    def _levels(self, source: Uint8Rows) -> TiledNetwork | None:
        """The enlarged image computed on 8-bit levels throughout, where one network does all of it; else None."""
        made = self.plan(source.height, source.width)
        if self._tta or made.kernel or len(made.scales) != 1:
            return None
        scale = made.scales[0]
        tile = self._tile(source.height, source.width, scale, 1)
        card = self._card(scale)
        return TiledNetwork(
            source, self._runtime(scale).run_bytes, scale, card.halo, tile, np.uint8, card.tile_stride, card.fixed_size
        )

    def _tile(self, height: int, width: int, scale: int, networks: int) -> tuple[int, int]:
        card = self._card(scale)
        if card.fixed_size:
            largest = card.fixed_size - 2 * card.halo
            side = largest if self.tile == "auto" else min(self.tile or largest, largest)
            return side, side
        if self.tile != "auto":
            return self.tile or height, self.tile or width
        usual, most = (b // networks // tiles.footprint(card.widest, scale) for b in (_FEATURES, _DEEP))
        pixels = min(max(usual, (6 * card.halo) ** 2), most)  # four halos of result in a window of six
        rows = _RESULTS // networks // (3 * 4 * scale**2 * width)
        return tiles.automatic(height, width, card.halo, pixels, rows)

    def _card(self, scale: int) -> models.Card:
        return self._model(scale).card

    def _model(self, scale: int) -> models.Model:
        name = self._names[scale]
        if name not in self._loaded:
            self._loaded[name] = models.load(name)
        return self._loaded[name]

    def _runtime(self, scale: int) -> Runtime:
        if scale not in self._runtimes:
            self._runtimes[scale] = open_runtime(self._model(scale), *self._how)
        return self._runtimes[scale]

    def upscale_image(self, image: Image) -> Image:
        """The enlarged image, with the metadata it had."""
        rows = self.rows(ArrayRows(image))
        try:
            return Image.from_samples(rows.rows(0, rows.height), image.metadata)
        except OutOfMemory:
            raise
        except MemoryError as error:
            size = f"{rows.width} x {rows.height} pixels"
            raise OutOfMemory(f"a result of {size} does not fit into memory; use upscale_file") from error

    @overload
    def __call__(self, image: Image | str | Path) -> Image: ...
    @overload
    def __call__(self, image: NDArray[Any]) -> NDArray[Any]: ...
    @overload
    def __call__(self, image: PIL.Image.Image) -> PIL.Image.Image: ...
    def __call__(self, image: Any) -> Any:
        if isinstance(image, Image):
            return self.upscale_image(image)
        if isinstance(image, str | Path):
            return self.upscale_image(read(image))
        if isinstance(image, np.ndarray):
            return self._upscale_array(cast("NDArray[Any]", image))
        pillow = sys.modules.get("PIL.Image")
        if pillow is not None and isinstance(image, pillow.Image):
            return self.upscale_image(Image.from_pil(image)).to_pil()
        given = f"an image of type {type(image).__name__}"
        raise BadRequest(f"{given}; expected an Image, a numpy array, a Pillow image or a path")

    def _upscale_array(self, array: NDArray[Any]) -> NDArray[Any]:
        if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
            rows = self._levels(Uint8Rows(array.shape[0], array.shape[1], lambda y0, y1: array[y0:y1]))
            if rows is not None:
                return rows.rows(0, rows.height)
        result = self.upscale_image(Image.from_array(array)).to_array()
        return result.reshape(*result.shape[:2], *array.shape[2:]).astype(array.dtype, copy=False)

    def close(self) -> None:
        """Frees the runtimes; the next image opens them again."""
        for runtime in self._runtimes.values():
            runtime.close()
        self._runtimes.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _checked(tile: object) -> Tile:
    if tile == "auto":
        return "auto"
    if isinstance(tile, int) and tile >= 0:
        return tile
    raise BadRequest(f"tile {tile!r}; expected auto, 0 for the whole image, or a side in pixels")


_ENCODED = 2**23
"""Samples handed to the encoder at a time (32 MiB)."""


def upscale_file(
    source: str | Path | bytes,
    target: str | Path | BinaryIO,
    upscaler: Upscaler,
    *,
    format: str | None = None,
    quality: int = 95,
    compress: bool = False,
) -> None:
    """Enlarges a file into a file, a band at a time: the memory does not grow with the image.

    format, quality, compress: see `image.create`. The target appears when it is complete.
    Raises: UnreadableImage, UnwritableImage, and what `Upscaler` raises.
    """
    opened = open_image(source)
    rows = upscaler.rows(opened)
    write_rows(rows, target, opened.metadata, lambda _: None, format=format, quality=quality, compress=compress)


def write_rows(
    rows: Rows,
    target: str | Path | BinaryIO,
    metadata: Metadata,
    computed: Callable[[int], None],
    *,
    format: str | None,
    quality: int,
    compress: bool,
) -> None:
    """Computes a result and writes it, a band at a time; `computed` is told of the rows of each band.

    What `computed` raises ends the work, and nothing is left of the target.
    """
    shape = (rows.height, rows.width, rows.channels, rows.has_alpha)
    step = max(1, _ENCODED // (rows.width * (rows.channels + rows.has_alpha)))
    with create(target, *shape, metadata, format=format, quality=quality, compress=compress) as sink:
        for y in range(0, rows.height, step):
            band = rows.rows(y, min(y + step, rows.height))
            computed(len(band))
            sink.write(band)
