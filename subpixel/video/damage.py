"""What of a source could not be used, and packets that give nothing."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from av.error import FFmpegError


@dataclass
class Damage:
    """What of a source could not be used."""

    undecodable: int = 0
    """Packets, or images of a folder."""
    corrupt: int = 0
    """Frames that the decoder patched up and says so, as those of MPEG-2, H.264 and H.265 do."""
    resized: int = 0
    """Frames of another size than the first."""
    disordered: int = 0
    """Frames whose time is not after that of the frame before."""
    retold: int = 0
    """Frames that tell other colours, or another shape of a pixel, than the first."""
    refused: int = 0
    """Packets of other streams that the container does not take: they are damaged, or their time has passed."""
    missing: float = 0.0
    """Seconds at the end that the header speaks of."""

    def __bool__(self) -> bool:
        return any(asdict(self).values())

    def __str__(self) -> str:
        counts = {
            "frames cannot be decoded": self.undecodable,
            "frames are damaged": self.corrupt,
            "frames have another size and are left out": self.resized,
            "frames have no time of their own, or one that has passed, and are left out": self.disordered,
            "frames tell other colours or another shape of a pixel than the first, whose the result has": self.retold,
            "packets of other streams are damaged or out of order, and left out": self.refused,
        }
        parts = [f"{count} {what}" for what, count in counts.items() if count]
        return "; ".join([*parts, f"the last {self.missing:.1f} s are missing"] if self.missing else parts)


def decoded(packet: Any) -> list[Any] | None:
    """The frames of a packet; None where it cannot be decoded, or is encrypted and would decode to noise."""
    if packet.has_sidedata("encryption_info"):
        return None
    try:
        return packet.decode()
    except FFmpegError:
        return None
