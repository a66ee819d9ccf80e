"""Requests that repeat others: by entity and event time within a window, and by their features.

A sender that repeats its requests repeats entity and event time. No such row is to be expected, so there is no test. An
alert opens if a twentieth of the requests of a window repeat another one, beyond three standard errors of the estimate.
It ends with a window that has half of that share. Whether repeated features are usual depends on the model: see
`repeated_features`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.chassis.profiles.row_hashes import row_hashes
from rondo.contracts.events.logs import FEATURE
from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.vocabularies import QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.quality.degraded import degraded
from rondo.monitor.quality.distinct_sketch import DistinctSketch
from rondo.monitor.quality.repeated_features import RepeatedFeatures
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import RepeatedRows
    from rondo.monitor.alerts.findings import Announcement, Subject

LARGEST_SHARE = 0.05
FEWEST_REQUESTS = 100
_ERRORS = 3
# Open windows, and closed ones that wait for outcomes. With more windows the oldest are discarded.
MOST_WINDOWS = 64
MOST_CLOSED = 512
_ADVICE = {
    QualityProblem.REPEATED_REQUESTS: "Check what sends the requests: repeated ones count twice in all figures.",
    QualityProblem.REPEATED_FEATURES: "Check where the features come from: a sensor that is stuck, or a cache.",
}


@dataclass(frozen=True)
class WindowRepeats:
    """The requests of a window that have an entity and an event time, and the features of all its requests."""

    requests: DistinctSketch = field(default_factory=DistinctSketch)
    features: DistinctSketch = field(default_factory=DistinctSketch)


@dataclass(frozen=True)
class RepeatShares:
    """The shares of a closed window: repeated `requests`, with the standard `error`, and repeated `features`.

    `rows` is the number of requests with an entity and an event time. A share is None if there are no rows.
    """

    rows: int
    requests: float | None
    error: float
    features: float | None


@dataclass
class Repeats:
    """Open windows by their starts, the newest `closed` ones, and the alerts by problem."""

    windows: dict[int, WindowRepeats] = field(default_factory=dict)
    closed: dict[int, RepeatShares] = field(default_factory=dict)
    features: RepeatedFeatures = field(default_factory=RepeatedFeatures)
    open: dict[str, str] = field(default_factory=dict)

    def take(
        self,
        rows: pa.Table,
        times: NDArray[np.int64],
        starts: NDArray[np.int64],
        version: int,
        usual: RepeatedRows | None,
        rate: float,
    ) -> None:
        """Take rows of `predictions.log` in order, by event time and the start of the window of each.

        `usual` has the repeated rows of the training. It is None if they are not known, or if the version no longer
        serves.
        """
        if not times.size:
            return
        keyed = np.asarray(pc.and_(rows.column("entity").is_valid(), rows.column("event_time").is_valid()))
        requests = rows.select(["entity", "event_time"]).filter(pa.array(keyed))
        keys = row_hashes(requests.columns)
        features = row_hashes(rows.column(name) for name in sorted(rows.column_names) if name.startswith(FEATURE))
        newest_closed = max(self.closed, default=None)
        # Most neighbouring rows are in the same window.
        firsts = starts[np.flatnonzero(np.diff(starts, prepend=starts[:1] - 1))]
        for start in np.unique(firsts).tolist():
            if newest_closed is not None and start <= newest_closed:
                continue
            mine, before = starts == start, self.windows.get(start, WindowRepeats())
            after = before.features.plus(features[mine]) if features.size else before.features
            self.windows[start] = WindowRepeats(before.requests.plus(keys[mine[keyed]]), after)
        for start in sorted(self.windows)[:-MOST_WINDOWS]:
            del self.windows[start]
        if usual is not None and features.size:
            self.features.take(version, usual, features, times, rate)

    def look(self, subject: Subject, length: int, passed: int) -> list[Announcement]:
        """Close the windows of this length that the watermark has `passed`. Returns the announcements."""
        published: list[Announcement] = []
        for start in sorted(start for start in self.windows if start + length <= passed):
            window = self.windows.pop(start)
            found = _shares(window)
            self.closed[start] = found
            if found.requests is not None and found.rows >= FEWEST_REQUESTS:
                published += self._look_at_window(subject, start, length, found)
        for start in sorted(self.closed)[:-MOST_CLOSED]:
            del self.closed[start]
        return published + self._look_at_features(subject, to_time(passed))

    def statistics(self, start: int) -> tuple[Statistic, ...]:
        """Return the figures of a closed window."""
        found = self.closed.get(start)
        if found is None:
            return ()
        shares = {StatisticName.REPEATED_REQUESTS: found.requests, StatisticName.REPEATED_FEATURES: found.features}
        return tuple(Statistic(statistic=name, value=value) for name, value in shares.items() if value is not None)

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the open alerts, and discard all rows."""
        opened, self.open = self.open, {}
        self.windows, self.closed, self.features = {}, {}, RepeatedFeatures()
        return [findings.resolved(model, alert, at, why) for alert in opened.values()]

    def clear_windows(self) -> None:
        """Discard the windows: later ones have another length, or are before these."""
        self.windows, self.closed = {}, {}

    def clear_features(self) -> None:
        """Discard the repeated features: another version serves, possibly an older one."""
        self.features = RepeatedFeatures()

    def snapshot(self) -> Repeats:
        return Repeats(dict(self.windows), dict(self.closed), self.features.snapshot(), dict(self.open))

    def _look_at_window(self, subject: Subject, start: int, length: int, found: RepeatShares) -> list[Announcement]:
        share, problem = found.requests or 0.0, QualityProblem.REPEATED_REQUESTS
        begin, end = to_time(start), to_time(start + length)
        if problem in self.open:
            over = share < LARGEST_SHARE / 2
            return (
                self._ended(subject, problem, end, f"{share:.1%} of the requests of a window repeat another")
                if over
                else []
            )
        if share - _ERRORS * found.error <= LARGEST_SHARE:
            return []
        statistic = Statistic(
            statistic=StatisticName.REPEATED_REQUESTS, value=share, reference=0.0, threshold=LARGEST_SHARE
        )
        about = f"{share:.1%} of {found.rows:,} requests repeat the entity and event time of another"
        return self._raise(subject, problem, statistic, Window(start=begin, end=end, rows=found.rows), about)

    def _look_at_features(self, subject: Subject, at: datetime) -> list[Announcement]:
        alarm, problem = self.features.alarm, QualityProblem.REPEATED_FEATURES
        if alarm is None:
            why = "the features of requests repeat as often as in the training, or another version serves"
            return self._ended(subject, problem, at, why)
        if problem in self.open:
            return []
        statistic = Statistic(statistic=StatisticName.REPEATED_FEATURES, value=alarm.value, reference=alarm.reference)
        about = (
            f"the features of {alarm.value:.1%} of the newest requests repeat those of another; in the training "
            f"{alarm.reference:.1%}"
        )
        window = Window(start=to_time(alarm.since), end=to_time(max(alarm.since, alarm.at)), rows=alarm.rows)
        return self._raise(subject, problem, statistic, window, about)

    def _ended(self, subject: Subject, problem: QualityProblem, at: datetime, why: str) -> list[Announcement]:
        alert = self.open.pop(problem, None)
        return [findings.resolved(subject.model, alert, at, why)] if alert else []

    def _raise(
        self, subject: Subject, problem: QualityProblem, statistic: Statistic, window: Window, about: str
    ) -> list[Announcement]:
        self.open[problem], announced = degraded(
            subject, problem, (statistic,), window,
            (f"{subject.model}: {about.partition(';')[0]}", f"{about}. {_ADVICE[problem]}"),
        )  # fmt: skip
        return announced


def _shares(window: WindowRepeats) -> RepeatShares:
    requests, features = window.requests, window.features
    return RepeatShares(
        requests.rows,
        requests.repeated if requests.rows else None,
        requests.error,
        features.repeated if features.rows else None,
    )
