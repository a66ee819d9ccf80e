"""The status of a model for people, as JSON: the open windows with their figures so far, and the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.monitor.detectors.evaluate import evaluate_window
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.hysteresis import AlarmState
    from rondo.monitor.detectors.evaluate import WindowResult
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.model_state import ModelState


def model_status(state: ModelState, spec: ModelSpec, reference: Reference | None) -> dict[str, Any]:
    """Return plain JSON values. The figures of an open window decide nothing: it is evaluated once, when it closes.

    Read-only. A thread may run `settle` meanwhile: counts and tables are replaced as a whole, never changed in place.
    """
    return {
        "model": state.model,
        "version": state.champion.version if state.champion else None,
        "watermark": _time(state.watermark.newest),
        "outcomes_until": _time(state.outcome_watermark.newest),
        "windows": _windows(state, spec, reference) if reference else [],
        "alarms": {
            **{kind: _alarm(alarm) for kind, alarm in state.alarms.items()},
            "undecided": _alarm(state.undecided_alarm),
        },
        "unmatched": {
            "predictions": state.unmatched.predictions.num_rows,
            "outcomes": state.unmatched.outcomes.num_rows,
        },
        "clock_set_back": {"predictions": state.watermark.set_back, "outcomes": state.outcome_watermark.set_back},
        "dropped": state.dropped.counts,
        "dropped_share": state.dropped.coverage.last,
    }


def _windows(state: ModelState, spec: ModelSpec, reference: Reference) -> list[dict[str, Any]]:
    tumbling, champion = state.tumbling, state.champion
    if tumbling is None or champion is None:
        return []
    return [
        {
            **tumbling.window(start, counts.rows).model_dump(mode="json"),
            **_figures(evaluate_window(counts, reference, spec.monitor)),
        }
        for (version, start), counts in sorted(state.windows.items(), key=lambda item: item[0])
        if version == champion.version
    ]


def _figures(result: WindowResult) -> dict[str, Any]:
    return {
        "undecided": result.undecided,
        "statistics": [each.model_dump(mode="json", exclude_none=True) for each in result.statistics],
        "labelled_rows": result.labelled_rows,
    }


def _alarm(alarm: AlarmState) -> dict[str, Any]:
    return {"since": _time(alarm.since), "windows_over": alarm.over, "alert_id": alarm.alert_id}


def _time(micros: int | None) -> str | None:
    return None if micros is None or micros == NEVER else to_time(micros).isoformat()
