"""The status of a model for people: the open windows with their figures so far, and the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rondo.contracts.events.base import Value
from rondo.contracts.events.monitoring import Statistic, Window
from rondo.contracts.times import Utc
from rondo.monitor.detectors.evaluate import evaluate_window
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from datetime import datetime

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.hysteresis import AlarmState
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.model_state import ModelState


class WindowStatus(Window):
    """An open window. Its figures decide nothing: it is evaluated once, when it closes.

    `no_verdict` is why it would have no verdict if it closed now, such as `336 of 500 rows`.
    """

    labelled_rows: int
    no_verdict: str | None
    statistics: tuple[Statistic, ...]


class AlarmStatus(Value):
    """Windows in a row over the threshold, the start of the first one, and the alert if it has been raised."""

    since: Utc | None
    windows_over: int
    alert_id: str | None


class LogCounts(Value):
    """A number for each of the two logs."""

    predictions: int
    outcomes: int


class ModelSummary(Value):
    """`version` is the champion. `no_verdict` and `watermark` are as in `ModelStatus`.

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
    """`windows` are those of the champion. `alarms` has one for each kind of finding, and `no_verdict`.

    `no_verdict` is why its last closed window has no verdict, None if it has one or none has closed.
    `watermark` and `outcomes_until` are the newest times in the logs. `dropped` are the rows and outcomes that count in
    no window, by reason; `dropped_share` is their share of the last full block of 500 rows.
    """

    model: str
    version: int | None
    no_verdict: str | None
    watermark: Utc | None
    outcomes_until: Utc | None
    windows: tuple[WindowStatus, ...]
    alarms: dict[str, AlarmStatus]
    unmatched: LogCounts
    clock_set_back: LogCounts
    dropped: dict[str, int]
    dropped_share: float


def summary(state: ModelState) -> ModelSummary:
    return ModelSummary(
        model=state.model,
        version=state.champion.version if state.champion else None,
        no_verdict=state.no_verdict,
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
    return ModelStatus(
        model=state.model,
        version=state.champion.version if state.champion else None,
        no_verdict=state.no_verdict,
        watermark=_time(state.watermark.newest),
        outcomes_until=_time(state.outcome_watermark.newest),
        windows=_windows(state, spec, reference) if reference else (),
        alarms={
            **{kind: _alarm(alarm) for kind, alarm in state.alarms.items()},
            "no_verdict": _alarm(state.no_verdict_alarm),
        },
        unmatched=LogCounts(
            predictions=state.unmatched.predictions.num_rows, outcomes=state.unmatched.outcomes.num_rows
        ),
        clock_set_back=LogCounts(predictions=state.watermark.set_back, outcomes=state.outcome_watermark.set_back),
        dropped=dict(state.dropped.counts),
        dropped_share=state.dropped.coverage.last,
    )


def _windows(state: ModelState, spec: ModelSpec, reference: Reference) -> tuple[WindowStatus, ...]:
    tumbling, champion = state.tumbling, state.champion
    if tumbling is None or champion is None:
        return ()
    found = []
    for (version, start), counts in sorted(state.windows.items(), key=lambda item: item[0]):
        if version == champion.version:
            window, result = tumbling.window(start, counts.rows), evaluate_window(counts, reference, spec.monitor)
            found.append(
                WindowStatus(
                    start=window.start,
                    end=window.end,
                    rows=window.rows,
                    labelled_rows=result.labelled_rows,
                    no_verdict=result.no_verdict,
                    statistics=result.statistics,
                )
            )
    return tuple(found)


def _alarm(alarm: AlarmState) -> AlarmStatus:
    since = None if alarm.since is None else to_time(alarm.since)
    return AlarmStatus(since=since, windows_over=alarm.over, alert_id=alarm.alert_id)


def _time(micros: int) -> datetime | None:
    return None if micros == NEVER else to_time(micros)
