"""Which streams of a model are silent: the only use of the monitor's clock, and it changes no figure while rows flow.

Flink's `withIdleness`. A stream that brings nothing for as long as its rows may be out of order has passed what it
brought; outcomes that bring nothing newer for longer are not waited for. What Kafka holds and nobody has read yet is no
silence: it counts from the moment on at which that has been read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rondo.monitor.pace import Pace
    from rondo.monitor.stream.message_buffer import Waiting

Stream = Literal["predictions", "outcomes", "newer outcomes"]


class Silence:
    """When each stream of each model was heard last; `now` is a time of a monotonic clock, in seconds."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.forget()

    def forget(self) -> None:
        """Forget what was heard: nothing is silent until it is said that silence begins to count."""
        self._began: float | None = None
        self._heard: dict[tuple[str, Stream], float] = {}

    def begin(self, now: float) -> None:
        """Let silence count as of now."""
        self._began = now

    def heard(self, model: str, stream: Stream, now: float) -> None:
        """Note that a stream brought something."""
        self._heard[model, stream] = now

    def catch_up(self, waiting: Waiting, now: float) -> None:
        """Let the streams that are silent have passed what they brought; rows that are held are still to pass."""
        watch = waiting.watch
        if not waiting.held and self._lasts(watch.model, "predictions", self._pace.disorder, now):
            watch.watermark = watch.watermark.caught_up()
        if self._lasts(watch.model, "outcomes", self._pace.disorder, now):
            watch.known = watch.known.caught_up()

    def outcomes_idle(self, model: str, now: float) -> bool:
        """Tell whether the outcomes have stood still for so long that no window waits for them."""
        return self._lasts(model, "newer outcomes", self._pace.outcomes_idle, now)

    def _lasts(self, model: str, stream: Stream, seconds: float, now: float) -> bool:
        if self._began is None:
            return False
        return now - max(self._began, self._heard.get((model, stream), self._began)) >= seconds
