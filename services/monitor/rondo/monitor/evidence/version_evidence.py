"""The evidence about one version: tests of its inputs, its outputs and its losses against its reference.

Each of the three groups has a third of the false-alarm rate, within which `false_discoveries` decides what is named.
The probability of any alarm without a change is at most the rate, however often one looks and however the components
depend on each other. Columns with the same length of blocks share a test, which is faster.

Where the spec names detectors of the user's own that take part, they are a fourth group, and each group has a quarter.
The detectors have equal parts of theirs, and the columns that are watched have equal parts of that of a detector. The
figures of a column are all there with its first block. So no threshold depends on figures that are still to come.

Where slices are watched, they get half of the losses' third. Each slice has a test with blocks of its rows. Where gaps
between groups are watched, too, slices and gaps have half of that half each.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from rondo.chassis.profiles.seeded_draws import by_counter
from rondo.monitor.estimates.loss_bounds import LossBounds
from rondo.monitor.estimates.prediction_history import PredictionHistory
from rondo.monitor.evidence.block_figures.count_blocks import CountBlocks, rows_of_block
from rondo.monitor.evidence.block_figures.figure_tests import (
    BlockSpan,
    figure_component,
    with_figure,
)
from rondo.monitor.evidence.block_figures.group_gaps import OpenGap, pairs_of, rows_of_gap
from rondo.monitor.evidence.component_sums import (
    DETECTORS,
    EVERY_GROUP,
    GAPS,
    GROUPS,
    INPUT_GROUPS,
    LOSS,
    SLICES,
    TOO_HIGH,
    TOO_LOW,
    UNCOVERED,
    Component,
    compressed,
    reference_blocks,
    watched_columns,
)
from rondo.monitor.evidence.component_tests.from_reference import (
    begun_tests,
    range_of_losses,
    tests_of_columns,
    tests_of_slices,
)
from rondo.monitor.evidence.component_tests.watched import Alarm, Taken, Watched, slice_key
from rondo.monitor.evidence.false_discoveries import naming_threshold
from rondo.monitor.evidence.staged_test import Buckets, StagedTest
from rondo.monitor.evidence.stretches import Learning, Stretches
from rondo.monitor.evidence.suspicion import ShortReference, Suspicion, begun

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from rondo.contracts.training_evidence import ReferenceProfile
    from rondo.monitor.evidence.block_figures.count_blocks import CountBlock
    from rondo.monitor.evidence.block_figures.group_gaps import PartsOfSlices
    from rondo.monitor.evidence.component_sums import Group
    from rondo.monitor.evidence.open_buckets import BucketArrays
    from rondo.monitor.evidence.reference import Reference


class ExpectedBuckets(NamedTuple):
    """The buckets of a group, and the buckets of the components of each test."""

    group: Group
    buckets: Buckets
    parts: Sequence[tuple[Watched, Buckets]]


@dataclass(eq=False)
class VersionEvidence:
    """The tests of a version, the rows that each group and slice has taken, and the predictions, if they are counted.

    `predicted` counts the predictions over time. `loss_bounds` bound the mean loss, where the reference has losses.
    `judged_since` is the end of the window or step, in microseconds, since which all columns of a group can be judged.
    `due` is when a group that lacks rows is due, see `verdicts.note_judged`. `detectors` are those of the user's own
    that take part by the spec, and `blocks` are the counts of rows that they get. `fairness` is the column whose gaps
    are watched by the spec, and `gaps` are their open blocks. `run_length` is the form of the evidence (`BlockTest`).
    """

    watched: list[Watched]
    suspicion: Suspicion | ShortReference | None = None
    taken: dict[str, Taken] = field(default_factory=lambda: dict.fromkeys(GROUPS, Taken()))
    predicted: PredictionHistory | None = None
    loss_bounds: LossBounds | None = None
    judged_since: dict[Group, int] = field(default_factory=dict)
    due: dict[Group, int] = field(default_factory=dict)
    detectors: tuple[str, ...] = ()
    blocks: CountBlocks = field(default_factory=CountBlocks)
    fairness: str | None = None
    gaps: tuple[OpenGap, ...] = ()
    run_length: bool = False

    @classmethod
    def of(cls, digest: str, profile: ReferenceProfile, *, run_length: bool = False) -> VersionEvidence:
        """Return the evidence before any live row. Columns whose reference has no blocks are not watched."""
        digest = by_counter(digest)
        blocks = reference_blocks(profile)
        watched = [
            test
            for group, columns in watched_columns(profile).items()
            for test in tests_of_columns(digest, group, columns, blocks.get(group), run_length=run_length)
        ]
        if profile.loss is None or not profile.loss.means:
            return cls(watched, run_length=run_length)
        rows, within = profile.loss.rows, profile.loss.autocorrelation_rows
        of_row = range_of_losses(rows, profile.loss.means)
        stretches = Stretches(rows, within, np.array([profile.loss.means]), of_row)
        names: list[str] = [LOSS]
        means = [profile.loss.means]
        if profile.loss.uncovered is not None:
            names, means, of_row = [*names, UNCOVERED], [*means, profile.loss.uncovered], np.append(of_row, 1.0)
        if profile.loss.bias is not None:
            # Each direction is a component of its own, because in every component of a loss more is worse.
            names, of_row = [*names, TOO_LOW, TOO_HIGH], np.append(of_row, [0.0, 0.0])
            means = [*means, profile.loss.bias, tuple(-each for each in profile.loss.bias)]
        components = tuple(Component("loss", None, name, at) for at, name in enumerate(names))
        of_all = Stretches(rows, within, np.array(means), of_row)
        watched += begun_tests(f"{digest}/{LOSS}", [(components, of_all)], one_sided=True, run_length=run_length)
        watched += tests_of_slices(digest, profile.slices, of_row[:1], run_length=run_length)
        bounds = LossBounds.of(stretches.means[0], rows, within)
        suspicion = begun(f"{digest}/suspicion", stretches)
        return cls(watched, suspicion, loss_bounds=bounds, run_length=run_length)

    def take(self, group: Group, buckets: Buckets) -> None:
        """Take buckets with the sums of the group's components, which follow those before.

        Empty buckets are skipped.
        """
        if not len((buckets := _with_rows(buckets)).rows):
            return
        self._take(group, buckets)
        if group == LOSS and self.loss_bounds:
            for rows, total in zip(buckets.rows.tolist(), buckets.sums[:, 0].tolist(), strict=True):
                self.loss_bounds = self.loss_bounds.with_losses(rows, total)
        if group == LOSS and self.suspicion:
            self.suspicion = self.suspicion.take(buckets.of([0]))

    def take_slice(self, column: str, value: str, buckets: Buckets) -> None:
        """Take buckets of the rows of a slice, with the sums of their losses."""
        key = slice_key(column, value)
        mine = [each for each in self.watched if each.rows_of == key]
        if not mine or not len((buckets := _with_rows(buckets)).rows):
            return
        for each in mine:
            each.expect(each.of(buckets))
        self._take(key, buckets)

    def _take(self, key: str, buckets: Buckets) -> None:
        self.taken[key] = self.taken.get(key, Taken()).with_buckets(buckets)
        for each in self.watched:
            if each.rows_of == key:
                each.take(buckets)

    def expect(self, group: Group, buckets: Buckets) -> ExpectedBuckets:
        """Prepare for buckets of inputs or outputs, none of them empty. `take_expected` takes them in parts."""
        parts = [(each, each.of(buckets)) for each in self.watched if each.group == group]
        for each, mine in parts:
            each.expect(mine)
        return ExpectedBuckets(group, buckets, parts)

    def take_expected(self, expected: ExpectedBuckets, which: slice) -> None:
        """Take a slice of the expected buckets. It follows the one before."""
        key = expected.group
        self.taken[key] = self.taken.get(key, Taken()).with_buckets(expected.buckets.at(which))
        for each, mine in expected.parts:
            each.take_mine(mine.at(which))

    def rows_until_look(self, most: int) -> int:
        """Return the least number of rows after which the evidence of inputs and outputs may change.

        `most` is the number of rows in the fullest bucket. The result is 0 if the evidence may change at any time.
        """
        tests = [each.state for each in self.watched if each.group in INPUT_GROUPS]
        found = [0 if isinstance(test, Learning) or most >= 2 * test.block else test.rows_until_look for test in tests]
        return min(found, default=0)

    def snapshot(self) -> VersionEvidence:
        """Return the evidence so far without the suspicion. Rows that are taken later do not change it."""
        watched = [each.snapshot() for each in self.watched]
        judged, due = dict(self.judged_since), dict(self.due)
        return VersionEvidence(
            watched, None, dict(self.taken), self.predicted, self.loss_bounds, judged, due, self.detectors,
            self.blocks.snapshot(), self.fairness, self.gaps, self.run_length,
        )  # fmt: skip

    def name_detectors(self, detectors: tuple[str, ...]) -> None:
        """Let these detectors of the user's own take part, and discard the evidence of others."""
        self.detectors = detectors
        self._discard([each for each in self.watched if each.group == DETECTORS and each.detector not in detectors])
        if not detectors:
            self.blocks = CountBlocks()

    def watch_gaps(self, column: str | None) -> None:
        """Watch the gaps between the groups of a column, and discard the evidence of others."""
        self.fairness = column
        self._discard([each for each in self.watched if each.group == GAPS and each.components[0].column != column])
        self.gaps = tuple(each for each in self.gaps if each.pair.column == column)

    def _discard(self, over: Sequence[Watched]) -> None:
        if over:
            self.watched = [each for each in self.watched if each not in over]
            self.taken = {key: each for key, each in self.taken.items() if key not in {one.rows_of for one in over}}

    def take_gaps(self, reference: Reference, parts: PartsOfSlices) -> None:
        """Take the rates of slices of a closed window."""
        pairs = pairs_of(reference.profile, self.fairness)
        if not pairs or not reference.rates or parts.sums.shape[1] != len(reference.rates):
            return
        if not self.gaps:
            block = rows_of_gap(reference.profile)
            self.gaps = tuple(OpenGap(pair, block, reference.rates) for pair in pairs)
        taken = [each.take(parts, reference.digest) for each in self.gaps]
        self.gaps = tuple(after for after, _ in taken)
        known = {each.components[0]: each for each in self.watched if each.group == GAPS}
        for gap in (gap for _, complete in taken for gap in complete):
            for rate, figure in gap.gaps.items():
                self._take_figure(reference.digest, known, gap.pair.component(rate), figure, gap.span)

    def take_counts(self, buckets: BucketArrays, length: int, reference: Reference) -> None:
        """Take buckets of `length` microseconds as counts by bin of all columns, for users' detectors.

        A column takes part as soon as its own evidence has begun, because that knows how long its blocks must be.
        """
        waiting = {each.name for each in reference.binning.columns} - self.blocks.columns
        tests = [each for each in self.watched if each.group in INPUT_GROUPS and isinstance(each.state, StagedTest)]
        begun = {
            component.column: rows_of_block(test.state.block, reference.profile.rows)
            for test in tests
            for component in test.components
            if component.column in waiting
        }
        self.blocks.begin({name: begun[name] for name in sorted(begun)}, buckets.counts.shape[1])
        self.blocks.take(buckets, length)

    def take_figures(
        self, digest: str, detector: str, figures: Mapping[tuple[str, str], float], block: CountBlock
    ) -> None:
        """Take a detector's figures of a block, by column and name.

        The figures that it has of the first block of a column are watched, so that their number does not grow.
        """
        known = {each.components[0]: each for each in self.watched if each.detector == detector}
        begun = {component.column for component in known}
        for (column, key), figure in figures.items():
            component = figure_component(detector, column, key)
            if component in known or column not in begun:
                span = BlockSpan(block.start, block.end, block.block)
                self._take_figure(digest, known, component, float(compressed(np.array(figure))), span)

    def _take_figure(
        self, digest: str, known: dict[Component, Watched], component: Component, figure: float, block: BlockSpan
    ) -> None:
        """Take the figure of a block. The first one begins the test of its component, and is added to `known`."""
        watched = known.get(component)
        before = watched.state if watched else None
        assert not isinstance(before, Learning)  # noqa: S101 - blocks of figures begin with a test
        seed = by_counter(f"{digest}/{component.group}/{component.column}/{component.value}")
        # An earlier release stored no rows of figures, and their blocks had always the same.
        is_longer = watched is not None and 0 < watched.figure_rows < block.rows
        state = with_figure(before, seed, figure, block, run_length=self.run_length, is_longer=is_longer)
        if watched is None:
            known[component] = watched = Watched((component,), state)
            self.watched.append(watched)
        watched.state, watched.figure_rows = state, block.rows
        self.taken[watched.rows_of] = self.taken.get(watched.rows_of, Taken()).with_rows(block)

    def predict(self, start: int, counts: NDArray[np.int64]) -> None:
        """Record the rows of a step that begins at `start`, by bin of their prediction, shape `[bins]`."""
        self.predicted = (self.predicted or PredictionHistory.empty(len(counts))).with_period(start, counts)

    def count(self, group: Group) -> int:
        """Return the number of a group's components."""
        return sum(len(each.components) for each in self.watched if each.group == group)

    def threshold(self, group: Group, false_alarm_rate: float) -> float:
        """Return the logarithm of the evidence at which a component of the group alarms, given the others' evidence.

        The group must have a component.
        """
        return self.thresholds(false_alarm_rate, [group])[group]

    def thresholds(self, false_alarm_rate: float, groups: Sequence[Group] = EVERY_GROUP) -> dict[str, float]:
        """Return the threshold of each family of tests in these groups, see `Watched.family` and `threshold`."""
        found = self._by_family(groups)
        return {
            family: self._threshold(self._evidence(members), self._level(members[0].group, false_alarm_rate))
            for family, members in found.items()
        }

    def _threshold(self, evidence: NDArray[np.float64], level: float) -> float:
        # The sum of an e-detector is no e-value, so the false discoveries among further names are not controlled.
        return float(np.log(len(evidence) / level)) if self.run_length else naming_threshold(evidence, level)

    def _by_family(self, groups: Sequence[Group]) -> dict[str, list[Watched]]:
        found: dict[str, list[Watched]] = {}
        for group in groups:
            for each in self.watched:
                if each.group == group:
                    found.setdefault(each.family, []).append(each)
        return found

    def _level(self, group: Group, false_alarm_rate: float) -> float:
        """Return the share of the false-alarm rate of a family of the group."""
        share = false_alarm_rate / (len(GROUPS) + (1 if self.detectors else 0))
        if group == DETECTORS:
            return share / max(1, len(self.detectors)) / max(1, self._columns)
        if group in {LOSS, SLICES, GAPS} and (self.count(SLICES) or self._gaps):
            share /= 2
        return share / (2 if group in {SLICES, GAPS} and self._gaps else 1)

    @cached_property
    def _columns(self) -> int:
        """The number of columns that a detector may have figures of, also of those that it has none of yet."""
        mine = [each for each in self.watched if each.group in INPUT_GROUPS]
        return len({component.column for each in mine for component in each.components})

    @property
    def _gaps(self) -> int:
        """The number of gaps, also of those that have no block yet."""
        return sum(len(each.rates) for each in self.gaps)

    def _evidence(self, watched: Sequence[Watched]) -> NDArray[np.float64]:
        """Return the evidence of each component of a family. Gaps without a block have none yet."""
        found = np.concatenate([each.state.evidence for each in watched])
        absent = self._gaps - len(found) if watched[0].group == GAPS else 0
        return np.append(found, np.zeros(max(0, absent)))

    def strength(self, false_alarm_rate: float) -> float:
        """Return the logarithm of the largest evidence as a share of what the first alarm of its family needs.

        By run length it is no e-value, so nothing is returned that could be compared among models.
        """
        if self.run_length:
            return -np.inf
        found = (
            float(evidence.max()) - np.log(len(evidence) / self._level(members[0].group, false_alarm_rate))
            for members in self._by_family(EVERY_GROUP).values()
            if len(evidence := self._evidence(members))
        )
        return float(max(found, default=-np.inf))

    def alarms(self, false_alarm_rate: float, groups: Sequence[Group] = EVERY_GROUP) -> Iterator[Alarm]:
        """Yield the components that have reached their threshold, group by group, the strongest evidence first."""
        thresholds = self.thresholds(false_alarm_rate, groups)
        for group in groups:
            mine = [each for each in self.watched if each.group == group]
            found = [alarm for each in mine for alarm in _alarms(each.components, each.state, thresholds[each.family])]
            yield from sorted(found, key=lambda alarm: -alarm.evidence)


def _alarms(parts: tuple[Component, ...], test: StagedTest | Learning, threshold: float) -> Iterator[Alarm]:
    for at in np.flatnonzero(test.evidence >= threshold):
        yield Alarm(parts[at], float(test.evidence[at]), threshold, partial(test.change, int(at)), test.end)


def _with_rows(buckets: Buckets) -> Buckets:
    """Return the buckets that have rows."""
    if (buckets.rows > 0).all():
        return buckets
    return buckets.at(buckets.rows > 0)
