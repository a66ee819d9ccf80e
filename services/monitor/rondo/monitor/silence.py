"""Which streams of a model are silent: the only use of the monitor's clock, and it changes no figure while rows flow.

Flink's `withIdleness`. A stream that brings nothing for as long as its rows may be out of order has passed what it
brought; outcomes that bring nothing newer for longer are not waited for.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    from rondo.monitor.pace import Pace
    from rondo.monitor.waiting import Waiting

Stream = Literal["predictions", "outcomes", "newer outcomes"]


class Silence:
    """When each stream of each model was heard last, by a monotonic clock."""

    def __init__(self, clock: Callable[[], float], pace: Pace) -> None:
        self._clock, self._pace = clock, pace
        self.begin()

    def begin(self) -> None:
        """Forget what was heard: as of now, nothing has been silent for any time."""
        began = self._clock()
        self._heard: defaultdict[tuple[str, Stream], float] = defaultdict(lambda: began)

    def heard(self, model: str, stream: Stream) -> None:
        """Note that a stream brought something."""
        self._heard[model, stream] = self._clock()

    def catch_up(self, waiting: Waiting) -> None:
        """Let the streams that are silent have passed what they brought; rows that are held are still to pass."""
        watch = waiting.watch
        if not waiting.held and self._lasts(watch.model, "predictions", self._pace.disorder):
            watch.watermark = watch.watermark.caught_up()
        if self._lasts(watch.model, "outcomes", self._pace.disorder):
            watch.known = watch.known.caught_up()

    def outcomes_idle(self, model: str) -> bool:
        """Tell whether the outcomes have stood still for so long that no window waits for them."""
        return self._lasts(model, "newer outcomes", self._pace.outcomes_idle)

    def _lasts(self, model: str, stream: Stream, seconds: float) -> bool:
        return self._clock() - self._heard[model, stream] >= seconds
