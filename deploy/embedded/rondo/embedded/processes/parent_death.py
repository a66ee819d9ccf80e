"""Child processes that end when their parent ends, even by `kill -9`.

Linux sends a child the signal of PR_SET_PDEATHSIG when the *thread* that forked it ends. Children are therefore started
from the main thread. Other systems have no such signal. There the children of a killed parent survive, and the next
start in the same folder kills them (`orphans.py`).
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
# Loaded before any fork, because a child should do as little as possible between fork and exec.
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def signal_on_parent_death(number: signal.Signals = signal.SIGKILL) -> Callable[[], None] | None:
    """Return a `preexec_fn` with which a child gets the signal when its parent ends. None if that is unsupported."""
    if _LIBC is None:
        return None
    libc, parent = _LIBC, os.getpid()

    def set_signal() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # the parent ended before the line above
            os._exit(1)

    return set_signal
