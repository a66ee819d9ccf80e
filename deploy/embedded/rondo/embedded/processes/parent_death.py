"""Children that go when their parent goes, even by `kill -9`.

Linux sends a child the signal of PR_SET_PDEATHSIG when the *thread* that forked it ends, so children are started
from a thread that lives as long as they should: the main thread. Elsewhere the system has no such thing: there a
parent that was killed leaves its children behind, and the next start in the same folder ends them (`leftovers.py`).
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: a child between fork and exec should do as little as it can.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def tethered(farewell: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """Return the `preexec_fn` by which a child receives `farewell` when its parent goes; none where it can't."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, farewell)
        if os.getppid() != parent:  # it went before the line above
            os._exit(1)

    return tie
