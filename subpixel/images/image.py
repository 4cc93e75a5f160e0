"""An image in memory, and files read and written as a whole."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from subpixel.errors import BadRequest, UnreadableImage, check_type
from subpixel.images import exif, tiff
from subpixel.images.decoders import samples_of
from subpixel.images.formats import Encoding
from subpixel.images.metadata import Colour, Depth, Metadata, became_srgb
from subpixel.images.reader import open_image
from subpixel.images.samples import Floats, cmyk_to_srgb, dequantise, in_range, limited, quantise, vips
from subpixel.images.writer import create
from subpixel.ports import Shape

if TYPE_CHECKING:
    import PIL.Image


_DEEP = ("I;16", "I;16B", "I;16L", "I;16N", "F")
_PILLOW_MODES = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "LAB", *_DEEP)


@dataclass(frozen=True, eq=False, repr=False)
class Image:
    """An image in memory: colour (H, W, C) and alpha (H, W), float32 in [0, 1]; files hold gray and RGB.

    Raises BadRequest for any other shape, type or range.
    """

    pixels: Floats
    alpha: Floats | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def __post_init__(self) -> None:
        shape = self.pixels.shape
        if len(shape) != 3 or 0 in shape:
            raise BadRequest(f"pixels have shape {shape}; expected (height, width, channels)")
        if self.alpha is not None and self.alpha.shape != shape[:2]:
            raise BadRequest(f"alpha has shape {self.alpha.shape}; expected {shape[:2]}")
        for name, values in (("pixels", self.pixels), ("alpha", self.alpha)):
            if values is not None and values.dtype != np.float32:
                raise BadRequest(f"{name} are {values.dtype}; expected float32 (Image.from_array converts)")
            if values is not None and not in_range(values):
                raise BadRequest(f"{name} leave [0, 1] or are not numbers; clip or scale them first")

    @property
    def height(self) -> int:
        """In pixels."""
        return self.pixels.shape[0]

    @property
    def width(self) -> int:
        """In pixels."""
        return self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """Of the colour: 1 or 3 in files, any number in memory."""
        return self.pixels.shape[2]

    @property
    def has_alpha(self) -> bool:
        """Whether there is an alpha beside the colour."""
        return self.alpha is not None

    @property
    def shape(self) -> Shape:
        """Height, width, channels and alpha in one value."""
        return Shape(self.height, self.width, self.channels, self.has_alpha)

    @property
    def samples(self) -> Floats:
        """Colour and alpha together, (H, W, C [+ 1]): what `ImageReader.rows` gives and `ImageWriter.write` takes."""
        return self.pixels if self.alpha is None else np.dstack([self.pixels, self.alpha])

    @classmethod
    def from_samples(cls, samples: Floats, metadata: Metadata | None = None, alpha: bool | None = None) -> Self:
        """The inverse of `samples`. alpha: whether it is the last channel; None: of 2 and of 4."""
        metadata = metadata or Metadata()
        if samples.ndim == 3 and (samples.shape[2] in (2, 4) if alpha is None else alpha):
            return cls(np.ascontiguousarray(samples[..., :-1]), np.ascontiguousarray(samples[..., -1]), metadata)
        return cls(samples, None, metadata)

    @classmethod
    def from_array(cls, array: NDArray[Any], metadata: Metadata | None = None, alpha: bool | None = None) -> Self:
        """uint8, uint16 or float in [0, 1], (H, W) or (H, W, C); the depth follows from the type.

        alpha: see `from_samples`.
        """
        check_unmasked(array)
        if array.dtype.name not in ("uint8", "uint16") and array.dtype.kind != "f":
            raise BadRequest(f"the array is {array.dtype}; expected uint8, uint16 or float in [0, 1]")
        depth: Depth = 8 if array.dtype == np.uint8 else 16 if array.dtype == np.uint16 else 32
        within = limited(array) if depth == 32 and array.size else array
        samples = dequantise(array if within is None else within)
        samples = samples[..., None] if samples.ndim == 2 else samples
        return cls.from_samples(samples, replace(metadata or Metadata(), depth=depth), alpha)

    def to_array(self, depth: Depth | None = None) -> NDArray[Any]:
        """uint8, uint16 or float32 (by default as `metadata.depth`), (H, W) for plain gray, else (H, W, C)."""
        array = quantise(self.samples, depth or self.metadata.depth)
        return array[..., 0] if array.shape[2] == 1 else array

    @classmethod
    def from_pil(cls, image: PIL.Image.Image) -> Self:
        """A Pillow image of mode 1, L, LA, P, PA, RGB, RGBA, CMYK, YCbCr, LAB, I;16 or F, upright, with its metadata.

        A colour or an index that counts as transparent becomes alpha; CMYK and LAB become sRGB, as those of files do,
        and have no profile then. Raises: UnreadableImage, BadRequest.
        """
        from PIL import ImageOps

        name = getattr(image, "filename", "") or "a Pillow image"
        try:
            image.load()
        except (OSError, ValueError, SyntaxError) as error:  # it is closed, or its file is damaged
            raise UnreadableImage(name, str(error)) from error
        if image.mode not in _PILLOW_MODES:
            raise BadRequest(f"a Pillow image of mode {image.mode}; convert it to RGB first")
        metadata = _metadata_of(image)
        try:
            samples, space = samples_of(ImageOps.exif_transpose(image))
        except (TypeError, ValueError) as error:
            why = "its transparency fits another mode; delete its info['transparency']"
            raise BadRequest(f"a Pillow image of mode {image.mode}: {why}") from error
        if space == "cmyk":
            samples = _without_inks(name, samples, metadata.icc)
        if image.mode in ("CMYK", "LAB"):
            metadata = replace(metadata, icc=None, notes=(became_srgb(image.mode),))
        return cls.from_array(samples, metadata)

    def to_pil(self) -> PIL.Image.Image:
        """A Pillow image: L, LA, RGB or RGBA, and I;16 or F for deep gray.

        Colour and alpha are rounded to 8 bit, for Pillow has no deeper ones.
        """
        import PIL.Image

        if self.channels not in (1, 3):
            raise BadRequest(f"Pillow has no images of {self.channels} channels; take some of them")
        deep_gray = self.channels == 1 and not self.has_alpha
        image = PIL.Image.fromarray(self.to_array(None if deep_gray else 8))
        metadata = self.metadata
        blocks = {"icc_profile": metadata.icc, "exif": metadata.exif, "xmp": metadata.xmp, "dpi": metadata.dpi}
        image.info.update({name: block for name, block in blocks.items() if block is not None})
        return image

    def __repr__(self) -> str:
        colour = {1: "gray", 3: "RGB"}.get(self.channels, f"{self.channels} channels")
        colour += " and alpha" if self.has_alpha else ""
        return f"Image({self.width}x{self.height}, {colour}, {self.metadata.depth} bit)"

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        write(file, Image(self.pixels, self.alpha, replace(self.metadata, depth=8)), Encoding(format="png"))
        return file.getvalue()


def read(path: str | Path | bytes | BinaryIO) -> Image:
    """Read a whole image into memory; raises UnreadableImage as `open_image` and `ImageReader.rows` do."""
    source = open_image(path)
    return Image.from_samples(dequantise(source.rows(0, source.shape.height)), source.metadata)


def check_unmasked(array: object) -> None:
    """Raises: BadRequest for a masked array, whose mask would be lost."""
    if isinstance(array, np.ma.MaskedArray):
        raise BadRequest(
            "the array has a mask, which nothing here keeps; expected a plain one, such as array.filled(0)"
        )


def write(path: str | Path | BinaryIO, image: Image, encoding: Encoding = Encoding()) -> None:
    """Write a whole image, as `create` does; raises BadRequest for what is no Image (`Image.from_array` makes one)."""
    if isinstance(image, np.ndarray):
        raise BadRequest("the image is an array; expected an Image: Image.from_array(array) makes one")
    check_type("the image", image, Image)
    with create(path, image.shape, image.metadata, encoding) as writer:
        writer.write(image.samples)


def _without_inks(name: str, samples: NDArray[Any], icc: bytes | None) -> NDArray[Any]:
    """CMYK as sRGB. Raises: UnreadableImage for a profile that is damaged inside."""
    pyvips = vips()
    try:
        return cmyk_to_srgb(pyvips.Image.new_from_array(samples, interpretation="cmyk"), icc).numpy()
    except pyvips.Error as error:
        raise UnreadableImage(name, "its colour profile is damaged") from error


def _metadata_of(image: PIL.Image.Image) -> Metadata:
    info = image.info
    tags = image.getexif()
    turn = int(tags.get(tiff.ORIENTATION, 1)) if tags else 1
    sides = (image.width, image.height) if turn > 4 else (image.height, image.width)
    block = exif.upright(tags.tobytes().removeprefix(b"Exif\0\0"), sides, turn) if tags else None
    stated = Colour(gamma=info.get("gamma"), chromaticities=info.get("chromaticity"))
    colour = Colour() if info.get("icc_profile") or "srgb" in info else stated
    return Metadata(info.get("icc_profile"), block, info.get("xmp"), dpi=info.get("dpi"), colour=colour, sides=sides)
