"""Many frames, one image: frames that moved by parts of a pixel hold more than each of them shows."""

from subpixel.burst.evidence import Report
from subpixel.burst.fusion import Burst, Fusion, fuse, prepare
from subpixel.burst.motion import Motion

__all__ = ["Burst", "Fusion", "Motion", "Report", "fuse", "prepare"]
