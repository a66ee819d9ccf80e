"""What is seen of a model right now, for people: the open windows with their figures so far, and the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rondo.monitor.detectors.evaluate import judge
from rondo.monitor.stream.watermark import NEVER
from rondo.monitor.windows.tumbling import to_time

if TYPE_CHECKING:
    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.detectors.evaluate import Verdict
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.model_state import Watch


def picture(watch: Watch, spec: ModelSpec, reference: Reference | None) -> dict[str, Any]:
    """Return plain JSON values. The figures of an open window decide nothing: it is judged once, when it is over.

    It only looks. A thread may settle the watch meanwhile: sketches and tables are replaced whole, never changed.
    """
    return {
        "model": watch.model,
        "version": watch.champion.version if watch.champion else None,
        "watermark": _time(watch.watermark.newest),
        "outcomes_until": _time(watch.known.newest),
        "windows": _windows(watch, spec, reference) if reference else [],
        "alarms": {
            kind: {"since": _time(a.since), "windows_over": a.over, "alert_id": a.alert_id}
            for kind, a in watch.alarms.items()
        },
        "waiting": {
            "predictions": watch.pending.predictions.num_rows,
            "outcomes": watch.pending.outcomes.num_rows,
        },
        "clock_set_back": {"predictions": watch.watermark.set_back, "outcomes": watch.known.set_back},
        "uncounted": watch.left_out.counted,
        "left_out_share": watch.left_out.coverage.last,
    }


def _windows(watch: Watch, spec: ModelSpec, reference: Reference) -> list[dict[str, Any]]:
    tumbling, champion = watch.tumbling, watch.champion
    if tumbling is None or champion is None:
        return []
    return [
        {
            **tumbling.window(start, sketch.rows).model_dump(mode="json"),
            **_verdict(judge(sketch, reference, spec.monitor)),
        }
        for (version, start), sketch in sorted(watch.windows.items(), key=lambda item: item[0])
        if version == champion.version
    ]


def _verdict(verdict: Verdict) -> dict[str, Any]:
    figures = verdict.performance
    return {
        "enough_rows": verdict.enough,
        "features": [f.model_dump(mode="json") for f in verdict.features],
        "problems": [p.model_dump(mode="json") for p in verdict.problems],
        "roc_auc": figures.observed if figures else None,
        "reference_roc_auc": figures.reference if figures else None,
        "roc_auc_noise": figures.noise if figures else None,
        "labelled_rows": figures.labelled_rows if figures else 0,
    }


def _time(micros: int | None) -> str | None:
    return None if micros is None or micros == NEVER else to_time(micros).isoformat()
