"""The time of day, as this process counts it."""

from __future__ import annotations

import time

_BEGAN = time.time() - time.monotonic()


def now() -> float:
    """Seconds since 1970 by the clock that this process began with: one that is set in between moves nothing here."""
    return _BEGAN + time.monotonic()
