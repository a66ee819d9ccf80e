"""How far a download is: bytes counted from several threads, told in equal steps."""

import threading

from rondo.embedded.progress import Progress

_STEPS = 20


class Meter:
    """Tells `progress` each twentieth of `total` bytes, once."""

    def __init__(self, what: str, total: int, progress: Progress) -> None:
        """Begin at zero; `what` is what goes on, such as "fetching Kafka"."""
        self._what, self._total, self._progress = what, total, progress
        self._lock = threading.Lock()
        self._bytes = self._told = 0

    def add(self, count: int) -> None:
        """Count bytes that came, or, below zero, that have to come once more."""
        with self._lock:
            self._bytes += count
            step = _STEPS * self._bytes // self._total
            if step > self._told:
                self._told = step
                percent, done, total = 100 * self._bytes // self._total, self._bytes / 1e6, self._total / 1e6
                self._progress(f"{self._what}: {done:.0f} of {total:.0f} MB ({percent}%)")
