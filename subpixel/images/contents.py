"""What a file holds beside its pixels, as its container lists it: chunks, segments, boxes and tags.

The same names for the same things in every format, so that a source and its result can be compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from subpixel.images import exif, tiff, xmp
from subpixel.images.metadata import Colour, Metadata, Text, became_srgb, has_other_resources, iptc_from_jpeg

LIMIT = 2**24
"""Bytes of one block, more of which is not read: what is longer counts as not kept."""
TOTAL = 2**26
"""Bytes of all texts of a file, decompressed."""
PARTS = 200_000
"""Chunks, boxes and the like that are looked at; no image needs more."""


@dataclass
class Contents:
    """The blocks of a file as they stand in it, and the names of what has no place among them."""

    icc: bytes | None = None
    exif: bytes | None = None
    xmp: bytes | None = None
    iptc: bytes | None = None
    dpi: tuple[float, float] | None = None
    text: list[Text] = field(default_factory=list[Text])
    colour: Colour = field(default_factory=Colour)
    depth: int = 0
    """Bits of a sample, where the container knows better than the decoder."""
    lossless: bool = False
    frames: int = 1
    is_cut: bool = False
    """Whether the file ends in the middle of a GIF's image, of which its decoder makes a shorter animation."""
    is_one_page: bool = False
    """Whether the other pages of a TIFF are smaller copies of the one that is read."""
    page: int = 0
    """Which of a TIFF's pages is the image."""
    is_tiled: bool = False
    """Whether a TIFF's pixels lie in tiles."""
    is_rare: bool = False
    """Whether a TIFF is of a kind that libvips does not decode."""
    unknown_colours: str = ""
    """What the numbers of a TIFF are, where no colours can be made of them."""
    opaque: bool = False
    """Whether the fourth channel is not alpha."""
    quantisation: tuple[int, ...] | None = None
    """The 64 steps of a JPEG file's first table, row by row."""
    restarts: bool = False
    """Whether a JPEG has markers from which its decoder goes on behind damage."""
    stated: int = 0
    """The orientation by the container's own word; AVIF turns by boxes, which its decoder obeys."""
    notes: list[str] = field(default_factory=list[str])
    """What reading it changed."""
    others: set[str] = field(default_factory=set[str])

    def add_photoshop(self, segment: bytes) -> None:
        """A Photoshop segment: IPTC records, and what else is in it."""
        self.iptc = self.iptc or iptc_from_jpeg(segment)
        if has_other_resources(segment):
            self.others.add("Photoshop resources")

    @property
    def orientation(self) -> int:
        """How the image is to be turned, 1 to 8: what the container says, or else EXIF, or else XMP."""
        stated = self.stated or (exif.orientation(self.exif) if self.exif else 0)
        return stated or xmp.orientation(self.xmp or b"") or 1

    def in_srgb(self, space: str) -> Contents:
        """What is true of the image when its colours were converted. space: what they were."""
        packet, notes = self.xmp and xmp.in_srgb(self.xmp), [*self.notes, became_srgb(space)]
        return replace(self, icc=None, xmp=packet, notes=notes)

    @property
    def names(self) -> frozenset[str]:
        """What is held, by name."""
        blocks = {"ICC": self.icc, "EXIF": self.exif, "XMP": self.xmp, "IPTC": self.iptc}
        colour = {"cICP": self.colour.cicp, "gAMA": self.colour.gamma, "cHRM": self.colour.chromaticities}
        present = {name for name, block in (blocks | colour).items() if block} | self.others
        return frozenset(present | {text.name for text in self.text} | exif_names(self.exif or b""))


def exif_names(block: bytes) -> set[str]:
    """The tags of a block that a result should have too."""
    unnamed = tiff.STRUCTURE | tiff.BLOCKS | tiff.NESTED
    return {
        f"EXIF {table:x}:{entry.tag:x}"
        for table, entries in exif.tables(block)
        for entry in entries
        if entry.tag not in unnamed
    }


def missing(held: frozenset[str], result: frozenset[str]) -> list[str]:
    """What of a source is not in its result, as a person would call it."""
    lost = held - result
    blocks = sorted(name for name in lost if not name.startswith("EXIF "))
    tags = sorted(name for name in lost if name.startswith("EXIF "))
    return blocks if "EXIF" in blocks else blocks + [_tag_name(name) for name in tags]


def of_metadata(metadata: Metadata) -> Contents:
    """What a result is to hold."""
    blocks = (metadata.icc, metadata.exif, metadata.xmp, metadata.iptc)
    return Contents(*blocks, text=list(metadata.text), colour=metadata.colour)


def _tag_name(name: str) -> str:
    """EXIF's own name for a tag that is called by numbers."""
    from PIL import ExifTags

    table, tag = (int(part, 16) for part in name.removeprefix("EXIF ").split(":"))
    known = {tiff.GPS: ExifTags.GPSTAGS}.get(table, ExifTags.TAGS)
    return f"the tag {known.get(tag, f'{tag:#06x}')}"
