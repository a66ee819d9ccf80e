"""The state of one model: open windows and evidence by version, unmatched rows, alarms, and a buffer of messages.

Rows count by the version that answered them, as soon as that version's profile is known. So the event of a promotion
may arrive before or after the first rows of the new version. Only the champion has alarms. The windows of replaced
versions close, too, but only report figures (`champion_history`). The windows of a newer version are kept until it
becomes the champion.
"""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from rondo.contracts.tasks.registry import task_named
from rondo.contracts.vocabularies import JudgedBy, RouteRole
from rondo.monitor.alerts import findings, replaced_windows
from rondo.monitor.alerts.dropped_rows import DroppedRows
from rondo.monitor.alerts.findings import Subject
from rondo.monitor.alerts.version_alarms import VersionAlarms
from rondo.monitor.candidates import Candidates
from rondo.monitor.champion_history import ChampionHistory
from rondo.monitor.costs.cost_status import Power, cost_status
from rondo.monitor.costs.version_cost import ModelCosts
from rondo.monitor.described_window import described_window, take_outcomes
from rondo.monitor.evidence.model_evidence import ModelEvidence
from rondo.monitor.evidence.open_buckets import BucketedRows
from rondo.monitor.quality.model_quality import ModelQuality
from rondo.monitor.stream import log_messages
from rondo.monitor.stream.message_buffer import MessageBuffer
from rondo.monitor.stream.watermark import NEVER, Watermark, is_implausible
from rondo.monitor.user_detectors.user_figures import NO_USER_FIGURES, NO_USER_WINDOWS, UserFigures, UserFiguresByWindow
from rondo.monitor.windows.candidate_windows import discard_older
from rondo.monitor.windows.labelled import LabelledRows
from rondo.monitor.windows.recent_windows import CountedPeriod, RecentWindows
from rondo.monitor.windows.tumbling import TumblingWindows, to_time
from rondo.monitor.windows.unmatched_rows import Progress, UnmatchedRows
from rondo.monitor.windows.window_counts import count_labels, count_rows, in_open_windows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from rondo.contracts.spec.model import ModelSpec
    from rondo.monitor.alerts.findings import Announcement
    from rondo.monitor.evidence.block_figures.count_blocks import CountBlock
    from rondo.monitor.evidence.reference import Reference
    from rondo.monitor.evidence.version_evidence import VersionEvidence
    from rondo.monitor.ports import ChampionRevision
    from rondo.monitor.quality.skew import ServedSkew
    from rondo.monitor.stream.log_messages import Predictions
    from rondo.monitor.user_detectors.block_figures import BlockFigures
    from rondo.monitor.windows.window_counts import OpenWindows


@dataclass
class ModelState:
    """The state of one model. `max_out_of_orderness` is in microseconds (see `watermark`).

    `closed_until` is the end of the champion's last closed window. `tumbling` is None until a spec and a reference are
    known. `outcome_watermark` is the watermark of `outcomes.log`, by `known_at`. `removed` is the revision of the last
    removal. Outcomes have been requested for event times up to `labels_until`. `recent` is for the status, and no
    decision depends on it.
    """

    model: str
    max_out_of_orderness: int = 1_000_000
    tumbling: TumblingWindows | None = None
    history: ChampionHistory = field(default_factory=ChampionHistory)
    watermark: Watermark = field(default_factory=Watermark)
    outcome_watermark: Watermark = field(default_factory=Watermark)
    closed_until: int = NEVER
    windows: OpenWindows = field(default_factory=dict)
    recent: RecentWindows = field(default_factory=RecentWindows)
    unmatched: UnmatchedRows = field(default_factory=UnmatchedRows)
    labelled: LabelledRows = field(default_factory=LabelledRows)
    evidence: ModelEvidence = field(default_factory=ModelEvidence)
    alarms: VersionAlarms = field(default_factory=VersionAlarms)
    dropped: DroppedRows = field(default_factory=DroppedRows)
    buffer: MessageBuffer = field(default_factory=MessageBuffer)
    candidates: Candidates = field(default_factory=Candidates)
    quality: ModelQuality = field(default_factory=ModelQuality)
    costs: ModelCosts = field(default_factory=ModelCosts)
    removed: int = 0
    labels_until: int | None = None
    spec: ModelSpec | None = field(default=None, compare=False)

    @property
    def champion(self) -> ChampionRevision | None:
        """The version in production. Its windows are evaluated."""
        return self.history.champion

    def apply_spec(self, spec: ModelSpec) -> list[Announcement]:
        """Apply a spec. A change of the window length or of the label delay discards all counts and the evidence.

        They can't be converted. The alerts that the evidence has opened are resolved.
        """
        self.spec = spec
        self.evidence.name_detectors(spec.monitor.alarm_detectors)
        self.evidence.watch_gaps(spec.gates.fairness.by if spec.gates.fairness else None)
        if self.evidence.begin_by(run_length=spec.monitor.run_length is not None):
            return self._apply_windows(spec) + self._resolve_alarms(
                "the spec has another kind of false-alarm rate, so its evidence starts again"
            )
        return self._apply_windows(spec)

    def _apply_windows(self, spec: ModelSpec) -> list[Announcement]:
        ended = [] if spec.monitor.alarm_detectors else self._without_detectors()
        if self.tumbling is None or self.tumbling.fits(spec):
            return ended
        self.tumbling = None
        self._discard_counts()
        return ended + self._resolve_alarms("the spec has another window or label delay, so its evidence starts again")

    def remove(self, revision: int) -> list[Announcement]:
        """Stop evaluating a model that `revision` removed: discards its counts and event time, and resolves its alerts.

        A spec that is applied later starts over, and accepts requests that are older than those before the removal.
        """
        at, why = to_time(self.watermark.newest), "the model was removed"
        self.tumbling, self.spec, self.removed = None, None, revision
        self._discard_counts()
        self.watermark, self.outcome_watermark = Watermark(), Watermark()
        self.closed_until, self.labels_until, self.costs = NEVER, None, ModelCosts()
        self.unmatched.clear()
        self.buffer.clear()
        resolved = [*self.dropped.resolve(self.model, at, why), *self.quality.resolve(self.model, at, why)]
        return [*self._resolve_alarms(why, at), *resolved, *self.candidates.resolve(self.model, at)]

    def snapshot(self) -> ModelState:
        """Return a copy for the status. A thread may read it while this state takes rows."""
        return replace(
            self,
            windows=dict(self.windows),
            evidence=self.evidence.snapshot(self.champion.version if self.champion else None),
            alarms=VersionAlarms(dict(self.alarms.by_kind), dict(self.alarms.unjudged)),
            dropped=replace(self.dropped, counts=dict(self.dropped.counts)),
            unmatched=copy(self.unmatched),
            labelled=copy(self.labelled),
            quality=self.quality.snapshot(),
            candidates=self.candidates.snapshot(),
            costs=ModelCosts(dict(self.costs.versions), dict(self.costs.windows)),
        )

    @property
    def open_alerts(self) -> dict[str, str]:
        """The ids of the open alerts, by kind."""
        return self.alarms.open | self.dropped.open(self.model) | self.quality.open | self.candidates.open_alerts

    def promote(self, champion: ChampionRevision) -> list[Announcement]:
        """Apply a deployment. A new champion drops the evidence of older versions. Their open windows remain.

        It resets the alarms and resolves their alerts. If the new version is the same artifact, nothing has changed,
        and it takes over the evidence and the alarms.
        """
        before, returns = self.champion, self.history.is_replaced(champion.version)
        self.history = self.history.promoted(champion)
        self.candidates.promoted(champion.version)
        if before is None or before.version == champion.version:
            return []
        why = f"version {champion.version} is in production instead of version {before.version}"
        if returns:
            # The rows that failed before the version was replaced have opened an alert already. A second one would have
            # its id.
            self.costs.discard_windows(champion.version)
        newest = self.watermark.newest if self.watermark.newest != NEVER else self.quality.failed.written
        ended = self.quality.failed.resolve(self.model, to_time(newest), why)
        self.closed_until, self.recent = NEVER, RecentWindows()
        if self.history.is_replaced(self.quality.repeats.features.version):
            self.quality.repeats.clear_features()
        if before.digest == champion.digest:
            self.evidence.rename(before.version, champion.version)
        self.evidence.keep(version for version in self.evidence.known if not self.history.is_replaced(version))
        return ended if before.digest == champion.digest else [*ended, *self._resolve_alarms(why)]

    def _without_detectors(self) -> list[Announcement]:
        """Resolve the alerts of users' detectors, because the spec names none that takes part."""
        why = "the spec names no detector in `monitor.alarm_detectors` any more"
        at = to_time(self.watermark.newest)
        return [findings.resolved(self.model, alert_id, at, why) for alert_id in self.alarms.end_detectors()]

    def _resolve_alarms(self, why: str, at: datetime | None = None) -> list[Announcement]:
        """Reset the alarms. Returns the ends of their alerts, at the newest event time unless `at` is given."""
        alarms, self.alarms = self.alarms, VersionAlarms()
        at = at or to_time(self.watermark.newest)
        return [findings.resolved(self.model, alert_id, at, why) for alert_id in alarms.open.values()]

    def required_profiles(self) -> set[str]:
        """Return the digests of the profiles that the champion, candidates, open windows and buffered messages need."""
        digests = {each.predictions.digest for each in self.buffer.messages} | set(self.history.digests.values())
        digests |= {each.digest for each in self.candidates.by_role.values()}
        return digests | {self.champion.digest} if self.champion else digests

    def add_cost(self, predictions: Predictions, written: int) -> None:
        """Add the inference cost in a message of `predictions.log`.

        `written` is the message's timestamp in microseconds. The cost counts in the window of the newest request of the
        message. If the version failed on every row, it counts in the window of the newest event time so far.
        """
        newest = self.watermark.newest
        window: int | None = None
        if predictions.rows.num_rows and predictions.cost.micros:
            times, made = log_messages.event_times(predictions.rows)
            newest = int(times[~is_implausible(times, made)].max(initial=NEVER))
        if predictions.role == RouteRole.PRIMARY:
            known = self.tumbling if newest != NEVER else None
            window = int(known.starts(np.array([newest]))[0]) if known else NEVER
            self.quality.failed.written = max(self.quality.failed.written, written)
        self.costs.add(predictions.version, predictions.cost, window)

    def buffer_predictions(self, value: bytes, predictions: Predictions, now: float) -> None:
        """Buffer a message of `predictions.log`. Evicted rows count as dropped."""
        if predictions.role == RouteRole.PRIMARY:
            times, made = log_messages.event_times(predictions.rows)
            self.quality.take(self.model, "requests", made, times)
        for evicted in self.buffer.push(value, predictions, now):
            self._drop(evicted, "evicted_rows")

    def count_buffered(self, references: Mapping[str, Reference], timed_out: float) -> int:
        """Count the buffered rows whose profile is known. Returns how many rows left the buffer.

        Rows that arrived at or before `timed_out` and still have no profile are dropped.
        """
        if self.spec is None:
            return 0
        ready = self.buffer.pop_ready(references, timed_out)
        for batch in log_messages.concatenated(ready):
            if (reference := references.get(batch.digest)) and batch.role == RouteRole.PRIMARY:
                self.count_predictions(batch.rows, batch.version, reference)
                self.candidates.compared.add(batch, task_named(reference.task.task).counted)
            elif reference and self.tumbling:
                evicted = self.candidates.count(batch, reference, self.tumbling, self.watermark.passed)
                self.dropped.counts["evicted_compared"] += evicted
            elif batch.role == RouteRole.PRIMARY:
                self._drop(batch, "unprofiled")
        return sum(batch.rows.num_rows for batch in ready)

    def count_predictions(self, rows: pa.Table, version: int, reference: Reference) -> None:
        """Count rows of one version, in log order. `rows` has the columns of `predictions.log`."""
        tumbling = self._windows(reference)
        times, made, passed = self._advance(rows)
        undated = times == NEVER
        implausible = ~undated & is_implausible(times, made)
        late = ~implausible & ~undated & (tumbling.late(times, passed) | (version in self.history.ended))
        at = to_time(self.watermark.made)
        reasons = {"late_rows": late, "implausible_rows": implausible, "undated_rows": undated}
        dropped = self.dropped.record(self.model, at, **reasons)
        if dropped.any():
            rows, times, passed = rows.filter(pa.array(~dropped)), times[~dropped], passed[~dropped]
        if times.size:
            self._count(rows, times, passed, version, reference)
        rate = self.spec.monitor.false_alarm_rate if self.spec else 0.0
        usual = None if self.history.is_replaced(version) else reference.profile.repeated_rows
        self.quality.repeats.take(rows, times, tumbling.starts(times), version, usual, rate)
        self.history = self.history.counted(version, reference.digest)
        counted = task_named(reference.task.task).counted
        slices = reference.slices.codes(rows)
        self.dropped.counts["evicted_outcomes"] += self.unmatched.add_predictions(rows, times, version, counted, slices)
        self._bound_candidate_windows(version, tumbling)

    def add_outcomes(self, rows: pa.Table, written: int) -> None:
        """Add rows of `outcomes.log`. `written` is the message's timestamp in microseconds."""
        times = np.asarray(rows.column("known_at").cast(pa.int64()).to_numpy())
        made = np.full(times.size, written)
        self.quality.take(self.model, "outcomes", made, times)
        self.outcome_watermark, _ = self.outcome_watermark.advance(times, made, self.max_out_of_orderness)
        if (implausible := is_implausible(times, made)).any():
            self.dropped.counts["implausible_outcomes"] += int(implausible.sum())
            rows, times = rows.filter(pa.array(~implausible)), times[~implausible]
        self.dropped.counts["evicted_outcomes"] += self.unmatched.add_outcomes(rows, times)

    def look_at_quality(self, skew: ServedSkew, *, outcomes_idle: bool) -> list[Announcement]:
        """Return the announcements about the quality of the data. `skew` compares served with published values.

        `outcomes_idle` is true if the outcomes that have been written are read.
        """
        if self.champion is None or self.spec is None:
            return []
        subject = Subject(self.model, self.champion.version, self.spec.monitor.false_alarm_rate, 0)
        return self.quality.look(
            subject, self.tumbling, self.watermark.passed, skew,
            missed_outcomes=outcomes_idle and self.spec.rollout.judged_by != JudgedBy.GUARDS,
            costs=self.costs.by_window(self.champion.version),
        )  # fmt: skip

    def settle(self) -> None:
        """Join outcomes to predictions, count and correct labels, and discard what can't be matched any more."""
        if self.tumbling is None:
            return
        self._discard_final_labels(self.tumbling)
        if self.unmatched.changed:
            self._label(self.tumbling)
        earliest = self.history.earliest(self.windows)
        progress = Progress(self.watermark.passed, self.outcome_watermark.passed, earliest)
        self.unmatched.retain(self.tumbling, progress, self.history.closes)

    def due(self, *, outcomes_idle: bool) -> list[tuple[int, int]]:
        """Return the windows that can close, as version and start, see `ChampionHistory.due`.

        Unless the outcomes are idle, the watermark of the outcomes must have passed, too.
        """
        passed = self.watermark.passed if outcomes_idle else min(self.watermark.passed, self.outcome_watermark.passed)
        return self.history.due(self.windows, self.tumbling, passed) if self.tumbling else []

    def look_at_candidates(self, references: Mapping[str, Reference]) -> tuple[bool, list[Announcement]]:
        """Return whether a candidate has a new step with rows, and alerts about candidates, see `Candidates.look`."""
        tumbling, rate = (self.tumbling, self.spec.monitor.false_alarm_rate) if self.spec else (None, 0.0)
        return self.candidates.look(self.model, references, tumbling, self.watermark, rate)

    def look(self, reference: Reference) -> Iterator[Announcement]:
        """Take the champion's steps that the watermark has passed, in order. Yields the announcements."""
        if self.champion is not None and self.spec is not None and self.tumbling is not None:
            yield from self._look(reference, self.tumbling, self.watermark.passed)

    def close_due_windows(
        self,
        references: Mapping[str, Reference],
        by_users: UserFiguresByWindow = NO_USER_WINDOWS,
        power: Power | None = None,
        *,
        outcomes_idle: bool,
    ) -> Iterator[Announcement]:
        """Close the due windows whose references are loaded, in order. Yields the announcements.

        `references` are by digest. `by_users` are figures of users' detectors, by version and start of a window.
        `power` is the basis of the estimate of emissions.
        """
        self.history = self.history.ending(self.windows)
        for key in self.due(outcomes_idle=outcomes_idle):
            assert self.tumbling is not None  # noqa: S101 - else nothing is due
            if reference := references.get(self.history.digest(key[0])):
                yield from self._close(key, reference, self.tumbling, by_users.get(key, NO_USER_FIGURES), power)
        self.history = self.history.with_windows(version for version, _ in self.windows)

    def complete_blocks(self) -> list[CountBlock]:
        """Remove and return the champion's blocks of rows of which users' detectors have no figures yet."""
        evidence = self.evidence.versions.get(self.champion.version) if self.champion else None
        return evidence.blocks.pop() if evidence and evidence.detectors else []

    def take_figures(
        self, reference: Reference, blocks: Sequence[CountBlock], found: BlockFigures
    ) -> Iterator[Announcement]:
        """Take the figures that users' detectors have of the blocks, in order. Yields the announcements."""
        assert self.champion is not None  # noqa: S101 - else there are no blocks
        evidence = self.evidence.versions[self.champion.version]
        subject = self._subject(evidence)
        for number, block in enumerate(blocks):
            for detector, figures in found.by_detector.items():
                if (mine := figures[number]) is not None:
                    evidence.take_figures(reference.digest, detector, mine, block)
            yield from self.alarms.after_block(subject, evidence, to_time(block.end))
        yield from self.alarms.after_blocks(subject, found.failures, to_time(blocks[-1].end))

    def _close(
        self, key: tuple[int, int], reference: Reference, tumbling: TumblingWindows, by_users: UserFigures,
        power: Power | None,
    ) -> Iterator[Announcement]:  # fmt: skip
        assert self.spec is not None  # noqa: S101 - without a spec no window is due
        version, start = key
        end, is_replaced = start + tumbling.length, self.history.is_replaced(version)
        if not is_replaced:
            yield from self._look(reference, tumbling, end)
        compared, by_answer = self.candidates.compared, self.spec.rollout.compares_answered
        yield from compared.close_cohort(self.model, self.labelled.table, reference, key, end, by_answer=by_answer)
        counts = self.windows.pop(key)
        period = CountedPeriod(start, end, counts)
        by_users = replace(by_users, statistics=(*by_users.statistics, *self.quality.repeats.statistics(start)))
        found = described_window(period, reference, self.spec.monitor.detectors, by_users)
        if (cost := self.costs.close(version, start)) is not None:
            found = replace(found, cost=cost_status(version, cost, power or Power()))
        if is_replaced:
            subject = Subject(self.model, version, self.spec.monitor.false_alarm_rate, 0)
            yield replaced_windows.closed(subject, found, reference)
            return
        self.closed_until = max(self.closed_until, period.end)
        self.recent = self.recent.with_window(period)
        take_outcomes(self.evidence, version, reference, period)
        evidence = self.evidence.of(version, reference)
        yield from self.alarms.after_window(self._subject(evidence), evidence, reference, found)

    def _look(self, reference: Reference, tumbling: TumblingWindows, upto: int) -> Iterator[Announcement]:
        assert self.champion is not None  # noqa: S101 - the caller has looked
        version = self.champion.version
        for end, repeat in self.evidence.close(version, reference, upto, tumbling.lengths):
            evidence = self.evidence.versions[version]
            yield from self.alarms.after_step(self._subject(evidence), evidence, reference, to_time(end), repeat=repeat)

    def _subject(self, evidence: VersionEvidence) -> Subject:
        assert self.champion is not None and self.spec is not None  # noqa: S101, PT018 - else nothing is looked at
        rate = self.spec.monitor.evidence_rate
        return Subject(self.model, self.champion.version, rate, evidence.taken["loss"].rows)

    def _windows(self, reference: Reference) -> TumblingWindows:
        """Return the windows of the model. Their lengths follow from the first reference."""
        assert self.spec is not None  # noqa: S101 - rows are buffered until there is a spec
        if self.tumbling is None:
            self.tumbling = TumblingWindows.of(self.spec, reference.density)
        return self.tumbling

    def _count(
        self, rows: pa.Table, times: NDArray[np.int64], passed: NDArray[np.int64], version: int, reference: Reference
    ) -> None:
        """Count rows into windows.

        Rows that are not late for their step also count into the buckets of the evidence.
        """
        tumbling, binning = self._windows(reference), reference.binning
        starts, bins = tumbling.bucket_starts(times), binning.bins(rows)
        if self.history.is_replaced(version):
            count_rows(self.windows, version, reference, tumbling, BucketedRows.of(starts, bins, binning))
            return
        if (late := tumbling.late_for_step(times, passed)).any():
            self.evidence.late += int(late.sum())
            others = BucketedRows.of(starts[late], bins[:, late], binning)
            count_rows(self.windows, version, reference, tumbling, others)
            starts, bins = starts[~late], bins[:, ~late]
        in_time = BucketedRows.of(starts, bins, binning)
        self.evidence.open.add_rows(version, in_time)
        count_rows(self.windows, version, reference, tumbling, in_time)

    def _label(self, tumbling: TumblingWindows) -> None:
        pairs, late = self.unmatched.take_pairs(tumbling)
        if not pairs.num_rows and not late and not self.unmatched.outcomes.num_rows:
            return
        is_open = in_open_windows(self.windows, pairs, tumbling)
        self.dropped.counts["late_outcomes"] += late + int((~is_open).sum())
        count_labels(self.windows, pairs, tumbling)
        self.labelled.add(pairs.filter(pa.array(is_open)))
        corrections = self.labelled.correct(self.unmatched.outcomes, tumbling)
        count_labels(self.windows, corrections.before, tumbling, removed=True)
        count_labels(self.windows, corrections.after, tumbling)
        self.unmatched.keep_outcomes(~corrections.consumed)

    def _discard_final_labels(self, tumbling: TumblingWindows) -> None:
        self.labelled.keep(in_open_windows(self.windows, self.labelled.table, tumbling))

    def _drop(self, batch: Predictions, reason: str) -> None:
        """Advance event time past the primary's rows that can't be counted, and record them."""
        if batch.role != RouteRole.PRIMARY:
            return
        self._advance(batch.rows)
        everything = np.ones(batch.rows.num_rows, np.bool_)
        self.dropped.record(self.model, to_time(self.watermark.made), **{reason: everything})

    def _advance(self, rows: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Advance the watermark.

        Returns the event time of each row, when it was made, and the watermark at its arrival.
        """
        times, made = log_messages.event_times(rows)
        given = log_messages.has_event_time(rows)
        self.watermark, times, passed, restarted = self.watermark.arrive(times, made, given, self.max_out_of_orderness)
        if restarted:
            self._discard_counts()
            self.quality.begin_event_time_again(self.watermark.dated_since)
            self.closed_until, self.labels_until = NEVER, None
        return times, made, passed

    def _discard_counts(self) -> None:
        """Discard the counts of predictions. Later predictions have other windows, or earlier event times."""
        self.windows, self.recent, self.history = {}, RecentWindows(), self.history.without_windows()
        self.costs.windows = {}
        # Later suspicions are about evidence that starts over, and may have earlier event times.
        self.alarms.suspicions.clear()
        self.quality.repeats.clear_windows()
        for counted in (self.evidence, self.candidates, self.labelled):
            counted.clear()
        self.unmatched.clear_predictions()

    def _bound_candidate_windows(self, version: int, tumbling: TumblingWindows) -> None:
        if self.history.closes(version):
            return
        if (oldest := discard_older(self.windows, self.unmatched, version)) is not None:
            self.evidence.open.pop(version, oldest)
            self._discard_final_labels(tumbling)
