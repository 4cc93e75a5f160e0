"""Where a GeoTIFF lies: its transform, ground control points and rational polynomials, and those of its result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.transform import Affine, from_gcps

from subpixel.domains.frames import AffineFrame, Grid, nowhere
from subpixel.errors import UnwritableImage
from subpixel.images import tiff


def states_transform(path: Path) -> bool:
    """Whether a TIFF file has one, be it that pixels are units, which rasterio does not tell from none."""
    with path.open("rb") as file:
        layout, table = tiff.open_header(file)
        return any(True for _ in tiff.entries(file, layout, table, tiff.TRANSFORM))


def frame_of(file: Any, is_placed: bool) -> AffineFrame:
    """The transform, or the plane through the ground control points."""
    t, points = file.transform, file.gcps[0]
    if not is_placed and len(points) > 2:
        t = from_gcps(points)
    elif not is_placed:
        return nowhere(file.height, file.width)
    return AffineFrame.of((t.c, t.f), (t.a, t.d), (t.b, t.e))


def scaled(transform: Affine, grid: Grid) -> Affine:
    """That of the result: T scale(1 / S), from where its window begins."""
    down, across = grid.factors
    t = transform
    x, y = t @ (grid.window.x, grid.window.y)
    return Affine(t.a / across, t.b / down, x, t.d / across, t.e / down, y)


def moved(point: GroundControlPoint, grid: Grid) -> GroundControlPoint:
    """The same point in the result: rows and columns of ground control points count from the corner."""
    row, col = grid.moved(0, float(point.row or 0)), grid.moved(1, float(point.col or 0))
    return GroundControlPoint(row, col, point.x, point.y, point.z, point.id, point.info)


def scaled_rpc(rpc: RPC, grid: Grid) -> RPC:
    """Polynomials for the result: their lines and samples count from the centre of the first pixel."""
    values = dict(rpc.to_dict())
    for axis, name in enumerate(("line", "samp")):
        values[f"{name}_off"] = grid.moved(axis, values[f"{name}_off"] + 0.5) - 0.5
        values[f"{name}_scale"] *= grid.factors[axis]
    return RPC(**values)


def check_models(source: Any, file: Any, grid: Grid) -> None:
    """Compares the control points and polynomials of a result, opened again, with those it should have.

    Raises: UnwritableImage where they are others.
    """
    wanted = [_numbers(moved(point, grid)) for point in source.gcps[0]]
    written = [_numbers(point) for point in file.gcps[0]]
    if len(wanted) != len(written) or not np.allclose(wanted, written, rtol=1e-12, atol=1e-6):
        raise UnwritableImage(source.name, "its ground control points would lie elsewhere")
    if source.rpcs and not (file.rpcs and _are_alike(scaled_rpc(source.rpcs, grid), file.rpcs)):
        raise UnwritableImage(source.name, "its rational polynomials would say something else")


def _numbers(point: GroundControlPoint) -> tuple[Any, ...]:
    return point.row, point.col, point.x, point.y, point.z or 0.0


def _are_alike(rpc: RPC, other: RPC) -> bool:
    pairs = zip(rpc.to_dict().values(), other.to_dict().values(), strict=True)
    return all(a == b or np.allclose(a, b, rtol=1e-12, atol=0) for a, b in pairs if a is not None)
