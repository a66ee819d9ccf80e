"""The priority of threads that score in bulk."""

from __future__ import annotations

import os
import sys
import threading

# On a scale to 19. A thread with this niceness gets about a tenth of a busy core.
_NICENESS = 10


def lower_priority() -> None:
    """Lower the priority of the calling thread, on systems with a priority for each thread."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
