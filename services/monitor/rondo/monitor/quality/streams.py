"""The streams of a model, and the alerts that one has stopped or is stale.

An alert opens when a stream is silent for longer than its rhythm allows, and resolves with the next row. Only time in
which the monitor runs counts as silence, because after a start it can't know what it missed.

Outcomes that never began have no rhythm. They count as missing in event time: once the outcomes of the first requests
are due, and the log of outcomes is read to its end.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.figures import duration
from rondo.contracts.vocabularies import QualityProblem, StatisticName
from rondo.monitor.alerts import findings
from rondo.monitor.quality.degraded import degraded
from rondo.monitor.quality.limits import lag_limit, longest_gap, silence_limit
from rondo.monitor.quality.rhythm import WEEK, Rhythm, live_weeks
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from rondo.monitor.alerts.findings import Announcement, Subject

Stream = Literal["requests", "outcomes"]
STREAMS: tuple[Stream, ...] = ("requests", "outcomes")
SILENCE: dict[Stream, QualityProblem] = {
    "requests": QualityProblem.SILENCE,
    "outcomes": QualityProblem.NO_OUTCOMES,
}
# The number of times that a silence is saved before it reaches its limit, so that a restart loses little of it.
_SAVES = 16
# The windows after the label delay in which a first outcome may arrive. An outcome counts when its window has closed.
_WINDOWS = 2
_WORDS = {"requests": "request", "outcomes": "outcome"}
_ADVICE = {
    QualityProblem.SILENCE: "Check what sends the requests, and serving.",
    QualityProblem.NO_OUTCOMES: "Check what sends the outcomes, and ingestion. Until then the performance is unknown.",
    QualityProblem.STALE: "Check where the event times come from.",
}


@dataclass(frozen=True)
class FirstOutcomes:
    """The values that decide when the first outcomes are missing, all in microseconds.

    `passed` is the watermark of the requests. `window` is the length of a window.
    """

    passed: int
    window: int
    label_delay: int


@dataclass
class StreamQuality:
    """The rhythm of each stream, the ids of the open alerts by problem, and events that are not published yet.

    `first_request` is the event time of the first request.
    """

    rhythms: dict[Stream, Rhythm] = field(default_factory=lambda: dict.fromkeys(STREAMS, Rhythm()))
    open: dict[str, str] = field(default_factory=dict)
    pending: list[Announcement] = field(default_factory=list)
    first_request: int = NEVER

    def take(self, model: str, stream: Stream, written: NDArray[np.int64], times: NDArray[np.int64]) -> None:
        """Take rows of a stream. `written` is when each was written, and `times` are their event times.

        Resolves the alert about the silence of the stream.
        """
        before, problem = self.rhythms[stream], SILENCE[stream]
        after = before.with_rows(
            written, times, was_paused=problem in self.open, is_stale=QualityProblem.STALE in self.open
        )
        self.rhythms[stream] = after
        if stream == "requests" and self.first_request == NEVER and times.size:
            self.first_request = int(times.min())
        if written.size and (alert := self.open.pop(problem, None)):
            pause = _duration(after.pauses[-1][1]) if after.pauses else "a pause"
            why = f"{_WORDS[stream]}s arrive again, after {pause}"
            why = f"the first {_WORDS[stream]}s have arrived" if before.last == NEVER else why
            self.pending.append(findings.resolved(model, alert, to_time(after.last), why))

    def watch(self, elapsed: int) -> bool:
        """Count time in which the monitor ran, in microseconds. Returns whether a silence has to be saved."""
        save = False
        for stream, rhythm in self.rhythms.items():
            after = rhythm.watched(elapsed)
            self.rhythms[stream] = after
            part = (silence_limit(after) or 0) // _SAVES
            save |= part > 0 and after.silent // part > rhythm.silent // part
        return save

    def look(self, subject: Subject, label_delay: int, first: FirstOutcomes | None = None) -> list[Announcement]:
        """Return the announcements as of now: findings, and alerts that open or resolve.

        `label_delay` is the longest time from a request to its outcome, in microseconds. `first` decides when the first
        outcomes are missing. None if no outcomes are to be expected, or if their log is still being read.
        """
        published, self.pending = self.pending, []
        for stream, rhythm in self.rhythms.items():
            # No outcomes are to be expected while requests are missing.
            expected = stream == "requests" or QualityProblem.SILENCE not in self.open
            limit = silence_limit(rhythm)
            if limit is None or SILENCE[stream] in self.open or not expected:
                continue
            limit += self._requests_paused(rhythm.last - label_delay) if stream == "outcomes" else 0
            if rhythm.silent > limit:
                published += self._silent(subject, stream, rhythm, limit)
        if first is not None:
            published += self._never_began(subject, first)
        return published + self._stale(subject, self.rhythms["requests"])

    def resolve(self, model: str, at: datetime, why: str) -> list[Announcement]:
        """Resolve the open alerts, and discard the rhythms."""
        pending, opened = self.pending, self.open
        self.rhythms, self.open, self.pending = dict.fromkeys(STREAMS, Rhythm()), {}, []
        self.first_request = NEVER
        return [*pending, *(findings.resolved(model, alert, at, why) for alert in opened.values())]

    def snapshot(self) -> StreamQuality:
        return StreamQuality(dict(self.rhythms), dict(self.open), first_request=self.first_request)

    def _requests_paused(self, since: int) -> int:
        """Return the longest reported pause of the requests that ended since a time.

        Outcomes have the same pause later.
        """
        return max((length for end, length in self.rhythms["requests"].pauses if end >= since), default=0)

    def _never_began(self, subject: Subject, first: FirstOutcomes) -> list[Announcement]:
        """Return the alert that no outcome has arrived since the start, once the first ones are due."""
        problem, limit = QualityProblem.NO_OUTCOMES, first.label_delay + _WINDOWS * first.window
        began = self.rhythms["outcomes"].last != NEVER
        if began or problem in self.open or NEVER in (self.first_request, first.passed):
            return []
        if (waited := first.passed - self.first_request) <= limit:
            return []
        what = f"no outcome since the first request, {_duration(waited)} of event time ago"
        delay = f"data.label_delay is {_duration(first.label_delay)}"
        known = f"{delay}. Where none are to come, say rollout.judged_by: guards"
        statistic = _seconds(StatisticName.SILENCE, waited, first.label_delay, limit)
        return self._raise(problem, subject, statistic, (self.first_request, first.passed), f"{what}; {known}")

    def _silent(self, subject: Subject, stream: Stream, rhythm: Rhythm, limit: int) -> list[Announcement]:
        longest, problem = longest_gap(rhythm) or 0, SILENCE[stream]
        statistic = _seconds(StatisticName.SILENCE, rhythm.silent, longest, limit)
        what = f"no {_WORDS[stream]} for {_duration(rhythm.silent)}"
        known = f"the longest gap of the last {_weeks(rhythm)} was {_duration(longest)}"
        until = rhythm.last + rhythm.silent
        return self._raise(problem, subject, statistic, (rhythm.last, until), f"{what}; {known}")

    def _stale(self, subject: Subject, rhythm: Rhythm) -> list[Announcement]:
        limit, alert = lag_limit(rhythm), self.open.get(QualityProblem.STALE)
        if limit is None:
            return []
        if alert is not None and rhythm.lag * 2 < limit:
            del self.open[QualityProblem.STALE]
            why = f"the newest event time is {_duration(rhythm.lag)} behind the clock"
            return [findings.resolved(subject.model, alert, to_time(rhythm.last), why)]
        if alert is not None or rhythm.lag <= limit:
            return []
        usual = max(each.lag for each in live_weeks(rhythm.weeks[:-1]))
        statistic = _seconds(StatisticName.LAG, rhythm.lag, usual, limit)
        detail = f"the newest event time is {_duration(rhythm.lag)} behind the clock; before it was {_duration(usual)}"
        return self._raise(
            QualityProblem.STALE, subject, statistic, (rhythm.newest, rhythm.last), f"{detail} at the most"
        )

    def _raise(
        self, problem: QualityProblem, subject: Subject, statistic: Statistic, between: tuple[int, int], detail: str
    ) -> list[Announcement]:
        start, end = map(to_time, between)
        self.open[problem], announced = degraded(
            subject, problem, (statistic,), Window(start=start, end=end, rows=0),
            (f"{subject.model}: {detail.partition(';')[0]}", f"{detail}. {_ADVICE[problem]}"),
            finding_id=subject.finding_id(problem, start),
        )  # fmt: skip
        return announced


def _duration(micros: int) -> str:
    return duration(micros / 1e6)


def _weeks(rhythm: Rhythm) -> str:
    return f"{round((rhythm.last - live_weeks(rhythm.weeks)[0].since) / WEEK)} weeks"


def _seconds(name: StatisticName, value: int, reference: int, threshold: int) -> Statistic:
    return Statistic(statistic=name, value=value / 1e6, reference=reference / 1e6, threshold=threshold / 1e6)
