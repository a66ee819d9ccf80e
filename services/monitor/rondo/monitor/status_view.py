"""The status of a model for people: what can be judged, the evidence, the open windows with their figures so far."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.times import Utc
from rondo.monitor.alerts import findings
from rondo.monitor.alerts.no_verdict import no_verdict
from rondo.monitor.evidence.verdicts import expected_at, verdicts
from rondo.monitor.statistics.window_statistics import window_statistics
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.version_evidence import VersionEvidence
    from rondo.monitor.model_state import ModelState

_BASE_10 = math.log(10)


class WindowStatus(Window):
    """An open window. Its figures describe, and decide nothing."""

    labelled_rows: int
    statistics: tuple[Statistic, ...]


class ColumnStatus(Value):
    """What is known about a column of the champion; `column` is None for the loss of the predictions.

    `judged` says whether a change could be evident by now; else `rows` of about `needed` are there, and `expected` is
    when the others are. `evidence` is the decimal logarithm of the largest e-value of the column, which alarms at
    `threshold`. An alarm has the statistics of the change, and `since` with its bounds.
    """

    group: str
    column: str | None
    judged: bool
    rows: int
    needed: int
    expected: Utc | None
    evidence: float
    threshold: float
    statistics: tuple[Statistic, ...] = ()
    since: Utc | None = None
    since_earliest: Utc | None = None
    since_latest: Utc | None = None


class LogCounts(Value):
    """A number for each of the two logs."""

    predictions: int
    outcomes: int


class ModelSummary(Value):
    """`version` is the champion. `no_verdict` is what of it can't be judged yet, None if everything can.

    `last_window` is the end of the champion's last closed window, None if none has closed. `open_alerts` are the kinds
    of the raised alerts. `not_monitored_share` is the share of the last 500 to 1,000 rows that counts in no window.
    `late_outcomes` counts the outcomes that arrived after the window of their prediction had closed.
    """

    model: str
    version: int | None
    no_verdict: str | None
    last_window: Utc | None
    watermark: Utc | None
    open_alerts: tuple[str, ...]
    not_monitored_share: float
    late_outcomes: int


class ModelStatus(Value):
    """`columns` and `windows` are those of the champion; `alerts` are the ids of the open alerts by kind.

    `no_verdict` is as in `ModelSummary`. `watermark` and `outcomes_until` are the newest times in the logs.
    `window_seconds` and `bucket_seconds` are the lengths of windows and of the buckets of evidence; `late_for_evidence`
    counts the rows that came after their bucket had closed. `dropped` are the rows and outcomes that count in no
    window, by reason; `dropped_share` is their share of the last full block of 500 rows.
    """

    model: str
    version: int | None
    no_verdict: str | None
    watermark: Utc | None
    outcomes_until: Utc | None
    window_seconds: float | None
    bucket_seconds: float | None
    columns: tuple[ColumnStatus, ...]
    windows: tuple[WindowStatus, ...]
    alerts: dict[str, str]
    unmatched: LogCounts
    clock_set_back: LogCounts
    late_for_evidence: int
    dropped: dict[str, int]
    dropped_share: float


def summary(state: ModelState, spec: ModelSpec, reference: Reference | None) -> ModelSummary:
    return ModelSummary(
        model=state.model,
        version=state.champion.version if state.champion else None,
        no_verdict=_no_verdict(state, spec, reference),
        last_window=_time(state.closed_until),
        watermark=_time(state.watermark.newest),
        open_alerts=state.open_alerts,
        not_monitored_share=state.dropped.coverage.recent_share,
        late_outcomes=state.dropped.counts["late_outcomes"],
    )


def model_status(state: ModelState, spec: ModelSpec, reference: Reference | None) -> ModelStatus:
    """Return the status as of now.

    Read-only. A thread may run `settle` meanwhile: counts and tables are replaced as a whole, never changed in place.
    """
    tumbling = state.tumbling
    return ModelStatus(
        model=state.model,
        version=state.champion.version if state.champion else None,
        no_verdict=_no_verdict(state, spec, reference),
        watermark=_time(state.watermark.newest),
        outcomes_until=_time(state.outcome_watermark.newest),
        window_seconds=tumbling.length / 1e6 if tumbling else None,
        bucket_seconds=tumbling.bucket / 1e6 if tumbling else None,
        columns=_columns(state, spec),
        windows=_windows(state, reference) if reference else (),
        alerts=state.alarms.open,
        unmatched=LogCounts(
            predictions=state.unmatched.predictions.num_rows, outcomes=state.unmatched.outcomes.num_rows
        ),
        clock_set_back=LogCounts(predictions=state.watermark.set_back, outcomes=state.outcome_watermark.set_back),
        late_for_evidence=state.evidence.late,
        dropped=dict(state.dropped.counts),
        dropped_share=state.dropped.coverage.last,
    )


def _no_verdict(state: ModelState, spec: ModelSpec, reference: Reference | None) -> str | None:
    if state.champion is None or reference is None:
        return "no version serves yet" if state.champion is None else "the evidence of its training has not arrived"
    return no_verdict(_evidence(state), reference, spec.monitor.false_alarm_rate)


def _evidence(state: ModelState) -> VersionEvidence | None:
    return state.evidence.versions.get(state.champion.version) if state.champion else None


def _columns(state: ModelState, spec: ModelSpec) -> tuple[ColumnStatus, ...]:
    evidence, rate = _evidence(state), spec.monitor.false_alarm_rate
    if evidence is None:
        return ()
    alarms = list(evidence.alarms(rate))
    found = []
    for each in verdicts(evidence, rate):
        taken = evidence.taken[each.group]
        expected = None if each.judged else expected_at(each.missing, taken.rows, taken.first, taken.last)
        mine = [
            alarm for alarm in alarms if (alarm.component.group, alarm.component.column) == (each.group, each.column)
        ]
        change = mine[0].change if mine else None
        found.append(
            ColumnStatus(
                group=each.group,
                column=each.column,
                judged=each.judged,
                rows=each.rows,
                needed=each.needed,
                expected=None if expected is None else to_time(expected),
                evidence=each.evidence / _BASE_10,
                threshold=each.threshold / _BASE_10,
                statistics=tuple(findings.statistic_of(alarm) for alarm in mine),
                since=to_time(change.since) if change else None,
                since_earliest=to_time(change.earliest) if change else None,
                since_latest=to_time(change.latest) if change else None,
            )
        )
    return tuple(found)


def _windows(state: ModelState, reference: Reference) -> tuple[WindowStatus, ...]:
    tumbling, champion = state.tumbling, state.champion
    if tumbling is None or champion is None:
        return ()
    found = []
    for (version, start), counts in sorted(state.windows.items(), key=lambda item: item[0]):
        if version == champion.version:
            window = tumbling.window(start, counts.rows)
            found.append(
                WindowStatus(
                    start=window.start,
                    end=window.end,
                    rows=window.rows,
                    labelled_rows=counts.labelled_rows,
                    statistics=window_statistics(counts, reference),
                )
            )
    return tuple(found)


def _time(micros: int) -> datetime | None:
    return None if micros == NEVER else to_time(micros)
