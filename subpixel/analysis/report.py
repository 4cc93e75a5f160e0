"""What is wrong with an image, as one frozen value: in words for people, in JSON, and as a network's condition."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from subpixel.condition import CONDITION, MOST_BLUR, MOST_NOISE, WORST_QUALITY
from subpixel.errors import BadRequest, first_problem, unread

Kind = Literal["photo", "drawing", "pixel-art"]
Quality = Annotated[int, Field(ge=1, le=100)]
Phase = Annotated[int, Field(ge=0, le=7)]
Amount = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]

_NEARLY_LOSSLESS = 96
_BESIDE = ("image", "clean", "summary")
"""What `subpixel inspect --json` says beside a report."""
_WORDS: dict[Kind, str] = {"photo": "", "drawing": "a drawing, ", "pixel-art": "pixel art, "}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Jpeg(_Part):
    """The last JPEG file that the pixels come from; quality 100 where there was none."""

    quality: Quality = 100
    """As the library of the Independent JPEG Group counts; other tables by the nearest one."""
    phase: tuple[Phase, Phase] | None = None
    """Row and column of the first whole block; None where none was found in the pixels."""
    source: Literal["file", "pixels"] = "pixels"
    """Where the quality was read: in the tables of the file, or in the pixels."""
    earlier: Quality | None = None
    """The quality of a stronger compression before it, on another grid."""
    confidence: Share = 1.0
    """How likely the quality is right to 1."""


class Noise(_Part):
    """Grain, as standard deviations in levels of 0..255 at mid-gray; 0 where there is none to speak of."""

    sigma: Amount = 0.0
    """Of each channel."""
    chroma: Amount = 0.0
    """Of that part which differs from channel to channel; 0 for gray grain, `sigma` for independent channels."""
    shot: Share = 0.0
    """The share of the variance that grows with brightness."""
    confidence: Share = 1.0
    """How likely `sigma` is right to two levels, or a fifth of it."""


class Blur(_Part):
    """The covariance of the blur, in px^2; x runs to the right, y up, as in `degradations`."""

    xx: Amount = 0.0
    yy: Amount = 0.0
    xy: float = 0.0
    source: Literal["spectra", "edges"] = "spectra"
    """Where it was read: in edges, where nothing else seems to have been done to the image, or in mean spectra."""
    confidence: Share = 1.0
    """How likely its standard deviation is right to a quarter of a pixel."""

    @model_validator(mode="after")
    def _is_covariance(self) -> Self:
        if self.xy**2 > self.xx * self.yy * 1.001:
            raise ValueError(f"xy is {self.xy:g}; expected at most the root of xx times yy")
        return self

    @property
    def axes(self) -> tuple[float, float, float]:
        """Standard deviations along the long and the short axis in pixels, and the long one's angle.

        The angle is in degrees, counter-clockwise from the right, from 0 to 180.
        """
        middle, spread = (self.xx + self.yy) / 2, math.hypot((self.xx - self.yy) / 2, self.xy)
        angle = math.degrees(math.atan2(2 * self.xy, self.xx - self.yy) / 2) % 180
        return math.sqrt(middle + spread), math.sqrt(max(0.0, middle - spread)), angle


class DegradationReport(_Part):
    """What was found in an image; None is what could not be judged; see `unrecognised`."""

    kind: Kind = "photo"
    jpeg: Jpeg | None = Jpeg()
    noise: Noise | None = Noise()
    blur: Blur | None = Blur()
    native_scale: Annotated[float, Field(gt=0, le=1)] | None = 1.0
    """The size that the image once had, relative to its present one: 0.5 where it was enlarged by 2."""
    interlaced: bool = False
    """Combs: its even and odd rows are from two moments."""
    halftone: bool = False
    """A printed screen of dots."""
    specks: bool = False
    """Single pixels far beyond all around them, bright and dark: salt and pepper. Named, but not undone."""

    @property
    def clean(self) -> bool:
        """Nothing was found that asks for restoration."""
        return not self._findings()

    @property
    def unrecognised(self) -> bool:
        """Whether it looks degraded in a way that was not told apart: sharp or blurred is not to be said, or its edges
        say that more was done than to blur it, or it is blurred under noise of unknown strength; and it shows no JPEG
        and no dots of print, whose edges are their own. Most such images went through several degradations, and
        undoing a blur alone would blow up what came after it.
        """
        plain = self.jpeg is not None and not self._said_jpeg() and not self.halftone
        return plain and (self.blur is None or (self.noise is None and bool(self._said_blur())))

    @property
    def summary(self) -> str:
        """One line in words, such as "JPEG of quality 52, noise of about 4 levels, a little blurred"."""
        return ", ".join(self._findings()) or self._said_nothing()

    def _findings(self) -> list[str]:
        return [text for text in (self._said_jpeg(), self._said_noise(), self._said_blur(), *self._said_more()) if text]

    def _said_nothing(self) -> str:
        """Where nothing was found: whether all was judged."""
        parts = {"JPEG": self.jpeg, "noise": self.noise, "blur": self.blur}
        unknown = [name for name, part in parts.items() if part is None]
        if not unknown:
            return f"{_WORDS[self.kind]}nothing wrong found"
        if len(unknown) == len(parts):
            return "too little to judge"
        return f"{_WORDS[self.kind]}nothing certain found; {' and '.join(unknown)} could not be judged"

    def _said_jpeg(self) -> str:
        if self.jpeg is None or (self.jpeg.quality >= _NEARLY_LOSSLESS and self.jpeg.earlier is None):
            return ""
        earlier = f" after one of {self.jpeg.earlier}" if self.jpeg.earlier is not None else ""
        return f"JPEG of quality {self.jpeg.quality}{earlier}"

    def _said_noise(self) -> str:
        if self.noise is None or not self.noise.sigma:
            return ""
        return f"noise of about {self.noise.sigma:.0f} level{'s' * (round(self.noise.sigma) != 1)}"

    def _said_blur(self) -> str:
        if self.blur is None or not self.blur.xx + self.blur.yy:
            return ""
        long, short, angle = self.blur.axes
        amount = "a little" if long < 0.8 else "strongly" if long > 1.6 else "visibly"
        return f"{amount} blurred" + (f" along {angle:.0f} degrees" if long > 2 * short + 0.5 else "")

    def _said_more(self) -> list[str]:
        enlarged = self.native_scale is not None and self.native_scale < 1
        return [
            f"enlarged before from {self.native_scale:.0%} of its size" if enlarged else "",
            "interlaced" if self.interlaced else "",
            "a halftone screen" if self.halftone else "",
            "dead or dusty pixels" if self.specks else "",
            "degraded in a way that is not recognised" if self.unrecognised else "",
        ]

    def condition(self) -> dict[str, float]:
        """What a restoring network is told: CONDITION by name, all 0 for a clean image; clipped to the trained range.

        jpeg: (100 - quality) / 75, of the stronger of two compressions; noise, chroma_noise: levels / 25; shot: a
        share; blur: px^2; resampled: 1 - native_scale; and 1 in place of each group's numbers where it is unknown, as
        all of them are where it is unrecognised.
        """
        if self.unrecognised:
            return UNKNOWN.condition()
        jpeg, noise, blur = self.jpeg or Jpeg(), self.noise or Noise(), self.blur or Blur()
        quality = max(WORST_QUALITY, min(jpeg.quality, jpeg.earlier or 100))
        shrink = min(1.0, MOST_BLUR / max(blur.xx, blur.yy, 1e-9))
        values = (
            0.0 if self._said_jpeg() == "" else (100 - quality) / 75,
            min(noise.sigma, MOST_NOISE) / MOST_NOISE,
            min(noise.chroma, MOST_NOISE) / MOST_NOISE,
            noise.shot if noise.sigma else 0.0,
            blur.xx * shrink,
            blur.yy * shrink,
            blur.xy * shrink,
            0.0 if self.blur is None else 1 - (self.native_scale or 1.0),
            float(self.noise is None),
            float(self.jpeg is None),
            float(self.blur is None),
        )
        return dict(zip(CONDITION, values, strict=True))

    def to_json(self) -> str:
        """What `parse` reads."""
        return self.model_dump_json()

    @classmethod
    def parse(cls, given: str | bytes | dict[str, Any]) -> Self:
        """A report from JSON or plain values. Raises: BadRequest naming the key that is wrong."""
        try:
            text = isinstance(given, str | bytes)
            return cls.model_validate_json(given) if text else cls.model_validate(given)
        except ValidationError as error:
            raise BadRequest(first_problem(error)) from None

    @classmethod
    def read(cls, path: Path) -> Self:
        """The report in a file, as `to_json` and `subpixel inspect --json` write it. Raises: BadRequest."""
        try:
            given = dict(json.loads(path.read_bytes()))
        except OSError as error:
            raise BadRequest(f"cannot read {path}: {unread(error)}") from None
        except (ValueError, TypeError, RecursionError):
            raise BadRequest(f"{path} is no report; expected the one line of: subpixel inspect IMAGE --json") from None
        try:
            return cls.parse({key: value for key, value in given.items() if key not in _BESIDE})
        except BadRequest as error:
            raise BadRequest(f"{path}: {error}") from None


UNKNOWN = DegradationReport(jpeg=None, noise=None, blur=None, native_scale=None)
"""What is said of an image that is too small, or one pattern over and over: there is too little to judge."""
