"""Writing images: an `ImageWriter` takes rows of floats, the file appears when it is complete; libvips encodes."""

from __future__ import annotations

import math
import os
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from subpixel import atomic
from subpixel.errors import UnwritableImage, check_type, unwritten
from subpixel.images import tiff
from subpixel.images.budget import check_encoding
from subpixel.images.containers import read_contents
from subpixel.images.contents import missing, of_metadata
from subpixel.images.encoders import encode, unused_sentences
from subpixel.images.formats import FILE_FORMATS, Encoding, FileFormat, depth_sentence, format_of, storable, target_name
from subpixel.images.metadata import Metadata
from subpixel.images.samples import Floats, quantise, vips
from subpixel.images.streams import check_stream, write_all
from subpixel.ports import Shape

IN_MEMORY = 64 * 2**20
"""A result of up to this many bytes is collected in memory, a larger one in a file beside the target."""


def create(
    path: str | Path | BinaryIO,
    shape: Shape,
    metadata: Metadata,
    encoding: Encoding = Encoding(),
    like: Path | None = None,
    limited: bool = True,
) -> ImageWriter:
    """Begin an image whose rows then come top to bottom: ``with create(...) as writer: writer.write(rows)``.

    An animation's frames come one after the other, and the shape is that of all of them in a column.
    The path "-" is standard output, and a binary stream is taken too. The depth of the file follows from `metadata`.
    like: the file whose mode a new one gets, and its time where `encoding` says so. limited: floats are clipped to
    [0, 1] and finite; else a file of floats takes them as they are.
    Raises UnwritableImage for what the format or the place cannot hold; BadRequest for what is no place or no Encoding.
    """
    check_type("the encoding", encoding, Encoding)
    if not isinstance(path, str | Path):
        check_stream(path, "write")
    file_format = FILE_FORMATS[format_of(path, encoding.format)]
    if metadata.animation and not file_format.animated:
        raise UnwritableImage(target_name(path), f"{file_format.name} has no animations; choose png, webp or gif")
    if shape.channels not in (1, 3):
        why = f"it has {shape.channels} channels; {file_format.name} holds gray or RGB"
        raise UnwritableImage(target_name(path), why)
    if shape.alpha and not file_format.alpha:
        raise UnwritableImage(target_name(path), f"{file_format.name} has no alpha; choose png, webp, tif or avif")
    if encoding.lossless and not file_format.lossless:
        raise UnwritableImage(target_name(path), f"{file_format.name} is never lossless; choose png, webp, tif or avif")
    height = shape.height // (len(metadata.animation.delays) if metadata.animation else 1)
    if max(height, shape.width) > file_format.max_side:
        size = f"{shape.width:,} x {height:,}"
        why = f"{size}, and {file_format.name} ends at {file_format.max_side:,} pixels a side; choose png or tif"
        raise UnwritableImage(target_name(path), why)
    check_encoding(target_name(path), file_format.name, shape)
    return ImageWriter(path, shape, file_format, metadata, encoding, like, limited)


class ImageWriter:
    """An image on its way into a file, which appears whole at the end of the with block, or not at all."""

    note: str | None = None
    """After the block: what the file does not keep of the image, or says in another way; None if all is as it was."""
    has_appeared = False
    """Whether the file is in its place."""

    def __init__(
        self,
        path: str | Path | BinaryIO,
        shape: Shape,
        file_format: FileFormat,
        metadata: Metadata,
        encoding: Encoding,
        like: Path | None,
        limited: bool,
    ) -> None:
        self._path, self._format, self._encoding, self._like = path, file_format, encoding, like
        self._limited = limited
        self._given, self._metadata = metadata, storable(file_format, metadata, shape.channels == 1)
        self._shape = (shape.height, shape.width, shape.samples)
        self._rows_written, self._is_encoded = 0, False
        self._levels = np.dtype({8: "u1", 32: "f4"}.get(self._metadata.depth, "u2"))

    def __enter__(self) -> Self:
        self._target = place_of(self._path)
        folder = Path(tempfile.gettempdir()) if self._target is None else self._target.parent
        self._pixels: NDArray[Any] | None = None
        self._spill: BinaryIO | None = None
        try:
            self._part = atomic.temporary(folder)  # says at once whether the place can be written
        except OSError as error:
            raise self._unwritable(error) from error
        self._raw = self._part.with_suffix(".raw")
        try:
            self._begin()
        except OSError as error:
            self._clean()
            raise self._unwritable(error) from error
        except BaseException:
            self._clean()
            raise
        return self

    def _begin(self) -> None:
        if math.prod(self._shape) * self._levels.itemsize <= IN_MEMORY:
            self._pixels = np.empty(self._shape, self._levels)
        else:
            self._spill = self._raw.open("xb")
            self._spill.write(tiff.raw_tiff(self._shape, self._levels)[0])

    def write(self, rows: Floats | NDArray[np.uint8]) -> None:
        """Append rows (n, W, C [+ 1: alpha]): floats, clipped to [0, 1] and rounded half up, or 8-bit levels."""
        height, width, samples = self._shape
        end = self._rows_written + len(rows)
        if rows.shape[1:] != (width, samples) or end > height:
            raise ValueError(f"rows {self._rows_written} to {end}, shape {rows.shape}, in an image {self._shape}")
        levels = np.ascontiguousarray(rows if rows.dtype == np.uint8 else self._quantised(rows))
        if self._pixels is not None:
            self._pixels[self._rows_written : end] = levels
        elif self._spill is not None:
            try:
                self._spill.write(levels.data)
            except OSError as error:
                raise self._unwritable(error) from error
        self._rows_written = end

    def _quantised(self, rows: NDArray[Any]) -> NDArray[Any]:
        if not self._limited and self._metadata.depth == 32:
            return rows.astype(np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            finite = np.isfinite(np.sum(rows))
        if not finite:
            end = self._rows_written + len(rows)
            raise UnwritableImage(
                target_name(self._path), f"rows {self._rows_written} to {end} are not all finite numbers"
            )
        return quantise(rows, self._metadata.depth)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as failure:
            raise self._unwritable(failure) from failure
        finally:
            self._clean()

    def encode(self) -> None:
        """Encodes the rows, so that nothing but a renaming is left to the end of the block.

        For files that shall appear together. Raises: UnwritableImage.
        """
        try:
            self._encode()
        except OSError as failure:
            raise self._unwritable(failure) from failure

    def _encode(self) -> None:
        if self._rows_written != self._shape[0]:
            raise ValueError(f"{self._rows_written} of {self._shape[0]} rows were written")
        if self._spill is not None:
            self._spill.write(tiff.raw_tiff(self._shape, self._levels)[1])
            self._spill.close()
        pyvips = vips()
        try:
            encode(self._image(), self._part, self._format, self._metadata, self._encoding)
        except pyvips.Error as error:
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            message = lines[-1] if lines else "no more is known"
            raise UnwritableImage(target_name(self._path), f"is the disk full? The encoder says: {message}") from error
        self.note, self._is_encoded = self._compared(), True

    def _finish(self) -> None:
        if not self._is_encoded:
            self._encode()
        if self._target is None:
            stream = sys.stdout.buffer if isinstance(self._path, str | Path) else self._path
            with self._part.open("rb") as file:
                write_all(file, stream)
            return
        atomic.resemble(self._part, self._target, self._like, self._encoding.keep_time)
        atomic.commit(self._part, self._target)
        self.has_appeared = True

    def _compared(self) -> str | None:
        """What the written file lacks of what the image came with."""
        with self._part.open("rb") as file:
            held = read_contents(file).names
        expected = of_metadata(self._given).names | self._given.left_out
        if self._metadata.icc not in (None, self._given.icc):  # a profile that says what these said
            expected -= {"cICP", "gAMA", "cHRM"}
        expected -= set() if self._format.icc else {"ICC"}  # it was used
        lost = missing(expected, held)
        sentences = depth_sentence(self._format, self._given)
        sentences += [f"left out: {', '.join(lost)}"] if lost else []
        sentences += unused_sentences(self._format, self._metadata, self._encoding)
        return "; ".join([*sentences, *self._metadata.notes]) or None

    def _image(self) -> Any:
        """The collected levels as a libvips image."""
        height, width, samples = self._shape
        band_format = {"u1": "uchar", "u2": "ushort", "f4": "float"}[self._levels.str[1:]]
        if self._pixels is not None:
            return vips().Image.new_from_memory(self._pixels.data, width, height, samples, band_format)
        with self._raw.open("rb") as file:  # by descriptor: libvips takes no name that is not UTF-8
            source = vips().Source.new_from_descriptor(file.fileno())
        return vips().Image.tiffload_source(source, access="sequential")  # `rawload` would map all of it

    def _clean(self) -> None:
        if self._spill is not None:
            with suppress(OSError):
                self._spill.close()
        self._pixels = None
        atomic.discard(self._part)

    def _unwritable(self, error: OSError) -> UnwritableImage:
        if isinstance(error, UnwritableImage):
            return error
        return UnwritableImage(target_name(self._path), unwritten(error))


def place_of(path: str | Path | BinaryIO) -> Path | None:
    """The file that will be made or replaced (behind links), or None for a stream. Raises: UnwritableImage."""
    try:
        return _target(path)
    except UnwritableImage:
        raise
    except OSError as error:
        raise UnwritableImage(target_name(path), unwritten(error)) from error


def _target(path: str | Path | BinaryIO) -> Path | None:
    if not isinstance(path, str | Path) or str(path) == "-":
        return None
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UnwritableImage(path, "it is a folder")
    if target.exists() and not target.is_file():
        raise UnwritableImage(path, "it is a device, not a file; - is standard output")
    if target.exists() and not os.access(target, os.W_OK):
        raise UnwritableImage(path, "it is write-protected")
    if not target.parent.is_dir():
        raise UnwritableImage(path, f"there is no folder {target.parent}")
    return target
