"""The number of requests, compared with the same hours of the weeks before, and the alert that it is unusual.

The number of requests depends on the time of day and week, so a period is compared with the same hours of the week.
Periods have the length of a window, in whole hours, and a week at most. Rows count by event time: a replay of old data
has the volume of that time. There is no test, because the volume of few weeks has no known distribution. A period is
unusual if it has less than a third of the least, or more than three times the most of these weeks. Two consecutive
unusual periods open the alert. A period without requests is ignored, because it is a silence or a usual night: it
neither opens nor ends an alert.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.vocabularies import AlertKind, QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.hysteresis import AlarmState
from rondo.monitor.quality.degraded import degraded
from rondo.monitor.quality.rhythm import HOUR
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.monitor.alerts.findings import Announcement, Subject

_WEEK = 7 * 24
KEPT_WEEKS = 4
"""The number of weeks that a period is compared with."""
FEWEST_WEEKS = 2
FACTOR = 3
FEWEST_ROWS = 30
"""The rows below which a factor of three may be chance. It is the least usual number for the upper limit."""
_CONSECUTIVE = 2


@dataclass(frozen=True)
class PeriodVolume:
    """The number of `rows` in a period of `hours` hours that began with the hour `start`. Hours count from the epoch.

    `least` and `most` are the rows of the same hours in the `weeks` before. `usual` is the mean of all periods in these
    weeks.
    """

    start: int
    hours: int
    rows: int
    least: int
    most: int
    usual: float
    weeks: int

    @property
    def is_low(self) -> bool:
        """True if the rows are far fewer than those of any of the weeks, but not 0.

        A period without rows is a silence.
        """
        return self.least >= FEWEST_ROWS and 0 < FACTOR * self.rows < self.least

    @property
    def highest(self) -> float:
        """The largest number of rows that is not unusual for the same hours, nor for the mean of all hours."""
        return FACTOR * max(self.most, self.usual, FEWEST_ROWS)

    @property
    def is_high(self) -> bool:
        return self.rows > self.highest


@dataclass
class Volume:
    """Rows by hour, for the weeks that are needed. `first` is the hour of the first row.

    Periods up to the hour `looked` have been evaluated. `newest` is the last one, if there are weeks to compare it
    with. `alarm` has the id of the open alert.
    """

    hours: dict[int, int] = field(default_factory=dict)
    first: int = NEVER
    looked: int = NEVER
    newest: PeriodVolume | None = None
    alarm: AlarmState = field(default_factory=AlarmState)

    @property
    def open(self) -> dict[str, str]:
        """The id of the open alert, by its kind."""
        return {AlertKind.VOLUME: self.alarm.alert_id} if self.alarm.alert_id else {}

    def take(self, times: NDArray[np.int64]) -> None:
        """Take requests by their event times, in microseconds.

        Rows of hours that have been evaluated are late, and ignored.
        """
        hours = times // HOUR
        found, counts = np.unique(hours[hours >= self.looked], return_counts=True)
        if not found.size:
            return
        for hour, count in zip(found.tolist(), counts.tolist(), strict=True):
            self.hours[hour] = self.hours.get(hour, 0) + count
        self.first = int(found[0]) if self.first == NEVER else self.first
        newest = max(self.hours)
        if newest - min(self.hours) > (KEPT_WEEKS + 3) * _WEEK:
            # One more week is that of a period, and another one is for its wait until the watermark has passed it.
            oldest = newest - (KEPT_WEEKS + 2) * _WEEK
            self.hours = {hour: count for hour, count in self.hours.items() if hour >= oldest}

    def look(self, subject: Subject, length: int, passed: int) -> list[Announcement]:
        """Evaluate the periods that the watermark has `passed`, for windows of this length.

        Returns the announcements.
        """
        if NEVER in (self.first, passed):
            return []
        hours = min(max(1, -(-length // HOUR)), _WEEK)
        upto = passed // HOUR // hours * hours
        # Older hours are not kept.
        begin = max(self.first, self.looked, upto - _WEEK)
        published: list[Announcement] = []
        for start in range(-(-begin // hours) * hours, upto, hours):
            published += self._look(subject, start, hours)
        self.looked = max(self.looked, upto)
        return published

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the alert if it is open, and discard all rows."""
        alert = self.alarm.alert_id
        self.hours, self.first, self.looked, self.newest, self.alarm = {}, NEVER, NEVER, None, AlarmState()
        return [findings.resolved(model, alert, at, why)] if alert else []

    def clear_counts(self) -> None:
        """Discard the rows, because event time begins again. An open alert ends with the next period."""
        self.hours, self.first, self.looked, self.newest = {}, NEVER, NEVER, None

    def snapshot(self) -> Volume:
        return replace(self, hours={})

    def _look(self, subject: Subject, start: int, hours: int) -> list[Announcement]:
        self.newest = self._period(start, hours)
        end = to_time((start + hours) * HOUR)
        if self.newest is None:
            alert, self.alarm = self.alarm.alert_id, AlarmState()
            return [findings.resolved(subject.model, alert, end, "its weeks begin again")] if alert else []
        if self.newest.rows == 0:
            return []
        finding_id = subject.finding_id(QualityProblem.VOLUME, end)
        before, strange = self.alarm.alert_id, self.newest.is_low or self.newest.is_high
        self.alarm, transition = self.alarm.observe(finding_id, _CONSECUTIVE, exceeded=strange)
        if transition == "raised":
            return self._raised(subject, self.newest, finding_id, end)
        if transition == "recovered" and before is not None:
            return [findings.resolved(subject.model, before, end, described(self.newest))]
        return []

    def _period(self, start: int, hours: int) -> PeriodVolume | None:
        """Return a period compared with its weeks. None with too few weeks. Weeks without rows do not count."""
        weeks = {
            week: rows
            for week in range(1, KEPT_WEEKS + 1)
            if start - week * _WEEK >= self.first and (rows := self._rows(start - week * _WEEK, _WEEK))
        }
        if len(weeks) < FEWEST_WEEKS:
            return None
        before = [self._rows(start - week * _WEEK, hours) for week in weeks]
        usual = sum(weeks.values()) * hours / (len(weeks) * _WEEK)
        return PeriodVolume(start, hours, self._rows(start, hours), min(before), max(before), usual, len(weeks))

    def _rows(self, start: int, hours: int) -> int:
        return sum(self.hours.get(hour, 0) for hour in range(start, start + hours))

    def _raised(self, subject: Subject, period: PeriodVolume, finding_id: str, end: datetime) -> list[Announcement]:
        bound = period.least / FACTOR if period.is_low else period.highest
        window = Window(start=to_time(period.start * HOUR), end=end, rows=period.rows)
        since = to_time((period.start - (_CONSECUTIVE - 1) * period.hours) * HOUR)
        statistic = Statistic(
            statistic=StatisticName.VOLUME, value=period.rows,
            reference=period.least if period.is_low else period.most, threshold=bound,
        )  # fmt: skip
        _, announced = degraded(
            subject, QualityProblem.VOLUME, (statistic,), window,
            (
                f"{subject.model}: far {'fewer' if period.is_low else 'more'} requests than usual",
                f"{described(period)}. Check what sends the requests.",
            ),
            since=since, finding_id=finding_id,
        )  # fmt: skip
        return announced


def described(period: PeriodVolume) -> str:
    """Return a period as text."""
    length = f"{period.hours} h" if period.hours > 1 else "hour"
    usual = f"{period.least:,} to {period.most:,} in the same hours of the {period.weeks} weeks before"
    return f"{period.rows:,} requests in the {length} from {to_time(period.start * HOUR):%Y-%m-%d %H:%M} UTC; {usual}"
