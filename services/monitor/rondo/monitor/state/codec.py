"""A model's state as the store keeps it, and back: figures as JSON, what grows as Arrow IPC."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rondo.monitor.alerts.coverage import Coverage
from rondo.monitor.alerts.hysteresis import KINDS, Alarm
from rondo.monitor.alerts.left_out import NOTHING, LeftOut
from rondo.monitor.detectors.performance import SCORE_BINS
from rondo.monitor.model_state import Watch
from rondo.monitor.ports import Champion, SavedWatch
from rondo.monitor.state import segments
from rondo.monitor.stream.message_buffer import Waiting
from rondo.monitor.stream.watermark import Watermark
from rondo.monitor.versions import Versions
from rondo.monitor.windows import label_join
from rondo.monitor.windows.tumbling import Tumbling
from rondo.monitor.windows.unmatched import Pending
from rondo.monitor.windows.window_counts import Sketch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.ports import Kept

_COUNTS = pa.list_(pa.int64())
_WINDOWS = pa.schema(
    [("version", pa.int64()), ("start", pa.int64()), ("rows", pa.int64()), ("counts", _COUNTS), ("labelled", _COUNTS)]
)
_HELD = pa.schema([("message", pa.binary()), ("place", pa.int64())])


def freeze(waiting: Waiting) -> SavedWatch:
    """Return what has to be saved of a model, and note that what waits is in the store from now on."""
    watch, pending = waiting.watch, waiting.watch.pending
    pending.predictions, pending.stored_predictions, predictions = segments.save(
        pending.predictions, pending.stored_predictions
    )
    pending.outcomes, pending.stored_outcomes, outcomes = segments.save(pending.outcomes, pending.stored_outcomes)
    held = _save_held(waiting)
    kept = {"predictions": predictions, "outcomes": outcomes, "held": held}
    return SavedWatch(_figures(watch), segments.write(_windows(watch)), kept)


def thaw(model: str, saved: SavedWatch, disorder: int, now: float) -> Waiting:
    """Return what `freeze` kept; what is held waits from `now` on."""
    held, stored = segments.load(saved.waiting["held"], _HELD)
    waiting = Waiting(_watch(model, saved, disorder))
    waiting.restore(held.column("message").to_pylist(), held.column("place").to_pylist(), stored, now)
    return waiting


def _figures(watch: Watch) -> dict[str, object]:
    return {
        "tumbling": asdict(watch.tumbling) if watch.tumbling else None,
        "champion": asdict(watch.champion) if watch.champion else None,
        "former": sorted(watch.versions.former),
        "watermark": _passed(watch.watermark),
        "known": _passed(watch.known),
        "judged": watch.judged,
        "alarms": {kind: asdict(alarm) for kind, alarm in watch.alarms.items()},
        "coverage": asdict(watch.left_out.coverage),
        "counted": watch.left_out.counted,
    }


def _watch(model: str, saved: SavedWatch, disorder: int) -> Watch:
    figures: Mapping[str, Any] = saved.figures
    predictions, stored_predictions = segments.load(saved.waiting["predictions"], label_join.PREDICTIONS)
    outcomes, stored_outcomes = segments.load(saved.waiting["outcomes"], label_join.OUTCOMES)
    return Watch(
        model,
        disorder,
        tumbling=Tumbling(**figures["tumbling"]) if figures["tumbling"] else None,
        versions=Versions(
            Champion(**figures["champion"]) if figures["champion"] else None, frozenset(figures["former"])
        ),
        watermark=_watermark(figures["watermark"]),
        known=_watermark(figures["known"]),
        judged=figures["judged"],
        windows=_sketches(segments.read(saved.windows)),
        pending=Pending(predictions, outcomes, stored_predictions, stored_outcomes),
        alarms={kind: Alarm(**figures["alarms"][kind]) for kind in KINDS},
        left_out=LeftOut(NOTHING | figures["counted"], _coverage(figures["coverage"])),
    )


def _passed(watermark: Watermark) -> dict[str, object]:
    # Lists, as JSON has them: what is saved and what is loaded are then equal.
    return {**asdict(watermark), "ahead": [list(step) for step in watermark.ahead]}


def _watermark(figures: Mapping[str, Any]) -> Watermark:
    ahead = tuple((made, time) for made, time in figures["ahead"])
    # Absent in what was saved before clocks could be set back.
    return Watermark(figures["newest"], figures["passed"], figures["made"], ahead, figures.get("set_back", 0))


def _coverage(figures: Mapping[str, Any]) -> Coverage:
    alarm, last = Alarm(**figures["alarm"]), figures.get("last", 0.0)  # absent in what was saved before it was kept
    return Coverage(figures["rows"], figures["left_out"], figures["blocks"], alarm, last)


def _save_held(waiting: Waiting) -> Kept:
    planned = segments.plan(np.array([each.place for each in waiting.held], np.int64), waiting.stored)
    waiting.stored = planned.stored
    for each, place in zip(waiting.held, planned.places.tolist(), strict=True):
        each.place = place
    written = [each.value for each, mine in zip(waiting.held, planned.written, strict=True) if mine]
    return planned.kept(pa.table({"message": pa.array(written, pa.binary())}))


def _windows(watch: Watch) -> pa.Table:
    rows = [
        {"version": version, "start": start, "rows": s.rows, "counts": s.counts, "labelled": s.labelled.ravel()}
        for (version, start), s in watch.windows.items()
    ]
    return pa.Table.from_pylist(rows, schema=_WINDOWS)


def _sketches(table: pa.Table) -> dict[tuple[int, int], Sketch]:
    return {
        (row["version"], row["start"]): Sketch(
            row["rows"],
            np.array(row["counts"], np.int64),
            np.array(row["labelled"], np.int64).reshape(2, SCORE_BINS),
        )
        for row in table.to_pylist()
    }
