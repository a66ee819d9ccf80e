"""The checks of a model's data: streams, volume, repeated and failed rows, published values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from rondo.monitor.quality.failed_rows import FailedRows
from rondo.monitor.quality.repeats import Repeats
from rondo.monitor.quality.skew import SkewAlarm
from rondo.monitor.quality.streams import FirstOutcomes, StreamQuality
from rondo.monitor.quality.volume import Volume
from rondo.monitor.stream.watermark import NEVER, is_implausible

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.monitor.alerts.findings import Announcement, Subject
    from rondo.monitor.costs.version_cost import VersionCost
    from rondo.monitor.quality.skew import ServedSkew
    from rondo.monitor.quality.streams import Stream
    from rondo.monitor.windows.tumbling import TumblingWindows


@dataclass
class ModelQuality:
    streams: StreamQuality = field(default_factory=StreamQuality)
    skew: SkewAlarm = field(default_factory=SkewAlarm)
    repeats: Repeats = field(default_factory=Repeats)
    failed: FailedRows = field(default_factory=FailedRows)
    volume: Volume = field(default_factory=Volume)

    @property
    def open(self) -> dict[str, str]:
        """The ids of the open alerts, by kind."""
        return self.streams.open | self.skew.open | self.repeats.open | self.failed.open | self.volume.open

    def take(self, model: str, stream: Stream, written: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Take rows of a stream, see `StreamQuality.take`. Rows without a plausible event time count, too."""
        plausible = np.where(is_implausible(times, written), written, times)
        self.streams.take(model, stream, written, plausible)
        if stream == "requests":
            self.volume.take(plausible)

    def look(
        self,
        subject: Subject,
        tumbling: TumblingWindows | None,
        passed: int,
        measured: ServedSkew,
        *,
        missed_outcomes: bool,
        costs: Mapping[int, VersionCost],
    ) -> list[Announcement]:
        """Return the announcements as of now. `passed` is the watermark of the requests.

        `missed_outcomes` is true if outcomes are to be expected, and all that have been written are read. Outcomes that
        are not there are then missing. `costs` are those of the subject by window.
        """
        if tumbling is None:
            found = self.streams.look(subject, 0) + self.failed.look(subject, costs, 0, passed)
            return found + self.skew.look(subject, measured)
        first = FirstOutcomes(passed, tumbling.length, tumbling.label_delay) if missed_outcomes else None
        found = self.streams.look(subject, tumbling.label_delay, first)
        found += self.repeats.look(subject, tumbling.length, passed)
        found += self.failed.look(subject, costs, tumbling.length, passed)
        found += self.volume.look(subject, tumbling.length, passed)
        return found + self.skew.look(subject, measured)

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the open alerts, and reset all checks."""
        parts = (self.streams, self.skew, self.repeats, self.failed, self.volume)
        return [each for part in parts for each in part.resolve(model, at, why)]

    def begin_event_time_again(self, first_request: int) -> None:
        """Discard the event times of requests, because later requests have earlier event times.

        `first_request` is the earliest event time of the requests that lead event time now. They have arrived already,
        and their outcomes are still to come.
        """
        self.volume.clear_counts()
        self.failed.window = NEVER
        self.streams.first_request = first_request

    def snapshot(self) -> ModelQuality:
        return ModelQuality(
            self.streams.snapshot(), self.skew.snapshot(), self.repeats.snapshot(), self.failed.snapshot(),
            self.volume.snapshot(),
        )  # fmt: skip
