"""The memory of this process."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STATM = Path("/proc/self/statm")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SECONDS = 1.0
_known: tuple[float, int] = (-_SECONDS, 0)


def resident_bytes() -> int:
    """Return the resident memory of the process in bytes, at most a second old. 0 on systems without /proc."""
    global _known  # noqa: PLW0603 - a figure of the process: several threads may read it twice
    now = time.monotonic()
    if now - _known[0] >= _SECONDS:
        try:
            pages = int(_STATM.read_text().split()[1])
        except OSError:
            pages = 0
        _known = (now, pages * _PAGE)
    return _known[1]
