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

from rondo.monitor.alerts import findings
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.alerts.hysteresis import KINDS, Alarm
from rondo.monitor.alerts.left_out import LeftOut
from rondo.monitor.stream.watermark import NEVER, Watermark, future
from rondo.monitor.versions import Versions
from rondo.monitor.windows.forgetting import Progress, awaited_outcomes, awaited_predictions
from rondo.monitor.windows.labelling import label
from rondo.monitor.windows.tumbling import Tumbling, to_time
from rondo.monitor.windows.unmatched import Pending
from rondo.monitor.windows.window_counts import count_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.alerts.hysteresis import Kind
    from rondo.monitor.detectors.reference import Reference
    from rondo.monitor.ports import Champion
    from rondo.monitor.windows.window_counts import Sketch

# Windows kept for a version that is not champion yet.
MAX_AHEAD = 8


@dataclass
class Watch:
    """The state of one model: how far its predictions have come (`watermark`), and its outcomes (`known`).

    `disorder` is in microseconds (see `watermark`); `judged` is the end of the champion's last judged window.
    """

    model: str
    disorder: int = 1_000_000
    tumbling: Tumbling | None = None
    versions: Versions = field(default_factory=Versions)
    watermark: Watermark = field(default_factory=Watermark)
    known: Watermark = field(default_factory=Watermark)
    judged: int = NEVER
    windows: dict[tuple[int, int], Sketch] = field(default_factory=dict)
    pending: Pending = field(default_factory=Pending)
    alarms: dict[Kind, Alarm] = field(default_factory=lambda: dict.fromkeys(KINDS, Alarm()))
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def champion(self) -> Champion | None:
        """The version in production, whose windows are judged."""
        return self.versions.champion

    def apply(self, spec: ModelSpec) -> None:
        """Follow a spec. Other windows than before begin anew: counts of one length say nothing about another."""
        tumbling = Tumbling.of(spec)
        if self.tumbling not in (None, tumbling):
            self.windows = {}
            self.pending.keep_predictions(np.zeros(self.pending.predictions.num_rows, np.bool_))
        self.tumbling = tumbling

    def promote(self, champion: Champion) -> list[Announcement]:
        """Follow a deployment: fresh alarms, and no rows of the versions before. Older revisions change nothing."""
        before, self.versions = self.champion, self.versions.promoted(champion)
        if before is None or before.version == champion.version:
            return []
        self.judged = NEVER
        self.windows = {key: sketch for key, sketch in self.windows.items() if self.versions.count(key[0])}
        versions = self.pending.predictions.column("version").to_numpy()
        wanted = [version for version in np.unique(versions) if self.versions.count(int(version))]
        self.pending.keep_predictions(np.isin(versions, wanted))
        alarms, self.alarms = self.alarms, dict.fromkeys(KINDS, Alarm())
        why = f"version {champion.version} is in production instead of version {before.version}"
        ids = [each.alert_id for each in alarms.values() if each.alert_id]
        return [findings.resolved(self.model, alert_id, to_time(self.watermark.newest), why) for alert_id in ids]

    def take_predictions(self, rows: pa.Table, version: int, reference: Reference) -> None:
        """Count micro-batches of one version, in the order of the log; `rows` has the columns of `predictions.log`."""
        assert self.tumbling is not None  # noqa: S101 - the caller holds rows back until there is a spec
        times, made, passed = self._advance(rows)
        if not self.versions.count(version):
            return
        ahead = future(times, made)
        late = ~ahead & self.tumbling.late(times, passed)
        left_out = self.left_out.rows(self.model, to_time(self.watermark.made), late_rows=late, future_rows=ahead)
        if left_out.any():
            rows, times = rows.filter(pa.array(~left_out)), times[~left_out]
        count_rows(self.windows, version, rows, self.tumbling.starts(times), reference.binning)
        self.left_out.counted["dropped_outcomes"] += self.pending.add_predictions(rows, times, version)
        self._bound_ahead(version)

    def pass_over(self, rows: pa.Table, version: int, reason: str) -> None:
        """Let rows go by that can't be counted: time passes, and their number is kept."""
        self._advance(rows)
        if self.versions.count(version):
            at = to_time(self.watermark.made)
            self.left_out.rows(self.model, at, **{reason: np.ones(rows.num_rows, np.bool_)})

    def take_outcomes(self, rows: pa.Table, written: int) -> None:
        """Take in outcomes that were written to the log at a time; `rows` has the columns of `outcomes.log`."""
        times = np.asarray(rows.column("known_at").cast(pa.int64()).to_numpy())
        made = np.full(times.size, written)
        self.known, _ = self.known.advance(times, made, self.disorder)
        if (ahead := future(times, made)).any():
            self.left_out.counted["future_outcomes"] += int(ahead.sum())
            rows, times = rows.filter(pa.array(~ahead)), times[~ahead]
        self.left_out.counted["dropped_outcomes"] += self.pending.add_outcomes(rows, times)

    def settle(self) -> None:
        """Match outcomes to predictions, count the pairs, and forget what nothing can come for any more."""
        if self.tumbling is None:
            return
        self.left_out.counted["late_outcomes"] += label(self.windows, self.pending.match(), self.tumbling)
        self._forget(self.tumbling)

    def ripe(self, *, outcomes_idle: bool) -> list[int]:
        """Return the starts of the champion's windows that can be judged.

        A due window waits for the outcomes to come as far as the predictions have, unless they are idle.
        """
        if self.tumbling is None or self.champion is None:
            return []
        upto = self.watermark.passed if outcomes_idle else min(self.watermark.passed, self.known.passed)
        return self.tumbling.ripe((s for v, s in self.windows if v == self.champion.version), upto)

    def pop(self, start: int) -> tuple[Subject, Sketch]:
        """Take out a window of the champion, which is judged now; returns what its findings are about."""
        assert self.tumbling is not None and self.champion is not None  # noqa: S101, PT018 - as above
        sketch = self.windows.pop((self.champion.version, start))
        self.judged = max(self.judged, start + self.tumbling.length)
        window = self.tumbling.window(start, sketch.rows)
        return Subject(self.model, self.champion.version, window, to_time(start)), sketch

    def _advance(self, rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return when each row was asked for, when it was made, and what had passed when it came."""
        made = np.asarray(rows.column("made_at").cast(pa.int64()).to_numpy())
        times = pc.coalesce(rows.column("event_time"), rows.column("made_at")).cast(pa.int64()).to_numpy()
        self.watermark, passed = self.watermark.advance(times, made, self.disorder)
        return times, made, passed

    def _bound_ahead(self, version: int) -> None:
        ahead = sorted(start for v, start in self.windows if v == version)
        if self.versions.is_champion(version) or len(ahead) <= MAX_AHEAD:
            return
        for start in ahead[:-MAX_AHEAD]:
            del self.windows[version, start]
        waiting = self.pending.predictions
        other = waiting.column("version").to_numpy() != version
        self.pending.keep_predictions(other | (waiting.column("event_time").to_numpy() >= ahead[-MAX_AHEAD]))

    def _forget(self, tumbling: Tumbling) -> None:
        progress = Progress(self.watermark.passed, self.known.passed, self.judged)
        self.pending.keep_outcomes(awaited_outcomes(self.pending.outcomes, tumbling, progress))
        predictions = self.pending.predictions
        mine = predictions.column("version").to_numpy() == (self.champion.version if self.champion else 0)
        self.pending.keep_predictions(~mine | awaited_predictions(predictions, tumbling, progress))
