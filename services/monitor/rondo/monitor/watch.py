"""What is being watched of one model: its open windows by version, what waits for an outcome, and its alarms.

Rows count by the version that answered them, as soon as that version's profile is known, so it does not matter
whether the news of a promotion comes before or after the first rows of the new version. Only the champion's windows
are judged; those of a version that is champion no more are dropped, those of one that is not yet wait for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rondo.monitor import alerts, matching
from rondo.monitor.alarm import KINDS, Alarm
from rondo.monitor.alerts import Subject
from rondo.monitor.judgement import judge
from rondo.monitor.labelling import label
from rondo.monitor.ringing import ring
from rondo.monitor.sketch import Sketch
from rondo.monitor.windows import NEVER, Tumbling, to_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from rondo.contracts.spec import ModelSpec
    from rondo.monitor.alarm import Kind
    from rondo.monitor.alerts import Announcement
    from rondo.monitor.ports import Champion
    from rondo.monitor.reference import Reference

# Rows that wait for an outcome, and outcomes that wait for their prediction: the oldest go first.
MAX_WAITING = 1_000_000
# Windows kept for a version that is not champion yet.
MAX_AHEAD = 8


@dataclass
class Watch:
    """The state of one model. `watermark` and `known` are the newest event times of predictions and of outcomes."""

    model: str
    tumbling: Tumbling | None = None
    champion: Champion | None = None
    former: frozenset[int] = frozenset()
    watermark: int = NEVER
    known: int = NEVER
    windows: dict[tuple[int, int], Sketch] = field(default_factory=dict)
    predictions: pa.Table = field(default_factory=matching.PREDICTIONS.empty_table)
    outcomes: pa.Table = field(default_factory=matching.OUTCOMES.empty_table)
    alarms: dict[Kind, Alarm] = field(default_factory=lambda: dict.fromkeys(KINDS, Alarm()))
    counted: dict[str, int] = field(default_factory=lambda: {"late_rows": 0, "late_outcomes": 0, "dropped": 0})

    def apply(self, spec: ModelSpec) -> None:
        """Follow a spec. Other windows than before begin anew: counts of one length say nothing about another."""
        tumbling = Tumbling.of(spec)
        if self.tumbling not in (None, tumbling):
            self.windows = {}
            self.predictions = self.predictions.slice(0, 0)
        self.tumbling = tumbling

    def promote(self, champion: Champion) -> list[Announcement]:
        """Follow a deployment: fresh alarms, and no rows of the versions before. Older revisions change nothing."""
        before, self.champion = self.champion, champion
        if before is None or before.version == champion.version:
            return []
        self.former = (self.former | {before.version}) - {champion.version}
        self.windows = {key: sketch for key, sketch in self.windows.items() if self._counts(key[0])}
        versions = self.predictions.column("version").to_numpy()
        self._keep_predictions(np.isin(versions, [v for v in np.unique(versions) if self._counts(int(v))]))
        alarms, self.alarms = self.alarms, dict.fromkeys(KINDS, Alarm())
        why = f"version {champion.version} is in production instead of version {before.version}"
        ids = [each.alert_id for each in alarms.values() if each.alert_id]
        return [alerts.resolved(self.model, alert_id, to_time(self.watermark), why) for alert_id in ids]

    def take_predictions(self, rows: pa.Table, version: int, reference: Reference) -> None:
        """Count micro-batches of one version, in the order of the log; `rows` has the columns of `predictions.log`."""
        assert self.tumbling is not None  # noqa: S101 - the caller holds rows back until there is a spec
        times = event_times(rows)
        late = self.tumbling.late(times, self.watermark)
        self.watermark = max(self.watermark, int(times.max(initial=NEVER)))
        if not self._counts(version):
            return
        self.counted["late_rows"] += int(late.sum())
        if late.any():
            rows, times = rows.filter(pa.array(~late)), times[~late]
        starts = self.tumbling.starts(times)
        for start in np.unique(starts):
            part = (
                rows
                if starts[0] == start == starts[-1] and (starts == start).all()
                else rows.filter(pa.array(starts == start))
            )
            key = (version, int(start))
            sketch = self.windows.get(key) or Sketch.empty(reference.binning.size)
            self.windows[key] = sketch.with_rows(part.num_rows, reference.binning.count(part))
        self._await_outcomes(rows, times, version)
        self._bound_ahead(version)

    def take_outcomes(self, rows: pa.Table) -> None:
        """Take in outcomes; `rows` has the columns of `outcomes.log`."""
        times = rows.column("known_at").cast(pa.int64())
        self.known = max(self.known, int(times.to_numpy().max(initial=NEVER)))
        taken = pa.table(
            [rows.column("id"), rows.column("entity"), rows.column("outcome"), times], schema=matching.OUTCOMES
        )
        self.outcomes = self._bounded(pa.concat_tables([self.outcomes, taken]))

    def settle(self) -> None:
        """Match outcomes to predictions, count the pairs, and forget outcomes that no prediction can come for."""
        if self.tumbling is None:
            return
        matched = matching.match(self.predictions, self.outcomes)
        self.predictions, self.outcomes = matched.predictions.combine_chunks(), matched.outcomes.combine_chunks()
        self.counted["late_outcomes"] += label(self.windows, matched.pairs, self.tumbling)
        known = self.outcomes.column("known_at").to_numpy()
        if known.size and self.watermark > NEVER:
            self.outcomes = self.outcomes.filter(
                pa.array(known + self.tumbling.length + self.tumbling.delay > self.watermark)
            )

    def close(self, spec: ModelSpec, reference: Reference, *, outcomes_idle: bool) -> Iterator[Announcement]:
        """Judge the champion's windows that are due, and say what was found.

        A due window waits for the outcomes to come as far as the predictions have, unless they are idle.
        """
        assert self.tumbling is not None and self.champion is not None  # noqa: S101, PT018 - as above
        version = self.champion.version
        for start in self.tumbling.ripe((s for v, s in self.windows if v == version), self.watermark):
            if self.known < self.tumbling.due(start) and not outcomes_idle:
                return
            sketch = self.windows.pop((version, start))
            self._forget_waiting(version, start + self.tumbling.length)
            verdict = judge(sketch, reference, spec.monitor)
            subject = Subject(self.model, version, self.tumbling.window(start, sketch.rows), to_time(start))
            yield alerts.closed(subject, verdict)
            for kind in KINDS:
                self.alarms[kind], said = ring(
                    self.alarms[kind], kind, subject, verdict, start, spec.monitor.consecutive
                )
                yield from said

    def waits(self) -> bool:
        """Tell whether a window of the champion is due."""
        if self.tumbling is None or self.champion is None:
            return False
        return bool(self.tumbling.ripe((s for v, s in self.windows if v == self.champion.version), self.watermark))

    def _counts(self, version: int) -> bool:
        if self.champion is None or version == self.champion.version:
            return True
        return version > self.champion.version and version not in self.former

    def _await_outcomes(self, rows: pa.Table, times: NDArray[np.int64], version: int) -> None:
        columns = [
            rows.column("id"), rows.column("entity"), pa.array(times), pa.array(np.full(times.size, version)),
            rows.column("output.score"),
        ]  # fmt: skip
        self.predictions = self._bounded(
            pa.concat_tables([self.predictions, pa.table(columns, schema=matching.PREDICTIONS)])
        )

    def _bounded(self, table: pa.Table) -> pa.Table:
        beyond = max(0, table.num_rows - MAX_WAITING)
        self.counted["dropped"] += beyond
        return table.slice(beyond)

    def _bound_ahead(self, version: int) -> None:
        if self.champion is None or version != self.champion.version:
            ahead = sorted(start for v, start in self.windows if v == version)
            for start in ahead[:-MAX_AHEAD]:
                del self.windows[version, start]

    def _forget_waiting(self, version: int, end: int) -> None:
        other = self.predictions.column("version").to_numpy() != version
        self._keep_predictions(other | (self.predictions.column("event_time").to_numpy() >= end))

    def _keep_predictions(self, mask: NDArray[np.bool_]) -> None:
        self.predictions = self.predictions.filter(pa.array(mask))


def event_times(rows: pa.Table) -> NDArray[np.int64]:
    """Return when each request was asked for, in microseconds; when it was answered, where it does not say."""
    times = pc.coalesce(rows.column("event_time"), rows.column("made_at"))
    return np.asarray(times.cast(pa.int64()).to_numpy())
