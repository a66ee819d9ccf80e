"""Idle streams, as Flink's `withIdleness` defines them.

This is the only use of the monitor's clock. While rows arrive, it changes no figure. The watermark of an idle stream
advances to its newest event time. Windows do not wait for idle outcomes. Messages that the monitor has not read yet are
not idleness, so idle time counts from the moment when the initial backlog is consumed.
"""

from __future__ import annotations

from typing import Literal

IdleStream = Literal["predictions", "outcomes", "newer outcomes"]


class IdlenessTracker:
    """The last activity of each stream of each model. `now` is a time of a monotonic clock, in seconds."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Reset all activity. No stream counts as idle until `arm()` is called."""
        self._armed_at: float | None = None
        self._last_active: dict[tuple[str, IdleStream], float] = {}

    def arm(self, now: float) -> None:
        """Start to count idle time: the initial backlog has been consumed."""
        self._armed_at = now

    def touch(self, model: str, stream: IdleStream, now: float) -> None:
        """Record activity of a stream."""
        self._last_active[model, stream] = now

    def expect(self, model: str, stream: IdleStream, now: float) -> None:
        """Start to count idle time for a stream that has not been active yet."""
        self._last_active.setdefault((model, stream), now)

    def idle(self, model: str, stream: IdleStream, seconds: float, now: float) -> bool:
        """Return whether a stream has been inactive for `seconds`."""
        if self._armed_at is None:
            return False
        return now - max(self._armed_at, self._last_active.get((model, stream), self._armed_at)) >= seconds
