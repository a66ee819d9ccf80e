"""SIGTERM as an orderly end."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def terminated_like_ctrl_c() -> Iterator[None]:
    """Take SIGTERM for Ctrl-C while the body runs; in a thread other than the main one nothing is changed."""
    # `rondo down`, systemd and friends send it, and by itself Python would leave without stopping anything.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
