"""Encodes a model's state for a checkpoint, and decodes it: figures as JSON, growing data as Arrow IPC."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.chassis.profiles.slices import Slices
from rondo.contracts.tasks.base import FittedTask
from rondo.contracts.tasks.registry import task_named
from rondo.monitor.alerts.alarms import EvidenceAlarm, Repetition
from rondo.monitor.alerts.candidate_alerts import CandidateAlert
from rondo.monitor.alerts.dropped_rows import REASONS, Coverage, DroppedRows
from rondo.monitor.alerts.finding_kinds import FINDING_KINDS
from rondo.monitor.alerts.hysteresis import AlarmState
from rondo.monitor.alerts.version_alarms import VersionAlarms
from rondo.monitor.candidates import Candidate, Candidates
from rondo.monitor.champion_history import ChampionHistory
from rondo.monitor.costs.version_cost import ModelCosts, VersionCost
from rondo.monitor.model_state import ModelState
from rondo.monitor.ports import TABLES, ChampionRevision, ModelCheckpoint, StoredTable
from rondo.monitor.quality.failed_rows import FailedRows
from rondo.monitor.quality.model_quality import ModelQuality
from rondo.monitor.quality.rhythm import Rhythm, Week
from rondo.monitor.quality.skew import SkewAlarm
from rondo.monitor.quality.streams import STREAMS, StreamQuality
from rondo.monitor.quality.volume import PeriodVolume, Volume
from rondo.monitor.rollouts import compared_versions
from rondo.monitor.state import segmented_table
from rondo.monitor.state.evidence_codec import decode_evidence, encode_evidence
from rondo.monitor.state.repeats_codec import decode_repeats, encode_repeats
from rondo.monitor.stream.watermark import NEVER, Watermark
from rondo.monitor.windows import label_join
from rondo.monitor.windows.labelled import LabelledRows
from rondo.monitor.windows.losses_by_prediction import LossesByPrediction
from rondo.monitor.windows.recent_windows import CountedPeriod, RecentWindows
from rondo.monitor.windows.slice_counts import SliceCounts
from rondo.monitor.windows.tumbling import TumblingWindows
from rondo.monitor.windows.unmatched_rows import UnmatchedRows
from rondo.monitor.windows.window_counts import WindowCounts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rondo.monitor.windows.window_counts import OpenWindows

# The periods of `RecentWindows`. A row without a period is an open window.
_FULL, _FILLING = "full", "filling"
_OF_CANDIDATES = "of_candidates"
_COUNTS = pa.list_(pa.int64())
# `task` and `slices` are JSON.
_WINDOWS = pa.schema(
    [
        ("version", pa.int64()), ("start", pa.int64()), ("rows", pa.int64()), ("bins", _COUNTS), ("outcomes", _COUNTS),
        ("loss_rows", _COUNTS), ("loss_sums", pa.list_(pa.float64())), ("largest", pa.float64()), ("task", pa.string()),
        ("slices", pa.string()), ("slice_outcomes", _COUNTS), ("slice_loss_rows", _COUNTS),
        ("slice_loss_sums", pa.list_(pa.float64())), ("slice_rate_sums", _COUNTS),
        ("prediction_edges", pa.list_(pa.float32())), ("prediction_sums", pa.list_(pa.float64())),
        ("period", pa.string()), ("end", pa.int64()),
    ]
)  # fmt: skip
_BUFFERED = pa.schema([("message", pa.binary()), ("row", pa.int64())])
# The stored rows of each table of a model, see `ports.TABLES`.
Stored = dict[str, segmented_table.SegmentState]


def nothing_stored() -> Stored:
    return {name: segmented_table.SegmentState() for name in TABLES}


def encode_state(state: ModelState, stored: Stored) -> tuple[ModelCheckpoint, Stored]:
    """Return the checkpoint of a model, and its stored rows after it. `stored` is from the checkpoint before."""
    tables = {
        "predictions": state.unmatched.predictions,
        "outcomes": state.unmatched.outcomes,
        "labelled": state.labelled.table,
        "buffered": _buffered(state),
        "compared": state.candidates.compared.rows,
    }
    saved = {name: segmented_table.save(table, stored[name]) for name, table in tables.items()}
    checkpoint = ModelCheckpoint(
        _figures(state),
        segmented_table.write(_windows(state)),
        segmented_table.write(_evidence(state)),
        {name: written for name, (_, written) in saved.items()},
    )
    return checkpoint, {name: after for name, (after, _) in saved.items()}


def decode_state(
    model: str, saved: ModelCheckpoint, max_out_of_orderness: int, now: float
) -> tuple[ModelState, Stored]:
    """Return a model's state and its stored rows. Buffered messages count as received at `now`."""
    figures: Mapping[str, Any] = saved.figures
    predictions, stored_predictions = segmented_table.load(saved.tables["predictions"], label_join.PREDICTIONS)
    outcomes, stored_outcomes = segmented_table.load(saved.tables["outcomes"], label_join.OUTCOMES)
    labelled, stored_labelled = segmented_table.load(saved.tables["labelled"], label_join.LABELLED)
    buffered, stored_buffered = segmented_table.load(saved.tables["buffered"], _BUFFERED)
    # A checkpoint of an earlier release does not have every table.
    nothing = StoredTable(b"", ())
    compared, stored_compared = segmented_table.load(saved.tables.get("compared", nothing), compared_versions.COMPARED)
    windows, recent = _decoded_windows(segmented_table.read(saved.windows))
    stored_evidence = segmented_table.read(saved.evidence)
    champion = ChampionRevision(**figures["champion"]) if figures["champion"] else None
    state = ModelState(
        model,
        max_out_of_orderness,
        tumbling=TumblingWindows(**figures["tumbling"]) if figures["tumbling"] else None,
        history=_history(champion, figures),
        watermark=_watermark(figures["watermark"]),
        outcome_watermark=_watermark(figures["outcome_watermark"]),
        closed_until=figures["closed_until"],
        windows=windows,
        recent=recent,
        unmatched=UnmatchedRows(predictions, outcomes, stored_predictions.rows.size, stored_outcomes.rows.size),
        labelled=LabelledRows(labelled, stored_labelled.rows.size),
        evidence=decode_evidence(stored_evidence.filter(pc.invert(stored_evidence.column(_OF_CANDIDATES)))),
        candidates=Candidates(
            {role: Candidate(**each) for role, each in figures["candidates"].items()},
            decode_evidence(stored_evidence.filter(stored_evidence.column(_OF_CANDIDATES))),
            compared_versions.decoded(figures.get("compared", {}), compared, stored_compared.rows.size),
            {role: CandidateAlert(**each) for role, each in figures.get("candidate_alerts", {}).items()},
        ),
        alarms=_alarms(figures["alarms"]),
        removed=figures["removed"],
        labels_until=figures.get("labels_until"),
        dropped=DroppedRows(dict.fromkeys(REASONS, 0) | figures["dropped"], _coverage(figures["coverage"])),
        quality=ModelQuality(
            _streams(figures["streams"]),
            # A checkpoint of an earlier release has neither skew nor repeats.
            SkewAlarm(**figures.get("skew", {})),
            decode_repeats(figures.get("repeats", {})),
            FailedRows(figures.get("failed_rows"), figures.get("failed_rows_window", NEVER)),
            _volume(figures.get("volume")),
        ),
        costs=ModelCosts(
            {
                int(version): VersionCost(**{**cost, "bins": tuple(cost["bins"])})
                for version, cost in figures["costs"].items()
            },
            # A checkpoint of an earlier release has no costs by window.
            {(version, start): _window_cost(cost) for version, start, cost in figures.get("window_costs", ())},
        ),
    )
    rows, messages = buffered.column("row").to_pylist(), buffered.column("message").to_pylist()
    state.buffer.restore(rows, messages, stored_buffered.rows.size, now)
    stored = (stored_predictions, stored_outcomes, stored_labelled, stored_buffered, stored_compared)
    return state, dict(zip(TABLES, stored, strict=True))


def _figures(state: ModelState) -> dict[str, object]:
    return {
        "tumbling": asdict(state.tumbling) if state.tumbling else None,
        "champion": asdict(state.champion) if state.champion else None,
        "former": sorted(state.history.former),
        "digests": {str(version): digest for version, digest in sorted(state.history.digests.items())},
        "ended": sorted(state.history.ended),
        "watermark": _encoded_watermark(state.watermark),
        "outcome_watermark": _encoded_watermark(state.outcome_watermark),
        "closed_until": state.closed_until,
        "alarms": asdict(state.alarms),
        "removed": state.removed,
        "labels_until": state.labels_until,
        "candidates": {role: asdict(each) for role, each in state.candidates.by_role.items()},
        "candidate_alerts": {role: asdict(each) for role, each in state.candidates.alerts.items()},
        "coverage": asdict(state.dropped.coverage),
        "dropped": dict(state.dropped.counts),
        "costs": {
            str(version): {**asdict(cost), "bins": list(cost.bins)} for version, cost in state.costs.versions.items()
        },
        "window_costs": [
            [version, start, _encoded_window_cost(cost)]
            for (version, start), cost in sorted(state.costs.windows.items())
        ],
        "failed_rows": state.quality.failed.alert,
        "failed_rows_window": state.quality.failed.window,
        "volume": _encoded_volume(state.quality.volume),
        "compared": compared_versions.encoded(state.candidates.compared),
        "repeats": encode_repeats(state.quality.repeats),
        "skew": {"number": state.quality.skew.number, "alert": state.quality.skew.alert},
        "streams": {
            "rhythms": {name: _encoded_rhythm(rhythm) for name, rhythm in state.quality.streams.rhythms.items()},
            "open": dict(state.quality.streams.open),
            "first_request": state.quality.streams.first_request,
        },
    }


def _history(champion: ChampionRevision | None, figures: Mapping[str, Any]) -> ChampionHistory:
    # A checkpoint of an earlier release has no windows of replaced versions.
    digests = {int(version): digest for version, digest in figures.get("digests", {}).items()}
    return ChampionHistory(champion, frozenset(figures["former"]), digests, frozenset(figures.get("ended", ())))


def _evidence(state: ModelState) -> pa.Table:
    """Return the evidence about the champion and newer versions, and that about candidates, which is marked."""
    tables = encode_evidence(state.evidence), encode_evidence(state.candidates.evidence)
    marked = np.repeat([False, True], [table.num_rows for table in tables])
    return pa.concat_tables(tables).append_column(_OF_CANDIDATES, pa.array(marked))


def _encoded_watermark(watermark: Watermark) -> dict[str, object]:
    # JSON has lists and no tuples. With lists an encoded checkpoint equals the same one after it is read back.
    return {**asdict(watermark), "steps": [list(step) for step in watermark.steps]}


def _watermark(figures: Mapping[str, Any]) -> Watermark:
    return Watermark(**{**figures, "steps": tuple((made, newest) for made, newest in figures["steps"])})


def _alarms(figures: Mapping[str, Any]) -> VersionAlarms:
    # A checkpoint of an earlier release has neither an alarm of slices nor suspicions.
    by_kind = {kind: EvidenceAlarm(**figures["by_kind"].get(kind, {})) for kind in FINDING_KINDS}
    suspicions = {source: Repetition(**each) for source, each in figures.get("suspicions", {}).items()}
    return VersionAlarms(by_kind, dict(figures["unjudged"]), suspicions)


def _encoded_window_cost(cost: VersionCost) -> dict[str, object]:
    # Hundreds of windows may be open, and most of their bins are empty.
    return {**asdict(cost), "bins": [[at, count] for at, count in enumerate(cost.bins) if count]}


def _window_cost(figures: Mapping[str, Any]) -> VersionCost:
    bins = list(VersionCost().bins)
    for at, count in figures["bins"]:
        bins[at] = count
    return VersionCost(**{**figures, "bins": tuple(bins)})


def _encoded_volume(volume: Volume) -> dict[str, object]:
    begin = min(volume.hours, default=0)
    return {
        "begin": begin,
        "rows": [volume.hours.get(hour, 0) for hour in range(begin, max(volume.hours, default=begin - 1) + 1)],
        "first": volume.first,
        "looked": volume.looked,
        "newest": asdict(volume.newest) if volume.newest else None,
        "alarm": asdict(volume.alarm),
    }


def _volume(figures: Mapping[str, Any] | None) -> Volume:
    if figures is None:  # a checkpoint of an earlier release
        return Volume()
    return Volume(
        {hour: rows for hour, rows in enumerate(figures["rows"], figures["begin"]) if rows},
        figures["first"],
        figures["looked"],
        PeriodVolume(**figures["newest"]) if figures["newest"] else None,
        AlarmState(**figures["alarm"]),
    )


def _encoded_rhythm(rhythm: Rhythm) -> dict[str, object]:
    # Lists for the same reason as for watermarks.
    weeks = [asdict(each) for each in rhythm.weeks]
    return {**asdict(rhythm), "weeks": weeks, "pauses": [list(each) for each in rhythm.pauses]}


def _streams(figures: Mapping[str, Any]) -> StreamQuality:
    rhythms = dict.fromkeys(STREAMS, Rhythm())
    for name in STREAMS:
        given = figures["rhythms"][name]
        weeks = tuple(Week(**each) for each in given["weeks"])
        pauses = tuple((end, length) for end, length in given["pauses"])
        rhythms[name] = Rhythm(**{**given, "weeks": weeks, "pauses": pauses})
    # A checkpoint of an earlier release does not have the first request.
    return StreamQuality(rhythms, dict(figures["open"]), first_request=figures.get("first_request", NEVER))


def _coverage(figures: Mapping[str, Any]) -> Coverage:
    return Coverage(**{**figures, "alarm": AlarmState(**figures["alarm"])})


def _buffered(state: ModelState) -> pa.Table:
    rows = [{"message": each.value, "row": each.row} for each in state.buffer.messages]
    return pa.Table.from_pylist(rows, schema=_BUFFERED)


def _windows(state: ModelState) -> pa.Table:
    """Return the open windows, and the periods of the newest closed ones under their names."""
    rows = [_counts(counts) | {"version": v, "start": start} for (v, start), counts in state.windows.items()]
    for name, period in ((_FULL, state.recent.full), (_FILLING, state.recent.filling)):
        if period is not None:
            rows.append(_counts(period.counts) | {"period": name, "start": period.start, "end": period.end})
    return pa.Table.from_pylist(rows, schema=_WINDOWS)


def _counts(counts: WindowCounts) -> dict[str, object]:
    return {
        "rows": counts.rows,
        "bins": counts.bins,
        "outcomes": counts.outcomes,
        "loss_rows": counts.loss_rows,
        "loss_sums": counts.loss_sums.ravel(),
        "largest": counts.largest,
        "task": counts.task.model_dump_json(),
        "slices": json.dumps(counts.slices.slices.columns),
        "slice_outcomes": counts.slices.outcomes.ravel(),
        "slice_loss_rows": counts.slices.loss_rows.ravel(),
        "slice_loss_sums": counts.slices.loss_sums.ravel(),
        "slice_rate_sums": counts.slices.rate_sums.ravel(),
        "prediction_edges": counts.predicted.edges,
        "prediction_sums": counts.predicted.sums.ravel(),
    }


def _decoded_slices(task: FittedTask, row: Mapping[str, Any]) -> SliceCounts:
    columns = tuple((column, tuple(values)) for column, values in json.loads(row["slices"]))
    number, size = sum(len(values) for _, values in columns), task_named(task.task).group_sketch(task).size
    outcomes = np.array(row["slice_outcomes"], np.int64).reshape(number, size)
    # In a checkpoint of an earlier release a window has one part.
    parts = len(row["slice_loss_rows"]) // number if number else 1
    rows, sums = np.array(row["slice_loss_rows"], np.int64), np.array(row["slice_loss_sums"], np.float64)
    # An earlier release has counted no rates.
    rates = np.array(row.get("slice_rate_sums") or [], np.int64)
    each = rates.size // (number * parts) if number else 0
    losses = rows.reshape(number, parts), sums.reshape(number, parts)
    return SliceCounts(Slices(columns), outcomes, *losses, rates.reshape(number, each, parts))


def _decoded_windows(table: pa.Table) -> tuple[OpenWindows, RecentWindows]:
    windows: OpenWindows = {}
    periods = dict[str, CountedPeriod]()
    for row in table.to_pylist():
        task = FittedTask.model_validate_json(row["task"])
        counts = WindowCounts(
            task,
            row["rows"],
            np.array(row["bins"], np.int64),
            np.array(row["outcomes"], np.int64),
            np.array(row["loss_rows"], np.int64),
            np.array(row["loss_sums"], np.float64).reshape(len(row["loss_rows"]), -1),
            _decoded_slices(task, row),
            LossesByPrediction(
                np.array(row["prediction_edges"], np.float32),
                np.array(row["prediction_sums"], np.float64).reshape(3, -1),
            ),
            row["largest"],
        )
        if row["period"] is None:
            windows[row["version"], row["start"]] = counts
        else:
            periods[row["period"]] = CountedPeriod(row["start"], row["end"], counts)
    return windows, RecentWindows(periods.get(_FULL), periods.get(_FILLING))
